"""Prefixes that the policy names are written before anybody needs them, and kept warm while that pays.

Rule: trunk. Each call is an attempt like any other: in the ledger first, with its role, and never retried here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from .attempt import PREWARM, Attempts
from .caching import Caches
from .decide.breakpoints import TOKENS_PER_BYTE
from .decide.policy import Prewarm, Rulebook
from .decide.price import price_at, worst_pico
from .decide.reuse import LIFETIME_S, terms, worth_keeping
from .decide.shape import shape
from .errors import RequestError
from .ports import Call, Clock, Events, Gates, Want
from .vocabulary import ANSWERS, Ask, Choice, Edit, LedgerRow, Mark, Outcome, OutcomeKind, Path, Spot
from .wire.ask import read_messages
from .wire.edit import apply
from .wire.marking import mark_edits
from .wire.prefix import read_path
from .wire.varying import moved

TENANT = PREWARM
EARLY_S = 20.0  # before an entry ends, it is written anew
LOOK_EVERY_S = 5.0
CALL_S = 60.0
HOUR_S = 3600.0
RETRY_S = 60.0
ENDS = ("tools", "system")  # where the part that stays the same ends
UNWANTED = ("stream", "tool_choice")  # the API takes none of them beside `max_tokens: 0`


class Kept(msgspec.Struct):
    """One named prefix, as it stands."""

    digest: int
    until_s: float = 0.0  # its entry, as far as is known
    wait_s: float = 0.0  # after a failure, before it is tried again
    retry_s: float | None = None
    uses: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=1_000))


class Named(msgspec.Struct, frozen=True):
    """What is kept warm: another body, model or lifetime is another one."""

    name: str
    body: bytes
    model: str
    ttl: str


class Prewarming:
    """Of one process, beside the requests."""

    def __init__(
        self,
        *,
        rules: Callable[[], Rulebook],
        calls: tuple[Attempts, Gates],
        caches: Caches,
        told: tuple[Events, Clock],
    ) -> None:
        self._rules = rules
        self._attempts, self._gates = calls
        self._events, self._clock = told
        self._kept: dict[Named, Kept] = {}
        caches.on_began = self._used

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                self._events.say("prewarm", outcome=type(error).__name__)
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Writes what is due."""
        rules = self._rules()
        named = {_named(name, part, rules): part for name, part in rules.policy.cache.prewarm.items()}
        self._kept = {one: kept for one, kept in self._kept.items() if one in named}
        for one, part in named.items():
            if one not in self._kept or self._is_due(self._kept[one], one, rules):
                await self._write(one, part, rules)

    def _is_due(self, kept: Kept, one: Named, rules: Rulebook) -> bool:
        now_s = self._clock.monotonic()
        if kept.retry_s is not None:
            return now_s >= kept.retry_s
        if now_s < kept.until_s - EARLY_S or now_s > kept.until_s + EARLY_S:
            return False  # warm; or gone for so long that its next user writes it
        uses = sum(1 for at_s in kept.uses if now_s - at_s < HOUR_S)
        price = price_at(one.model, rules.prices, self._clock.now_ms(), [])
        assert price is not None, "the loader lets no model in without a price"
        return worth_keeping(uses / HOUR_S, one.ttl, terms(price.rates, one.ttl))

    async def _write(self, one: Named, part: Prewarm, rules: Rulebook) -> None:
        ask = read_messages(one.body, {})
        lines = moved(ask.fields["system"], rules.varying.search) if rules.varying and "system" in ask.fields else None
        fields = ask.fields if lines is None or lines.value is None else {**ask.fields, lines.key: lines.value}
        path = read_path(fields, ask.facts, varies_last=lines is not None)
        ends = [spot for spot in path.spots if spot.kind in ENDS and spot.markable] if path is not None else []
        if not ends:
            return
        kept = self._kept.setdefault(one, Kept(digest=ends[-1].digest))
        began_s = self._clock.monotonic()
        mark = _mark(ends[-1], one.ttl)
        try:
            edits = (*_shaped(ask, part.tier, one.model, rules), *mark_edits(fields, (mark,)))
            row = self._row(ask, part, one, rules)
            call = Call(body=apply(ask, edits), first_byte_s=CALL_S, idle_s=CALL_S, total_s=CALL_S)
            passed = await self._gates.enter(Want(model=one.model, workload="batch"), rules)
            if isinstance(passed, Outcome):
                self._later(kept)
                return
            running = await self._attempts.send(call, row, rules.prices, [], passed=passed)
        except RequestError as refused:
            self._later(kept)
            self._events.say("prewarm", name=one.name, model=one.model, outcome=refused.code)
            return
        kind = running.outcome.kind if running.outcome is not None else OutcomeKind.BAD_ANSWER
        if kind in ANSWERS:
            kept.until_s, kept.retry_s, kept.wait_s = began_s + LIFETIME_S[one.ttl], None, 0.0
        else:
            self._later(kept)
        self._events.say("prewarm", name=one.name, model=one.model, outcome=kind.value, cost_pico=running.cost.pico)

    def _later(self, kept: Kept) -> None:
        """Tried again after a minute, then after two, after an hour at most."""
        kept.wait_s = min(HOUR_S, max(RETRY_S, 2 * kept.wait_s))
        kept.retry_s = self._clock.monotonic() + kept.wait_s

    def _row(self, ask: Ask, part: Prewarm, one: Named, rules: Rulebook) -> LedgerRow:
        at_ms = self._clock.now_ms()
        return LedgerRow(
            attempt_id=self._clock.new_id("att"),
            request_id=self._clock.new_id("req"),
            at_ms=at_ms,
            role=PREWARM,
            tenant=TENANT,
            feature=part.feature or None,
            tier=part.tier,
            model=one.model,
            reason="kept warm",
            policy_hash=rules.hash,
            prices_hash=rules.prices.hash,
            prefix=ask.facts.prefix_fingerprint,
            worst_pico=worst_pico(ask.facts, one.model, 0, rules, at_ms, one.ttl == "1h"),
        )

    def _used(self, model: str, path: Path, marked: tuple[tuple[int, str], ...]) -> None:
        """A request's answer began: did it use what is kept, or write it anew?"""
        if not self._kept:
            return
        now_s = self._clock.monotonic()
        lifetimes = {path.spots[at].digest: ttl for at, ttl in marked}
        heads = {spot.digest for spot in path.spots if spot.turn < 0}
        for one, kept in self._kept.items():
            if one.model == model and kept.digest in heads:
                kept.uses.append(now_s)
                lifetime = one.ttl if now_s < kept.until_s else lifetimes.get(kept.digest)
                if lifetime is not None:
                    kept.until_s, kept.retry_s = now_s + LIFETIME_S[lifetime], None


def _named(name: str, part: Prewarm, rules: Rulebook) -> Named:
    model = rules.ids[rules.policy.tiers[part.tier].model]
    return Named(name=name, body=rules.prewarm[name], model=model, ttl=part.ttl)


def _mark(spot: Spot, ttl: str) -> Mark:
    return Mark(
        index=spot.index,
        turn=spot.turn,
        block=spot.block,
        ttl=ttl,
        tokens=round(spot.text_bytes * TOKENS_PER_BYTE),
        chance_5m=1.0,
        chance_1h=1.0,
        why="the policy names it",
    )


def _shaped(ask: Ask, tier: str, model: str, rules: Rulebook) -> tuple[Edit, ...]:
    """As a request would be shaped for the model, without what the API refuses beside `max_tokens: 0`."""
    choice = Choice(tier=tier, model=model, task=rules.default_task, reason="")
    edits = [edit for edit in shape(ask, choice, rules) if edit.key not in ("max_tokens", "stop_sequences")]
    nothing = Edit(key="max_tokens", value=msgspec.Raw(b"0"), why="nothing is to be answered")
    return (*edits, *(Edit(key=name, value=None, why="") for name in UNWANTED), nothing)
