"""Asks Haiku what kind of request this is: remembered verdicts first, one question at a time, in time.

Rule: it never raises for what the model or the network does; no answer is an answer, with its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from ..decide.policy import Rulebook
from ..ports import Clock, Events, Question
from ..vocabulary import Verdict

# After so many failures in a row nobody is asked for a while (row C1): an outage costs no latency.
FAILURES_TO_OPEN = 5
OPEN_S = 5.0
_SLOW = Verdict(task=None, difficulty=None, source="unavailable", detail="no verdict in time")
_RESTING = Verdict(task=None, difficulty=None, source="unavailable", detail="the classifier failed too often just now")


class Verdicts(Protocol):
    def get(self, key: bytes) -> Verdict | None: ...
    def put(self, key: bytes, verdict: Verdict, keep_s: float) -> None: ...


AskModel = Callable[[Question, Rulebook], Awaitable[Verdict]]


class HaikuClassifier:
    """Implements ports.Classifier."""

    def __init__(self, *, ask_model: AskModel, verdicts: Verdicts, clock: Clock, events: Events) -> None:
        self._ask_model = ask_model
        self._verdicts = verdicts
        self._clock = clock
        self._events = events
        self._asking: dict[bytes, asyncio.Task[Verdict]] = {}
        self._failures = 0
        self._open_until_s = 0.0

    async def listen(self, question: Question, rules: Rulebook) -> Verdict:
        """The verdict, remembered or fresh, within the policy's deadline."""
        key = question.key
        known = self._verdicts.get(key)
        if known is not None and question.words.cache == "use":
            self._audit(question, rules, known)
            return known
        task = self._asking.get(key)
        if task is None:
            if self._clock.monotonic() < self._open_until_s:
                return _RESTING
            task = self._begin(key, self._ask(question, rules))
        # Waiting, not awaiting: a caller who leaves or is out of time ends nobody else's question.
        within_s = min(rules.policy.classifier.deadline_ms / 1000, question.within_s)
        done, _ = await asyncio.wait({task}, timeout=within_s)
        return task.result() if done else _SLOW

    async def close(self) -> None:
        """Ends what is still being asked; each question settles itself."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: bytes, asking: Coroutine[None, None, Verdict]) -> asyncio.Task[Verdict]:
        task = asyncio.ensure_future(asking)
        self._asking[key] = task
        task.add_done_callback(lambda _: self._asking.pop(key, None))
        return task

    async def _ask(self, question: Question, rules: Rulebook) -> Verdict:
        verdict = await self._ask_model(question, rules)
        self._count(failed=verdict.source == "unavailable")
        keep_s = rules.policy.classifier.cache_s
        if verdict.difficulty is not None and question.words.cache != "off" and keep_s > 0:
            remembered = Verdict(task=verdict.task, difficulty=verdict.difficulty, source="memory")
            self._verdicts.put(question.key, remembered, keep_s)
        return verdict

    def _audit(self, question: Question, rules: Rulebook, known: Verdict) -> None:
        """Of the remembered verdicts a share is asked anew, beside the request, which does not wait for it."""
        share = rules.policy.classifier.audit_share
        if share and question.key not in self._asking and self._clock.dice() < share:
            self._begin(question.key, self._hold_against(question, rules, known))

    async def _hold_against(self, question: Question, rules: Rulebook, known: Verdict) -> Verdict:
        verdict = await self._ask(question, rules)
        same = (verdict.task, verdict.difficulty) == (known.task, known.difficulty)
        said = "same" if same else "unanswered" if verdict.difficulty is None else "different"
        self._events.count("classifier_audits", said)
        return verdict

    def _count(self, *, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= FAILURES_TO_OPEN:
            self._open_until_s = self._clock.monotonic() + OPEN_S
