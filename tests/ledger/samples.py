"""Rows to write, and a clock that stands still."""

from __future__ import annotations

import asyncio

import msgspec

from router.vocabulary import LedgerRow

DAY_MS = 86_400_000
AT_MS = 1_795_000_000_000  # 2026-11-18


def intent(number: int, **more: object) -> LedgerRow:
    row = LedgerRow(
        attempt_id=f"att_{number}",
        request_id=f"req_{number}",
        at_ms=AT_MS,
        model="claude-haiku-5-5",
        tier="haiku",
        task="chat",
        tenant="local",
        reason="the task says so",
        worst_pico=1_000_000 + number,
    )
    return msgspec.structs.replace(row, **more)


def ended(number: int, **more: object) -> LedgerRow:
    usual = {"outcome": "answered", "billed": "settled", "status": 200, "input_tokens": 10, "output_tokens": 5}
    return msgspec.structs.replace(intent(number), **{**usual, "cost_pico": 100 + number, **more})


class StoppedClock:
    """Implements ports.Clock; time moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_ms(self) -> int:
        return AT_MS + round(self.now_s * 1000)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)

    def dice(self) -> float:
        return 0.5

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_1"
