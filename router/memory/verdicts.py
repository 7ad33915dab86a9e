"""Verdicts that were given before: bounded in number and in time, keyed by digests, never by text.

Rule: an edge over cachetools; the clock is injected, so that time passes only when it says so.
"""

from __future__ import annotations

from cachetools import TLRUCache

from ..ports import Clock
from ..vocabulary import Verdict


class MemoryVerdicts:
    """Of one process."""

    def __init__(self, clock: Clock, *, entries: int) -> None:
        self._clock = clock
        self._kept = self._of_size(entries)

    def get(self, key: bytes) -> Verdict | None:
        found = self._kept.get(key)
        return None if found is None else found[0]

    def put(self, key: bytes, verdict: Verdict, keep_s: float) -> None:
        self._kept[key] = (verdict, self._clock.monotonic() + keep_s)

    def resize(self, entries: int) -> None:
        """A policy that was loaded anew may want to remember more, or less; what fits is kept."""
        if entries == self._kept.maxsize:
            return
        kept = list(self._kept.items())
        self._kept = self._of_size(entries)
        for key, found in kept[-entries:]:
            self._kept[key] = found

    def _of_size(self, entries: int) -> TLRUCache[bytes, tuple[Verdict, float]]:
        return TLRUCache(maxsize=entries, ttu=lambda _key, found, _now: found[1], timer=self._clock.monotonic)
