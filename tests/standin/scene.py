"""What these tests share: a clock that never waits, and the smallest of requests.

Rule: nothing here knows how the stand-in works inside.
"""

from __future__ import annotations

from typing import Any

import msgspec

NEWEST = {"anthropic-version": "2026-10-21", "authorization": "Bearer test"}
OLD = NEWEST | {"anthropic-version": "2023-06-01"}
NOW_MS = 1_795_219_200_000  # 2026-11-21


class StoppedClock:
    """Stands still until it is moved; sleeping moves it and takes no time."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.start_ms = now_ms
        self.passed_s = 0.0

    def now_ms(self) -> int:
        return self.start_ms + int(self.passed_s * 1000)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


def body(**fields: Any) -> dict[str, Any]:
    """A valid body, changed by `fields`; None removes a field."""
    whole = {
        "model": "claude-haiku-5-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "hello"}],
        "thinking": {"type": "disabled"} if fields.get("model", "claude-haiku-5-5") == "claude-haiku-5-5" else None,
    } | fields
    return {name: value for name, value in whole.items() if value is not None}


def raw(**fields: Any) -> bytes:
    return msgspec.json.encode(body(**fields))


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]
