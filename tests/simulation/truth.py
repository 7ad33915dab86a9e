"""What the API would bill, call by call, reckoned apart from the product: prices read straight from the price list.

Rule: a call's bill is fixed when it is made: whoever hangs up is still billed for what a model has begun.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
from ruamel.yaml import YAML

from router.vocabulary import LedgerRow

PRICES = Path(__file__).parent.parent.parent / "policies" / "prices.yaml"
CLASSES = ("input", "output", "read", "write_5m", "write_1h")


@cache
def rates_of(model: str) -> dict[str, int]:
    """Pico-dollars a token, of the newest price. The simulated days are after all of them."""
    listed = YAML(typ="safe", pure=True).load(PRICES.read_text())["models"][model]
    newest = max(listed, key=lambda price: str(price["since"]))
    return {name: int(Decimal(str(newest[name])) * 1_000_000) for name in CLASSES}


class Truth(msgspec.Struct, kw_only=True):
    """One call, as the API knows it."""

    number: int
    intent: LedgerRow
    at_s: float
    model: str
    input: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    output: int = 0  # of the whole answer
    text_tokens: int = 0  # of them, what is text
    billed: bool = False  # a model began with it
    seen_output: int = -1  # tokens that went out to the router; -1: not even the answer's beginning
    told_until_s: float = 0.0  # when it answered with a retry-after: until when
    fault: str = ""

    @property
    def pico(self) -> int:
        """The bill for it."""
        return self._with(self.output) if self.billed else 0

    @property
    def seen_pico(self) -> int:
        """Of it, what the router could see."""
        return self._with(self.seen_output) if self.seen_output >= 0 else 0

    @property
    def usage(self) -> dict[str, object]:
        """As `message_start` says it."""
        written = self.write_5m + self.write_1h
        told: dict[str, object] = {"input_tokens": self.input, "cache_read_input_tokens": self.read}
        if not (written or self.read):
            return told
        split = {"ephemeral_5m_input_tokens": self.write_5m, "ephemeral_1h_input_tokens": self.write_1h}
        return {**told, "cache_creation_input_tokens": written, "cache_creation": split}

    def _with(self, output: int) -> int:
        rates = rates_of(self.model)
        return (
            self.input * rates["input"]
            + self.read * rates["read"]
            + self.write_5m * rates["write_5m"]
            + self.write_1h * rates["write_1h"]
            + output * rates["output"]
        )


def complaint_of(row: LedgerRow, truth: Truth | None) -> str | None:
    """What is wrong with an attempt's end in the books, held against the API's own bill."""
    owed = truth.pico if truth is not None else 0
    seen = truth.seen_pico if truth is not None else 0
    said = row.cost_pico
    wrong = {
        "settled": said != owed,
        "void": said != 0 or owed != 0,
        "estimated": said < seen,
        "unknown": said < owed,
    }.get(row.billed, True)
    if wrong:
        return f"is_as_billed: the books say {said} ({row.billed}), the API bills {owed}, {seen} was seen"
    if row.billed in ("settled", "estimated") and said > row.worst_pico:
        return f"is_within_its_worst: it cost {said}, at worst it was to be {row.worst_pico}"
    return None
