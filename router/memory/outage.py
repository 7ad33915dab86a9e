"""When to leave a server alone that does not answer, and when to try it again.

Rule: no clock of its own; whoever asks says what time it is.
"""

from __future__ import annotations

FAILURES_MAX = 3  # in a row
PAUSE_S, PAUSE_MAX_S = 1.0, 30.0


class Outage:
    """Of one server."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause_s = PAUSE_S
        self._until_s = 0.0

    @property
    def on(self) -> bool:
        return self._failures >= FAILURES_MAX

    def lets(self, now_s: float) -> bool:
        """May it be asked now? When a pause is over one may, and the others wait for twice as long."""
        if not self.on:
            return True
        if now_s < self._until_s:
            return False
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
        self._until_s = now_s + self._pause_s
        return True

    def learn(self, answered: bool, now_s: float) -> bool:
        """How asking ended; has an outage begun with it, or ended?"""
        was_on = self.on
        self._failures = 0 if answered else self._failures + 1
        if self.on and not was_on:
            self._pause_s, self._until_s = PAUSE_S, now_s + PAUSE_S
        return self.on is not was_on
