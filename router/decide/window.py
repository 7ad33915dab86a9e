"""Calls and failures of the last seconds, in slots that are forgotten one by one.

Rule: pure; the time is an argument. A call is counted when it is sent, a failure when it comes.
"""

from __future__ import annotations

SLOTS = 10


class Window:
    """Of one model."""

    __slots__ = ("_at", "_calls", "_failed", "_span_s", "_waiting", "calls", "failed", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.calls = self.failed = 0
        self._span_s = window_s / SLOTS
        self._at = -SLOTS
        self._calls, self._failed, self._waiting = [0] * SLOTS, [0] * SLOTS, [0] * SLOTS  # the last: not ended

    def sent(self, now_s: float) -> int:
        self.turn_to(now_s)
        here = self._at % SLOTS
        self._calls[here] += 1
        self._waiting[here] += 1
        self.calls += 1
        return self._at

    def ended(self, slot: int) -> None:
        if slot > self._at - SLOTS:
            self._waiting[slot % SLOTS] -= 1

    def failed_at(self, now_s: float) -> None:
        self.turn_to(now_s)
        self._failed[self._at % SLOTS] += 1
        self.failed += 1

    def take_back(self, slot: int) -> None:
        """It counts as nothing, so it was no call either."""
        if slot > self._at - SLOTS:
            self._calls[slot % SLOTS] -= 1
            self.calls -= 1

    def waits_for_earlier(self, slot: int) -> bool:
        """Is a call of the window not ended that was sent no later than that?"""
        return any(self._waiting[old % SLOTS] for old in range(self._at - SLOTS + 1, slot + 1))

    def turn_to(self, now_s: float) -> None:
        at = int(now_s / self._span_s)
        if at <= self._at:
            return
        for old in range(max(self._at + 1, at - SLOTS + 1), at + 1):
            here = old % SLOTS
            self.calls -= self._calls[here]
            self.failed -= self._failed[here]
            self._calls[here] = self._failed[here] = self._waiting[here] = 0
        self._at = at
