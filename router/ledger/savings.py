"""What the prompt cache cost and saved: the reading side of the ledger's cache columns.

Rule: like report.py it writes nothing. The sum over all groups is the sum over all calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..vocabulary import Billed
from .report import query

_SUMS = ("plain_pico", "cost_pico", "cache_write_pico")
_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_lost_tokens")
_SELECT = f"""
    SELECT feature, model, prefix, cache_cause, max(cache_at), count(*),
        sum(cache_read_tokens > 0 AND role <> 'prewarm'), sum(cache_write_5m_tokens + cache_write_1h_tokens > 0),
        {", ".join(f"sum(min({name}, 1000000000000))" for name in _TOKENS)},
        {", ".join(f"sum({name} >> 32), sum({name} & 4294967295)" for name in _SUMS)}
    FROM attempts WHERE at_ms >= ? AND billed IN ('{Billed.SETTLED.value}', '{Billed.ESTIMATED.value}')
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608  our own column names


class Saved(msgspec.Struct, kw_only=True):
    """Of a group of calls."""

    calls: int = 0
    hits: int = 0  # that read something
    writes: int = 0  # that wrote something
    input_tokens: int = 0  # neither read nor written
    read_tokens: int = 0
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    plain_pico: int = 0  # what the same would have cost without caching
    cost_pico: int = 0
    write_pico: int = 0
    causes: dict[str, int] = {}  # why no more was read: calls
    lost_tokens: dict[str, int] = {}  # tokens that could have been read but for that
    varies_at: str = ""  # the block that was another one each time

    @property
    def write_tokens(self) -> int:
        return self.write_5m_tokens + self.write_1h_tokens

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.read_tokens + self.write_tokens

    @property
    def hit_rate(self) -> float:
        """Of all prompt tokens, the share that was read."""
        return self.read_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    @property
    def saved_pico(self) -> int:
        """Below zero where the writes cost more than the reads spared."""
        return self.plain_pico - self.cost_pico


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls: a feature on a model, with one head of tools and system."""

    feature: str | None
    model: str
    prefix: str


def savings(data_dir: Path, since_ms: int = 0) -> dict[Group, Saved]:
    """By group, the largest first. Raises NoLedger."""
    groups: dict[Group, Saved] = {}
    for feature, model, prefix, cause, at, *figures in query(data_dir, _SELECT, (since_ms,)):
        saved = groups.setdefault(Group(feature=feature, model=model, prefix=prefix), Saved())
        _add(saved, cause, figures)
        saved.varies_at = saved.varies_at or at or ""
    return dict(sorted(groups.items(), key=lambda item: -item[1].plain_pico))


def total(groups: dict[Group, Saved]) -> Saved:
    whole = Saved()
    for saved in groups.values():
        for name in Saved.__struct_fields__:
            mine, more = getattr(whole, name), getattr(saved, name)
            if isinstance(mine, int):
                setattr(whole, name, mine + more)
            elif isinstance(mine, dict):
                setattr(whole, name, {key: mine.get(key, 0) + more.get(key, 0) for key in {**mine, **more}})
    return whole


def _add(saved: Saved, cause: str, figures: Sequence[int]) -> None:
    calls, hits, writes, plain, read, write_5m, write_1h, lost, *money = figures
    saved.calls += calls
    saved.hits += hits
    saved.writes += writes
    saved.input_tokens += plain
    saved.read_tokens += read
    saved.write_5m_tokens += write_5m
    saved.write_1h_tokens += write_1h
    plain_high, plain_low, cost_high, cost_low, write_high, write_low = money
    saved.plain_pico += (plain_high << 32) + plain_low
    saved.cost_pico += (cost_high << 32) + cost_low
    saved.write_pico += (write_high << 32) + write_low
    if cause:
        saved.causes = {**saved.causes, cause: saved.causes.get(cause, 0) + calls}
        saved.lost_tokens = {**saved.lost_tokens, cause: saved.lost_tokens.get(cause, 0) + lost}
