"""Who waits for a turn at a model: interactive first, then who comes from another model, then background, then batch.

Rule: first come, first served in each rank. Whoever leaves leaves nothing behind, from the middle of the line too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from ..decide.policy import Rulebook
from ..ports import Pass, Want
from ..vocabulary import Outcome

RANKS = {"interactive": 0, "background": 2, "batch": 3}
GUEST = 1  # interactive, from another model that failed: it may use less of the room, and must block nobody who may
LOWEST = 3
LENGTH_MAX = 10_000


class Waiter(msgspec.Struct, eq=False):
    want: Want
    rules: Rulebook
    since_s: float
    until_s: float
    turn: asyncio.Future[Pass | Outcome]
    rank: int


def rank_of(want: Want) -> int:
    return GUEST if want.stands_in and want.workload == "interactive" else RANKS[want.workload]


class Line:
    """Of one model."""

    def __init__(self) -> None:
        self._ranks: tuple[OrderedDict[int, Waiter], ...] = tuple(OrderedDict() for _ in range(LOWEST + 1))
        self._tokens = [0] * (LOWEST + 1)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def ahead(self, rank: int) -> tuple[int, int]:
        """Calls, and their input tokens, that go before a newcomer."""
        return sum(len(waiting) for waiting in self._ranks[: rank + 1]), sum(self._tokens[: rank + 1])

    def anybody(self, rank: int) -> bool:
        """Does anybody go before a newcomer?"""
        return any(self._ranks[: rank + 1])

    def first(self) -> Waiter | None:
        waiting = next((waiting for waiting in self._ranks if waiting), None)
        return None if waiting is None else next(iter(waiting.values()))

    def add(self, waiter: Waiter) -> None:
        self._ranks[waiter.rank][id(waiter)] = waiter
        self._tokens[waiter.rank] += waiter.want.input_tokens
        self._length += 1

    def remove(self, waiter: Waiter) -> bool:
        """Whether he was still there."""
        if self._ranks[waiter.rank].pop(id(waiter), None) is None:
            return False
        self._tokens[waiter.rank] -= waiter.want.input_tokens
        self._length -= 1
        return True
