"""Gates in a time that only the test moves, and what a caller of them does."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec

from router.decide.policy import Rulebook
from router.decide.policy.failing import Breaker, Pacing, RetryBudget
from router.memory.health import Health
from router.memory.told import Told
from router.ports import Gates, Pass, Want
from router.vocabulary import Outcome, OutcomeKind

from ..rulebooks import default_rules
from ..simulation.loop import SimClock
from ..worlds import ListEvents

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
ANSWERED = Outcome(kind=OutcomeKind.ANSWERED, status=200)
FAILED = Outcome(kind=OutcomeKind.SERVER_ERROR, status=500)
REFUSED_KEY = Outcome(kind=OutcomeKind.AUTHENTICATION, status=401)


def limited(retry_after_s: float | None = None) -> Outcome:
    return Outcome(kind=OutcomeKind.RATE_LIMITED, status=429, retry_after_s=retry_after_s)


def rules_with(**parts: Breaker | Pacing | RetryBudget) -> Rulebook:
    rules = default_rules()
    return msgspec.structs.replace(rules, policy=msgspec.structs.replace(rules.policy, **parts))


def small(**more: Any) -> Rulebook:
    """Ten calls at once, and no more of them whatever happens."""
    return rules_with(pacing=Pacing(**{"start": 10, "least": 10, "most": 10, **more}))


def said(kind: str, limit: int, left: int) -> dict[str, str]:
    prefix = f"anthropic-ratelimit-{kind}"
    return {f"{prefix}-limit": str(limit), f"{prefix}-remaining": str(left)}


class Gatehouse:
    """The gates with everything around them. Made inside a running virtual loop."""

    def __init__(self, rules: Rulebook) -> None:
        self.rules = rules
        self.events = ListEvents()
        self.clock = SimClock(asyncio.get_running_loop(), random.Random(1))
        self.health = Health(self.clock, self.events)
        self.gates: Gates = self.health  # what the type checker holds it to
        self.told: list[Told] = []
        self.health.on_change = self.told.append
        self.order: list[str] = []

    async def enter(self, model: str = HAIKU, **want: Any) -> Pass | Outcome:
        return await self.gates.enter(Want(model=model, **want), self.rules)

    async def entered(self, model: str = HAIKU, **want: Any) -> Pass:
        answer = await self.enter(model, **want)
        assert not isinstance(answer, Outcome), answer
        return answer

    async def refused(self, model: str = HAIKU, **want: Any) -> Outcome:
        answer = await self.enter(model, **want)
        assert isinstance(answer, Outcome)
        return answer

    async def many(self, calls: int, model: str = HAIKU, **want: Any) -> list[Pass]:
        return [await self.entered(model, **want) for _ in range(calls)]

    async def call(self, outcome: Outcome = ANSWERED, model: str = HAIKU, **want: Any) -> None:
        passed = await self.entered(model, **want)
        passed.ended(outcome)

    async def named(self, name: str, takes_s: float, **want: Any) -> Pass | Outcome:
        """A whole call: it enters, takes its time, and is answered."""
        answer = await self.enter(**want)
        if not isinstance(answer, Outcome):
            self.order.append(name)
            await asyncio.sleep(takes_s)
            answer.ended(ANSWERED)
        return answer

    def standing(self, model: str = HAIKU) -> dict[str, Any]:
        return self.health.standing()[model]

    @property
    def states(self) -> list[str]:
        return [label for name, label in self.events.counts if name == "breaker"]
