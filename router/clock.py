"""Now, sleep and chance. The only file that imports time, random or secrets."""

from __future__ import annotations

import asyncio
import random
import secrets
import time


class SystemClock:
    """The real clock and the real dice; everything else takes a `ports.Clock`."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def dice(self) -> float:
        return random.random()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{secrets.token_hex(12)}"
