"""Answers that are given again, in one process: bounded in bytes and in time, each tenant in a shelf of its own.

Rule: an edge over cachetools, on the wall clock, because other machines read what this one writes. When room is
needed, whoever holds more than an even share gives up his oldest first: no tenant can push out the others.
"""

from __future__ import annotations

import math
from contextlib import suppress

from cachetools import TLRUCache

from ..ports import Clock, Events
from ..vocabulary import Fingerprint, KeptReply
from .nearby import Nearby

# What an answer takes besides its body: its record, its names, its places in two tables and a heap.
OVERHEAD_BYTES = 1_500
NEARBY_SHARE = 0.25  # of the room, for finding answers by likeness
SWEEP_EVERY_S = 60.0  # shelves that nobody opens are looked through for what is over
ISOLATION = "reply_isolation"  # the counter that must stay at nought

_Shelf = TLRUCache[bytes, KeptReply]


class MemoryReplies:
    """Of one process; implements ports.Replies."""

    def __init__(self, clock: Clock, max_bytes: int, events: Events) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._events = events
        self._shelves: dict[str, _Shelf] = {}
        self._total = 0  # of the shelves, as they were when last opened
        self._largest = ""
        self._swept_s = clock.monotonic()
        self._nearby = Nearby(round(max_bytes * NEARBY_SHARE))

    @property
    def size_bytes(self) -> int:
        """What is held, and what finds it by its likeness."""
        self._sweep()
        return self._total + self._nearby.size_bytes

    @property
    def entries(self) -> int:
        return sum(len(shelf) for shelf in self._shelves.values())

    async def get(self, key: bytes, tenant: str) -> KeptReply | None:
        return self.held(key, tenant)

    def held(self, key: bytes, tenant: str) -> KeptReply | None:
        shelf = self._shelves.get(tenant)
        found = shelf.get(key) if shelf is not None else None
        if found is not None and found.tenant != tenant:
            # It cannot come to this; if ever it does, nobody is given somebody else's answer.
            self._events.count(ISOLATION)
            return None
        return found

    def put(self, key: bytes, kept: KeptReply, fingerprint: Fingerprint | None = None) -> None:
        size = size_of(kept)
        if size > self._max_bytes * (1 - NEARBY_SHARE) or kept.stale_ms <= self._clock.now_ms():
            return
        shelf = self._shelves.get(kept.tenant)
        if shelf is None:
            shelf = self._new_shelf()
        if key in shelf:
            self._total -= size_of(shelf.pop(key))
        self._make_room(kept.tenant, size)
        shelf[key] = kept
        self._shelves[kept.tenant] = shelf  # making room may have closed it
        self._total += size
        if fingerprint is not None:
            self._nearby.put(fingerprint, key, kept.tenant)
            self._make_room(kept.tenant, 0)

    async def near(self, fingerprint: Fingerprint, tenant: str, threshold: float) -> KeptReply | None:
        """The most alike of those that are still held."""
        for key in self._nearby.find(fingerprint, tenant, threshold):
            found = self.held(key, tenant)
            if found is not None:
                return found
            self._nearby.drop(key)
        return None

    def resize(self, max_bytes: int) -> None:
        """A policy that was loaded anew may want to keep more, or less; what fits is kept."""
        if max_bytes == self._max_bytes:
            return
        self._max_bytes = max_bytes
        self._nearby.resize(round(max_bytes * NEARBY_SHARE))
        self._make_room("", 0)

    def _new_shelf(self) -> _Shelf:
        return TLRUCache(
            maxsize=math.inf,  # all shelves together are bounded, here
            ttu=lambda _key, kept, _now: kept.stale_ms,
            timer=self._clock.now_ms,
            getsizeof=size_of,
        )

    def _make_room(self, tenant: str, size: int) -> None:
        if self._clock.monotonic() - self._swept_s >= SWEEP_EVERY_S:
            self._sweep()
        while self._shelves and self._total + self._nearby.size_bytes + size > self._max_bytes:
            giver = self._giver(tenant)
            shelf = self._shelves[giver]
            before = shelf.currsize
            if before:
                with suppress(KeyError):  # the last of it is over just now
                    shelf.popitem()
            self._total += round(shelf.currsize - before)
            if not shelf.currsize:
                del self._shelves[giver]

    def _giver(self, tenant: str) -> str:
        """Himself, where he holds his share; else whoever held the most when it was last looked."""
        even = self._total / len(self._shelves)
        for name in (tenant, self._largest):
            if name in self._shelves and self._shelves[name].currsize >= even:
                return name
        self._largest = max(self._shelves, key=lambda name: self._shelves[name].currsize)
        return self._largest

    def _sweep(self) -> None:
        """Lets go of what is over, and counts anew."""
        self._swept_s = self._clock.monotonic()
        self._shelves = {tenant: shelf for tenant, shelf in self._shelves.items() if shelf.currsize}
        self._total = round(sum(shelf.currsize for shelf in self._shelves.values()))


def size_of(kept: KeptReply) -> int:
    return len(kept.body) + OVERHEAD_BYTES
