"""The prompt cache as it is documented, as a pure function of what it was told before.

A prompt is a row of blocks (tools, then system, then messages), each known by a digest of
everything up to and including it. A mark asks for an entry at its block. From each mark the cache
looks back over at most 20 blocks for an entry; the furthest one found is what is read, the rest up
to the last mark is written: at the 1h price up to the last 1h mark, at the 5m price after it.

Rule: no clock and no IO. The time is an argument, and a plan takes effect only when `begin` is
called, which is when the response that pays for it begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

LIFETIME_S = {"5m": 300.0, "1h": 3600.0}
LOOKBACK_BLOCKS = 20
SWEEP_EVERY = 1_000


class Position(msgspec.Struct, frozen=True):
    """One block of a prompt: the digest of the prefix that it ends, its tokens, its mark."""

    digest: bytes
    tokens: int
    mark: str | None = None  # 5m | 1h


class Entry(msgspec.Struct):
    ttl: str
    expires_s: float


class Plan(msgspec.Struct, frozen=True):
    """How the tokens of one prompt are billed, and the entries to write once its response begins."""

    total: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    namespace: str = ""
    started_s: float = 0.0
    writes: tuple[tuple[bytes, str], ...] = ()

    @property
    def uncached(self) -> int:
        return self.total - self.read - self.write_5m - self.write_1h


class PromptCache:
    """Entries by namespace (workspace, model and speed: nothing is shared between two)."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, bytes], Entry] = {}
        self._writes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def plan(self, namespace: str, prompt: Sequence[Position], minimum: int, now_s: float) -> Plan:
        """Look up, refresh what is read, and say what will be written."""
        ends = _prefix_tokens(prompt)
        marks = [index for index, block in enumerate(prompt) if block.mark and ends[index] >= minimum]
        found = [self._lookup(namespace, prompt, mark, now_s) for mark in marks]
        hits = [index for index in found if index is not None]
        for index in hits:
            self._refresh((namespace, prompt[index].digest), now_s)
        read = ends[max(hits)] if hits else 0
        one_hour = max((ends[mark] for mark in marks if prompt[mark].mark == "1h"), default=0)
        last = max((ends[mark] for mark in marks), default=0)
        return Plan(
            total=ends[-1] if ends else 0,
            read=read,
            write_1h=max(0, one_hour - read),
            write_5m=max(0, last - max(one_hour, read)),
            namespace=namespace,
            started_s=now_s,
            writes=tuple(
                (prompt[mark].digest, prompt[mark].mark or "5m")
                for mark, index in zip(marks, found, strict=True)
                if index != mark
            ),
        )

    def begin(self, plan: Plan) -> None:
        """The response has begun: its entries exist from now on, aged from the start of its request."""
        for digest, ttl in plan.writes:
            key, expires_s = (plan.namespace, digest), plan.started_s + LIFETIME_S[ttl]
            known = self._entries.get(key)
            if known is None or known.expires_s <= plan.started_s:
                self._entries[key] = Entry(ttl, expires_s)
            else:  # a parallel request wrote it first: the longer life holds
                known.ttl = max(known.ttl, ttl, key=LIFETIME_S.__getitem__)
                known.expires_s = max(known.expires_s, expires_s)
            self._writes += 1
            if self._writes % SWEEP_EVERY == 0:
                self._sweep(plan.started_s)

    def _lookup(self, namespace: str, prompt: Sequence[Position], mark: int, now_s: float) -> int | None:
        for index in range(mark, max(-1, mark - LOOKBACK_BLOCKS), -1):
            entry = self._entries.get((namespace, prompt[index].digest))
            if entry is not None and now_s < entry.expires_s:
                return index
        return None

    def _refresh(self, key: tuple[str, bytes], now_s: float) -> None:
        entry = self._entries[key]
        entry.expires_s = max(entry.expires_s, now_s + LIFETIME_S[entry.ttl])

    def _sweep(self, now_s: float) -> None:
        for key in [key for key, entry in self._entries.items() if entry.expires_s <= now_s]:
            del self._entries[key]


def _prefix_tokens(prompt: Sequence[Position]) -> list[int]:
    ends: list[int] = []
    total = 0
    for block in prompt:
        total += block.tokens
        ends.append(total)
    return ends
