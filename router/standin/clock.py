"""What the stand-in needs of time. `router.clock.SystemClock` fits; a test brings its own.

Rule: the stand-in never reads the machine's clock by itself, so that a test can live through an
hour of cache lifetime in no time.
"""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int: ...  # wall clock
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
