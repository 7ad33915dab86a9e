"""Which model each conversation is on: bounded, and forgotten when a conversation falls silent.

Rule: an edge over cachetools; keys are digests scoped by tenant, so that no name is kept.
"""

from __future__ import annotations

import hashlib

from cachetools import TLRUCache

from ..ports import Clock, Pin


class MemoryPins:
    """Of one process; implements ports.Pins."""

    def __init__(self, clock: Clock, entries: int = 100_000) -> None:
        self._kept: TLRUCache[bytes, Pin] = TLRUCache(
            maxsize=entries, ttu=lambda _key, pin, _now: pin.until_s, timer=clock.monotonic
        )

    def get(self, tenant: str, session: str) -> Pin | None:
        return self._kept.get(_key(tenant, session))

    def put(self, tenant: str, session: str, pin: Pin) -> None:
        self._kept[_key(tenant, session)] = pin


def _key(tenant: str, session: str) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (tenant, session):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.digest()
