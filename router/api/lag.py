"""How far behind its own time the service is: the one sign of overload that every cause of it gives.

Rule: one timer, one figure; who is turned away for it says admission.py.
"""

from __future__ import annotations

from ..ports import Clock

EVERY_S = 0.1
KEPT = 0.7  # of the figure before: a single hiccup turns nobody away


class Lag:
    """Of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.late_s = 0.0

    async def keep(self) -> None:
        """Measures, until it is cancelled."""
        while True:
            due_s = self._clock.monotonic() + EVERY_S
            await self._clock.sleep(EVERY_S)
            late_s = max(0.0, self._clock.monotonic() - due_s)
            self.late_s = KEPT * self.late_s + (1 - KEPT) * late_s
