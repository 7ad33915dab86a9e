"""The API's models: how much room they have, how fast they are, and how much of them one account may use.

Rule: first come, first served; whoever hangs up is still worked for, as a model does that has begun.
"""

from __future__ import annotations

from heapq import heapify, heapreplace
from random import Random

import msgspec

FIRST_TOKEN, EACH_TOKEN = 0, 1
SPEED_S = {"haiku": (0.3, 0.006), "sonnet": (0.7, 0.012), "opus": (1.1, 0.02)}
SHED_AFTER_S = 45.0  # who would wait longer for a free place is refused as overloaded
BROWNOUT = 6.0  # times as slow


class Timing(msgspec.Struct, frozen=True):
    """When an answer would begin, and how long each token takes."""

    first_s: float
    token_s: float


class Model:
    """One model of the API."""

    def __init__(self, name: str, dice: Random) -> None:
        self.name = name
        self.told_until_s = 0.0  # the latest instant that a retry-after named to the process of now
        self.told_by = ""  # the fault behind it
        self.per_minute = dice.choice((40, 120, 1000))
        self._tokens = float(self.per_minute)
        self._filled_s = 0.0
        self._speed = next(speed for line, speed in SPEED_S.items() if line in name)
        self._free_s = [0.0] * dice.choice((3, 8, 16))
        self._sheds = dice.random() < 0.5
        heapify(self._free_s)

    def refuses_for_s(self, now_s: float) -> int:
        """How long the account's rate has to recover before the next call; 0: it may be made, and is counted."""
        rate = self.per_minute / 60.0
        self._tokens = min(float(self.per_minute), self._tokens + (now_s - self._filled_s) * rate)
        self._filled_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0
        return max(1, int((1.0 - self._tokens) / rate + 0.999))

    def headers(self) -> dict[str, str]:
        return {
            "anthropic-ratelimit-requests-limit": str(self.per_minute),
            "anthropic-ratelimit-requests-remaining": str(int(self._tokens)),
        }

    def takes(self, now_s: float, tokens: int, slower: float) -> Timing | None:
        """A place in the queue; None where it is too long for the API itself."""
        first_s, token_s = self._speed[FIRST_TOKEN] * slower, self._speed[EACH_TOKEN] * slower
        begins_s = max(now_s, self._free_s[0])
        if self._sheds and begins_s - now_s > SHED_AFTER_S:
            return None
        heapreplace(self._free_s, begins_s + first_s + tokens * token_s)
        return Timing(begins_s - now_s + first_s, token_s)
