"""Answers at half the price: what is missing goes out as a batch, and a batch that is on its way is never made twice.

Rule: what a batch will hold is on the disk before it is made, and its name as soon as it has one. A batch whose name
was lost (a kill, a broken connection) is looked for by its items before anything is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import msgspec

from router.decide.policy import Rulebook
from router.errors import WireError
from router.ports import Clock, Ledger
from router.vocabulary import Billed, LedgerRow, OutcomeKind

from .answers import Answers
from .asking import CallFailed, Refused
from .batch_api import BatchApi, BatchTrouble, Gone, Line, NotCreated, Seen
from .batch_bodies import batch_bodies
from .pending import Folder, Item, Pending
from .question import TENANT, Question
from .received import of_batch
from .spending import Purse
from .vocabulary import Answered, Suite

ROUNDS = 3  # a batch, and two more for what came to nothing in it
ITEMS_MAX = 10_000
BYTES_MAX = 128 * 1024 * 1024  # half of what the API takes
POLL_S, POLL_S_MAX, POLL_GROWS = 5.0, 60.0, 1.5
LOOKS_FOR_LOST = 3  # a batch may take a moment to be listed
LISTED_BY_MS = 10 * 60_000  # one that is not listed so long after it was meant to be made never was
CLOCKS_DIFFER_MS = 5 * 60_000
LATEST_MS = 60 * 60_000  # after it was meant to be made: no later one is ours
SAMPLE = 5  # results that are looked at to know whose batch it is
FINAL = frozenset({"invalid_request_error"})  # asking again would bring the same


class Batching:
    """Of one run. `say` is told what is waited for."""

    def __init__(self, *, api: BatchApi, keep: tuple[Answers, Folder, Ledger], purse_of: Callable[[str], Purse],
                 rules: Rulebook, clock: Clock, say: Callable[[str], None]) -> None:  # fmt: skip
        self._api = api
        self._answers, self._folder, self._ledger = keep
        self._purse_of = purse_of
        self._rules = rules
        self._clock = clock
        self._say = say
        self._refused: dict[str, str] = {}  # by key: what the API will never take

    async def fetch(self, suite: Suite, questions: Sequence[Question]) -> None:
        """Until every question has its answer on the disk. Raises Halted."""
        try:
            await self.go_on()
            for _ in range(ROUNDS):
                missing = self._missing(questions)
                if not missing:
                    return
                await self._ask(suite.name, missing)
        except BatchTrouble as trouble:
            raise CallFailed(f"the batch of {suite.name}: {trouble}") from None
        left = self._missing(questions)
        if left:
            raise CallFailed(f"{suite.name}: {len(left)} items of its batches came to nothing {ROUNDS} times")

    async def go_on(self) -> None:
        """With what an earlier run left on its way. Raises BatchTrouble."""
        for pending in self._folder.all():
            found = pending if pending.batch_id else await self._found(pending)
            if found is None:
                self._never_made(pending)
                continue
            self._folder.keep(found)
            self._say(f"a batch of {len(found.items)} calls from an earlier run is taken up again")
            await self._taken_in(found, held=False)

    def _missing(self, questions: Sequence[Question]) -> list[Question]:
        """Each once: equal questions have one answer."""
        missing = {one.key: one for one in questions if self._answers.find(one.key) is None}
        refused = next((key for key in missing if key in self._refused), None)
        if refused is not None:
            raise Refused(f"{missing[refused].suite}, case {missing[refused].case}: {self._refused[refused]}")
        return list(missing.values())

    async def _ask(self, suite: str, missing: Sequence[Question]) -> None:
        """In as many batches as the API and the purse want. Raises CapReached."""
        purse, left = self._purse_of(suite), list(missing)
        bodies = batch_bodies(missing, self._rules)
        while left:
            items = self._that_fit(left, bodies, purse)
            pending = Pending(
                name=self._clock.new_id("batch"), at_ms=self._clock.now_ms(), items=tuple(item for item, _ in items)
            )
            await purse.hold(pending.worst_pico)
            spent_pico = pending.worst_pico
            try:
                created = await self._created(pending, [(item.key, body) for item, body in items])
                spent_pico = await self._taken_in(created, held=True)
            except NotCreated:
                spent_pico = 0
                raise
            finally:
                purse.settle(pending.worst_pico, spent_pico)
            left = left[len(items) :]

    def _that_fit(
        self, left: Sequence[Question], bodies: Mapping[str, bytes], purse: Purse
    ) -> list[tuple[Item, bytes]]:
        """As many as one batch takes and the cap allows; one at least, which the purse may refuse."""
        items: list[tuple[Item, bytes]] = []
        size = worst_pico = 0
        for question in islice(left, ITEMS_MAX):
            item, body = _item(question, self._rules), bodies[question.key]
            size, worst_pico = size + len(body), worst_pico + item.worst_pico
            if items and (size > BYTES_MAX or not purse.fits(worst_pico)):
                break
            items.append((item, body))
        return items

    async def _created(self, pending: Pending, items: Sequence[tuple[str, bytes]]) -> Pending:
        self._folder.keep(pending)
        try:
            seen = await self._api.create(items)
        except NotCreated:
            self._folder.over(pending)
            raise
        except BatchTrouble as trouble:
            found = await self._found(pending)
            if found is None:  # it may be listed yet: the note stays, and what is held is taken for spent
                raise BatchTrouble(f"{trouble}, and {_not_listed(pending)}") from None
            created = found
        else:
            created = msgspec.structs.replace(pending, batch_id=seen.id)
        self._folder.keep(created)
        return created

    def _never_made(self, pending: Pending) -> None:
        """Raises BatchTrouble while it may still be listed: asked again, it could be paid twice."""
        if self._clock.now_ms() < pending.at_ms + LISTED_BY_MS:
            raise BatchTrouble(_not_listed(pending))
        self._folder.over(pending)

    async def _found(self, pending: Pending) -> Pending | None:
        """The batch that was made of it, though nobody was told its name. Raises BatchTrouble."""
        others = {other.batch_id for other in self._folder.all()}
        for look in range(LOOKS_FOR_LOST):
            if look:
                await self._clock.sleep(POLL_S)
            for seen in await self._api.since(pending.at_ms - CLOCKS_DIFFER_MS):
                fits = seen.request_counts.all == len(pending.items) and seen.id not in others
                if fits and seen.created_ms <= pending.at_ms + LATEST_MS and await self._is_of(seen, pending):
                    return msgspec.structs.replace(pending, batch_id=seen.id)
        return None

    async def _is_of(self, seen: Seen, pending: Pending) -> bool:
        """Only its results name its items, so it is waited for."""
        keys = {item.key for item in pending.items}
        await self._ended(seen.id)
        looked = 0
        async for line in self._api.results(seen.id):
            looked += 1
            if line.custom_id not in keys:
                return False
            if looked == SAMPLE:
                break
        return looked > 0

    async def _ended(self, batch_id: str) -> None:
        wait_s = POLL_S
        while True:
            seen = await self._api.seen(batch_id)
            if seen.ended:
                return
            done = seen.request_counts.all - seen.request_counts.processing
            self._say(f"batch {batch_id}: {done} of {seen.request_counts.all} are done; a stop now loses nothing")
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * POLL_GROWS, POLL_S_MAX)

    async def _taken_in(self, pending: Pending, *, held: bool) -> int:
        """Its answers, onto the disk; what they cost. What was not `held` is paid from the suite's purse now."""
        items = {item.key: item for item in pending.items}
        spent_pico = 0
        try:
            await self._ended(pending.batch_id)
            async for line in self._api.results(pending.batch_id):
                item = items.get(line.custom_id)
                known = item is None or self._answers.find(item.key) is not None
                answered = None if item is None or known else self._answered(item, line)
                if item is None or answered is None:
                    continue
                self._ledger.settle(_row(item, answered, pending))
                await asyncio.to_thread(self._answers.keep, answered)
                spent_pico += answered.cost_pico
                if not held:
                    self._purse_of(item.suite).settle(0, answered.cost_pico)
        except Gone:
            self._say(f"batch {pending.batch_id} is no longer kept by the API: what is missing of it is asked again")
        self._folder.over(pending)
        return spent_pico

    def _answered(self, item: Item, line: Line) -> Answered | None:
        """None for an item that came to nothing, which costs nothing."""
        result = line.result
        if result.type != "succeeded":
            error = result.error.error
            if result.type == "errored" and error.type in FINAL:
                self._refused[item.key] = f"the API refuses it: {error.message[:300]}"
            return None
        try:
            return of_batch(item.key, bytes(result.message), item.model, self._rules, self._clock.now_ms())
        except WireError as error:
            self._say(f"an item of a batch is no message: {error}")
            return None


