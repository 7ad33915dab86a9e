"""Asks a tier as the policy would, pays once, and keeps what came before anybody sees it.

Rule: a call that failed is never an answer: it raises Halted. Equal questions at one time share one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from router.errors import RequestError
from router.pipeline import Pipeline
from router.ports import Clock
from router.vocabulary import Ask

from .answers import Answers, Mark
from .ports import Halted
from .question import PAST, Question, Questions
from .received import of_served, receipt_of
from .spending import Purse
from .vocabulary import Answered, Case, Suite

# Nothing was generated, and a while later there may be room: an eval has time.
LATER = frozenset({"router_rate_limited", "router_tier_overloaded"})
TRIES = 6
# No answer came, and one call more may well bring one: a run of a thousand calls does not end with one dropped
# connection. What was lost counts against the cap at its worst, and the call that follows counts like any other.
ONCE_MORE = {"router_all_tiers_down": 2, "router_bad_upstream": 2, "router_upstream_slow": 1, "router_deadline": 1}
NEVER = frozenset({400, 413})  # the question itself is refused, whoever asks and whenever
WAIT_S, WAIT_S_MAX = 2.0, 60.0
CURES = {
    "router_all_tiers_down": "does {upstream} answer?",
    "router_upstream_auth": "is the key right for {upstream}?",
    "router_bad_upstream": "is {upstream} the Messages API?",
    "router_redirect": "is {upstream} the Messages API?",
}
GRACE_S = 10.0  # after a Ctrl-C, for answers that are paid for and on their way


class CallFailed(Halted):
    """No answer came, after all that the policy does about it."""


class Refused(CallFailed):
    """This question is not taken. Others may be."""


class Asking:
    """Of one run. `purse_of` says who pays for a suite."""

    def __init__(self, *, pipeline: Pipeline, questions: Questions, answers: Answers,
                 purse_of: Callable[[str], Purse], clock: Clock) -> None:  # fmt: skip
        self.questions = questions
        self.answers = answers
        self.purse_of = purse_of
        self._pipeline = pipeline
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[Answered]] = {}
        self._closing = False

    async def answer(self, question: Question) -> Answered:
        """The answer that is known, or that is on its way, or that one call brings. Raises Halted."""
        known = self.answers.find(question.key)
        if known is not None:
            return known
        task = self._under_way.get(question.key)
        if task is None:
            task = self._under_way[question.key] = asyncio.ensure_future(self._call(question))
            task.add_done_callback(lambda ended: self._ended(question.key, ended))
        return await asyncio.shield(task)  # who leaves does not end what is paid for

    async def close(self) -> None:
        """What is under way may still come, for a while; nothing new is begun."""
        self._closing = True
        if not self._under_way:
            return
        tasks = list(self._under_way.values())
        _, late = await asyncio.wait(tasks, timeout=GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: str, task: asyncio.Task[Answered]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited was told; where nobody waited any more, it is no news

    async def _call(self, question: Question) -> Answered:
        failed = 0
        while True:
            try:
                return await self._paid(question)
            except RequestError as error:
                failed += 1
                if failed > ONCE_MORE.get(error.code, 0):
                    kind = Refused if error.status in NEVER else CallFailed
                    raise kind(f"{_where(question)}: {error.message}{self._cure(error)}") from None
                wait_s = max(float(error.retry_after_s or 0), WAIT_S * failed)
            await self._clock.sleep(min(wait_s, WAIT_S_MAX) + self._clock.dice())

    def _cure(self, error: RequestError) -> str:
        cure = CURES.get(error.code)
        return "" if cure is None else f"; {cure.format(upstream=self.questions.upstream)}"

    async def _paid(self, question: Question) -> Answered:
        """One call, from the purse. Raises RequestError."""
        held_pico = question.worst_pico
        purse = self.purse_of(question.suite)
        await purse.hold(held_pico)
        spent_pico = held_pico  # until it is known better
        try:
            if self._closing:
                spent_pico = 0
                raise CallFailed(f"{_where(question)}: not asked any more")
            answered = await self._until_answered(question)
            spent_pico = answered.cost_pico
        except RequestError as error:
            self.answers.over(question.key)  # the ledger has it
            spent_pico = held_pico if error.spent else 0
            raise
        except CallFailed:
            self.answers.over(question.key)  # it ended, though not with an answer of the tier
            raise
        finally:
            purse.settle(held_pico, spent_pico)
        await asyncio.to_thread(self.answers.keep, answered)
        return answered

    async def _until_answered(self, question: Question) -> Answered:
        """Raises RequestError. Where there is no room just now it waits, and asks again."""
        mark = Mark(
            key=question.key,
            model=question.ready.model,
            worst_pico=question.worst_pico,
            at_ms=self._clock.now_ms(),
        )
        self.answers.begin(mark)
        words = msgspec.structs.replace(question.ask.words, max_cost_pico=question.worst_pico)
        ask = msgspec.structs.replace(question.ask, words=words)
        for tried in range(TRIES):
            try:
                return await self._once(question, ask)
            except RequestError as error:
                if error.code not in LATER or error.spent or tried == TRIES - 1:
                    raise
                wait_s = max(float(error.retry_after_s or 0), WAIT_S * 2**tried)
            await self._clock.sleep(min(wait_s, WAIT_S_MAX) + self._clock.dice())
        raise AssertionError("the last try returns or raises")

    async def _once(self, question: Question, ask: Ask) -> Answered:
        served = await self._pipeline.handle(ask, self.questions.caller())
        receipt = receipt_of(served.body)
        if receipt.served_by != "model" or receipt.tier != question.tier:
            raise CallFailed(f"{_where(question)}: it was served by {receipt.served_by} ({receipt.model})")
        return of_served(question.key, served.body, receipt, self._clock.now_ms())


class Asker:
    """Implements ports.Asker for one suite, which pays for it."""

    def __init__(self, asking: Asking, suite: str) -> None:
        self._asking = asking
        self._suite = suite

    async def ask(self, suite: Suite, tier: str, case: Case, epoch: int = 0) -> Answered:
        return await self._asking.answer(self._asking.questions.of_case(suite, tier, case, epoch))

    async def ask_plain(self, tier: str, system: str, prompt: str, schema: dict[str, object] | None = None) -> Answered:
        return await self._asking.answer(self._asking.questions.plain(self._suite, tier, (system, prompt), schema))

    async def ask_request(self, tier: str, task: str, body: Mapping[str, object]) -> Answered:
        """A past request once more, on this tier. Raises Halted. It is the caller's to `forget` the answer."""
        return await self._asking.answer(self._asking.questions.of_request(tier, task, body))

    def forget(self, answered: Answered) -> None:
        """What it was asked for is on the disk."""
        self._asking.answers.forget(answered.key)


def _where(question: Question) -> str:
    if question.suite == PAST:
        return f"a past request on {question.tier}"
    case = f"case {question.case}" if question.case else "its grader's own question"
    return f"{question.suite} on {question.tier}, {case}"
