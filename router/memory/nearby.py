"""Which kept answers belong to nearly the same question: fingerprints in buckets by bands of their bins (LSH).

Rule: bounded, and exact about what must be equal: the buckets only propose, scope and guard and tenant are compared.
"""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict

import msgspec

from ..decide.likeness import alike
from ..vocabulary import EMPTY_BIN, Fingerprint

# Ten bands of six: of pairs that are 0.9 alike 99.9 % meet in some band, at 0.8 95 %, at 0.5 one in seven.
BANDS, ROWS = 10, 6
BUCKET_MAX = 32  # of the newest; what many questions have in common tells none of them apart
COMPARED_MAX = 64
ENTRY_BYTES = 3_000  # one fingerprint, its buckets included, about


class _Held(msgspec.Struct, frozen=True, eq=False):
    tenant: str
    scope: bytes
    guard: bytes
    signature: array[int]
    bands: tuple[int, ...]


class Nearby:
    """Fingerprints of kept answers, by the answer's key."""

    def __init__(self, max_bytes: int) -> None:
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._buckets: dict[int, list[bytes]] = {}
        self._entries_max = max_bytes // ENTRY_BYTES

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size_bytes(self) -> int:
        return len(self._held) * ENTRY_BYTES

    def put(self, fingerprint: Fingerprint, key: bytes, tenant: str) -> None:
        self.drop(key)
        bands = tuple(_bands(fingerprint, tenant))
        signature = array("I", fingerprint.signature)
        self._held[key] = _Held(tenant, fingerprint.scope, fingerprint.guard, signature, bands)
        for band in bands:
            bucket = self._buckets.setdefault(band, [])
            bucket.append(key)
            if len(bucket) > BUCKET_MAX:
                del bucket[0]
        self._shrink()

    def find(self, fingerprint: Fingerprint, tenant: str, threshold: float) -> list[bytes]:
        """Keys of those that are at least so much alike, the most alike first."""
        met = Counter(key for band in _bands(fingerprint, tenant) for key in self._buckets.get(band, ()))
        alike = [(self._alike(fingerprint, key, tenant), key) for key, _ in met.most_common(COMPARED_MAX)]
        found = sorted((one for one in alike if one[0] >= max(threshold, 1e-9)), reverse=True)
        return [key for _, key in found]

    def drop(self, key: bytes) -> None:
        held = self._held.pop(key, None)
        for band in held.bands if held is not None else ():
            bucket = self._buckets.get(band, [])
            if key in bucket:
                bucket.remove(key)
            if not bucket:
                self._buckets.pop(band, None)

    def resize(self, max_bytes: int) -> None:
        self._entries_max = max_bytes // ENTRY_BYTES
        self._shrink()

    def _shrink(self) -> None:
        while len(self._held) > self._entries_max:
            self.drop(next(iter(self._held)))

    def _alike(self, fingerprint: Fingerprint, key: bytes, tenant: str) -> float:
        held = self._held[key]
        if (held.tenant, held.scope, held.guard) != (tenant, fingerprint.scope, fingerprint.guard):
            return 0.0
        return alike(fingerprint.signature, held.signature)


def _bands(fingerprint: Fingerprint, tenant: str) -> list[int]:
    """Where it is looked for. A band in which nothing fell says nothing."""
    whose = hash((tenant, fingerprint.scope, fingerprint.guard))
    signature = fingerprint.signature
    rows = (signature[at * ROWS : (at + 1) * ROWS] for at in range(BANDS))
    return [hash((whose, at, row)) for at, row in enumerate(rows) if row.count(EMPTY_BIN) < len(row)]
