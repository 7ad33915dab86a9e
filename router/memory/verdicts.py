"""Verdicts that were given before: bounded in number and in time, keyed by digests, never by text.

Rule: an edge over cachetools; the clock is injected, so that time passes only when it says so.
"""

from __future__ import annotations

from cachetools import TTLCache

from ..ports import Clock
from ..vocabulary import Verdict


class MemoryVerdicts:
    """Of one process."""

    def __init__(self, clock: Clock, *, entries: int, keep_s: float) -> None:
        self._kept: TTLCache[bytes, Verdict] = TTLCache(maxsize=entries, ttl=keep_s, timer=clock.monotonic)

    def get(self, key: bytes) -> Verdict | None:
        return self._kept.get(key)

    def put(self, key: bytes, verdict: Verdict) -> None:
        self._kept[key] = verdict