def _not_listed(pending: Pending) -> str:
    return (
        f"the API does not list the batch of {len(pending.items)} calls that it was sent; it may yet, so none of them"
        f" is asked again before {LISTED_BY_MS // 60_000} minutes have passed: run again then"
    )


def _item(question: Question, rules: Rulebook) -> Item:
    return Item(
        key=question.key,
        suite=question.suite,
        tier=question.tier,
        task=question.task,
        model=question.ready.model,
        worst_pico=-(-question.ready.worst_pico * rules.prices.batch_percent // 100),
    )


def _row(item: Item, answered: Answered, pending: Pending) -> LedgerRow:
    """One id an item: taken in twice, after a kill, it is still one row."""
    usage = answered.usage
    return LedgerRow(
        attempt_id=f"att_{item.key[:32]}",
        request_id=pending.name,
        at_ms=pending.at_ms,
        door="batch",
        tenant=TENANT,
        feature=f"eval:{item.suite}",
        task=item.task or None,
        workload="batch",
        tier=item.tier,
        model=answered.model,
        reason=f"an item of {pending.batch_id}",
        outcome=OutcomeKind.ANSWERED.value,
        billed=Billed.SETTLED.value,
        status=200,
        stop_reason=answered.stop_reason,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        thinking_tokens=usage.thinking_tokens,
        cost_pico=answered.cost_pico,
        worst_pico=item.worst_pico,
    )
