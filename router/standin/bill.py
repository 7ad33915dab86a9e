"""The bill: one row for every request that the stand-in generated for, to the last token.

Rule: pure arithmetic on integers of pico-dollars. A row is opened when generation begins and grows
with what is produced, so a client that leaves pays for its input and for the output so far. Totals
are exact for ever; only the newest rows are kept.
"""

from __future__ import annotations

from collections import deque

import msgspec

from .cache import Plan
from .models import PICO_PER_USD, Model

ROWS_KEPT = 100_000
GEO_PERCENT = {"us": 110}
FAST_FACTOR = 2
STANDARD_HALVES = 2
BATCH_HALVES = 1


class Row(msgspec.Struct, kw_only=True):
    """One generated message. `finished`: the whole answer was sent."""

    request_id: str
    message_id: str
    model: str
    input_tokens: int
    output_tokens: int = 0
    cache_read_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    thinking_tokens: int = 0
    cost_pico: int = 0
    metadata_user_id: str | None = None
    stop_reason: str | None = None
    stream: bool = False
    batch: bool = False
    finished: bool = False


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """The bill as it stands."""

    attempts: int
    cost_usd: str
    cost_pico: int
    rows: list[Row]


class Tariff(msgspec.Struct, frozen=True):
    """What the tokens of one request cost."""

    model: Model
    plan: Plan
    geo: str
    speed: str | None
    batch: bool = False

    def cost_pico(self, output_tokens: int) -> int:
        price, plan = self.model.price, self.plan
        whole = (
            plan.uncached * price.input
            + plan.read * price.read
            + plan.write_5m * price.write_5m
            + plan.write_1h * price.write_1h
            + output_tokens * price.output
        )
        return whole * self._factor() // 200

    def _factor(self) -> int:
        """All modifiers multiplied, in two-hundredths."""
        model = self.model
        is_long = model.long_prompt_tokens is not None and self.plan.total > model.long_prompt_tokens
        factor = BATCH_HALVES if self.batch else STANDARD_HALVES
        factor *= GEO_PERCENT.get(self.geo, 100)
        factor *= model.long_prompt_factor if is_long else 1
        return factor * (FAST_FACTOR if self.speed == "fast" else 1)


class Bill:
    """All rows, and their totals."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=ROWS_KEPT)
        self._attempts = 0
        self._cost_pico = 0
        self._era = 0  # grows when the bill is cleared: what was open before belongs to no bill

    def open(self, row: Row, tariff: Tariff) -> Entry:
        """Generation begins: the input is billed at once."""
        self._rows.append(row)
        self._attempts += 1
        entry = Entry(self, row, tariff, self._era)
        entry.produced(0)
        return entry

    def add(self, cost_pico: int, era: int) -> None:
        self._cost_pico += cost_pico if era == self._era else 0

    def statement(self) -> Statement:
        return Statement(
            attempts=self._attempts,
            cost_usd=usd(self._cost_pico),
            cost_pico=self._cost_pico,
            rows=list(self._rows),
        )

    def clear(self) -> None:
        self._rows.clear()
        self._attempts = 0
        self._cost_pico = 0
        self._era += 1


class Entry:
    """The open row of one running generation."""

    def __init__(self, bill: Bill, row: Row, tariff: Tariff, era: int) -> None:
        self._bill = bill
        self._era = era
        self._tariff = tariff
        self.row = row

    def produced(self, output_tokens: int) -> None:
        """So many output tokens exist by now; the bill never shrinks."""
        self.row.output_tokens = max(self.row.output_tokens, output_tokens)
        cost_pico = self._tariff.cost_pico(self.row.output_tokens)
        self._bill.add(cost_pico - self.row.cost_pico, self._era)
        self.row.cost_pico = cost_pico

    def finish(self, stop_reason: str, thinking_tokens: int) -> None:
        self.row.stop_reason = stop_reason
        self.row.thinking_tokens = thinking_tokens
        self.row.finished = True


def usd(pico: int) -> str:
    """Pico-dollars as an exact decimal string of dollars."""
    whole, part = divmod(pico, PICO_PER_USD)
    digits = f"{part:012d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
