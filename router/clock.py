"""Now, sleep, chance and new names. The only file that imports time, random or secrets."""

from __future__ import annotations

import asyncio
import random
import secrets
import time

ID_BYTES = 12
# Chance is fetched from the system for so many names at once: one call costs more than a name.
IDS_AT_ONCE = 256


class SystemClock:
    """The real clock and the real dice; everything else takes a `ports.Clock`."""

    def __init__(self) -> None:
        self._chance = b""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def dice(self) -> float:
        return random.random()

    def new_id(self, prefix: str) -> str:
        """96 bits of chance behind a prefix. For one thread, and not to be carried through a fork."""
        if not self._chance:
            self._chance = secrets.token_bytes(ID_BYTES * IDS_AT_ONCE)
        own, self._chance = self._chance[-ID_BYTES:], self._chance[:-ID_BYTES]
        return f"{prefix}_{own.hex()}"
