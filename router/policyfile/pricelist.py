"""prices.yaml: USD a million tokens, by model and from a day on, as exact integers of pico-dollars.

Rule: never a float. A price is read from its digits, and one that is no whole number of pico-dollars
a token, with every modifier that can apply, is refused: rounding would make the books drift.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ..decide.policy import Part, Price, PriceBook, Rates
from ..vocabulary import PICO_PER_USD
from .catalogue import day_of
from .conform import conform
from .document import Items, Mapping, find, read
from .report import Page, Report

PICO_PER_USD_A_MILLION = PICO_PER_USD // 1_000_000
CLASSES = ("input", "output", "write_5m", "write_1h", "read")
Percent = Annotated[int, Meta(ge=1, le=1000)]


class Amounts(Part, frozen=True, kw_only=True):
    """USD a million tokens of each class that the API bills."""

    input: Decimal
    output: Decimal
    write_5m: Annotated[Decimal, Meta(description="Writing a cache entry that lives 5 minutes.")]
    write_1h: Annotated[Decimal, Meta(description="Writing a cache entry that lives an hour.")]
    read: Annotated[Decimal, Meta(description="Reading a cache entry.")]


class LongAmounts(Amounts, frozen=True, kw_only=True):
    above_tokens: Annotated[int, Meta(ge=1, description="Prompts longer than this, cached tokens included.")]


class Entry(Amounts, frozen=True, kw_only=True):
    since: Annotated[str, Meta(description="The day (YYYY-MM-DD, UTC) from which the price holds.")]
    long: LongAmounts | None = None
    fast: Annotated[Amounts | None, Meta(description="With speed: fast.")] = None


class PriceFile(Part, frozen=True, kw_only=True):
    """prices.yaml"""

    version: Literal[1] = 1
    geo_percent: Annotated[dict[str, Percent], Meta(description="inference_geo, as the usage reports it, to percent.")]
    batch_percent: Percent = 50
    models: Annotated[dict[str, tuple[Entry, ...]], Meta(min_length=1)]


def read_prices(path: Path, aliases: dict[str, str], report: Report) -> tuple[Page, PriceBook | None]:
    """prices.yaml, checked in itself; an alias (`aliases`: to its id) costs what its model costs."""
    page, root = read(path, report)
    if root is None:
        return page, None
    file = conform(root, PriceFile, page, report)
    if file is None:
        return page, None
    for model, entries in file.models.items():
        _check_entries(model, entries, root, page, report)
        for number, entry in enumerate(entries):
            _check_exact(entry, (model, number), file, (root, page, report))
    return page, _book(file, aliases)


def _check_entries(model: str, entries: tuple[Entry, ...], root: Mapping, page: Page, report: Report) -> None:
    if _is_empty(root, model):
        report.error(page, find(root, "models", model, key=True), f"`{model}` needs at least one price")
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        spot = find(root, "models", model, number, "since")
        if day_of(entry.since) is None:
            report.error(page, spot, f"`since` takes a day such as 2026-10-07, not `{entry.since}`")
        if entry.since in seen:
            report.error(page, spot, f"`{model}` already has a price since {entry.since}")
        if entry.long is not None and entry.fast is not None:
            spot = find(root, "models", model, number, "fast", key=True)
            report.error(
                page, spot, "a price has `long` or `fast`, not both: what a long fast prompt costs is not known"
            )
        seen.add(entry.since)


def _is_empty(root: Mapping, model: str) -> bool:
    """Was nothing written? Entries that were wrong are reported already, and left out."""
    models = root.pairs["models"][1]
    written = models.pairs[model][1] if isinstance(models, Mapping) else None
    return isinstance(written, Items) and not written.values


def _check_exact(entry: Entry, place: tuple[str, int], file: PriceFile, around: tuple[Mapping, Page, Report]) -> None:
    root, page, report = around
    for part, amounts in (((), entry), (("long",), entry.long), (("fast",), entry.fast)):
        if amounts is None:
            continue
        for name in CLASSES:
            pico = getattr(amounts, name) * PICO_PER_USD_A_MILLION
            if all(pico * percent * file.batch_percent % 10_000 == 0 for percent in (100, *file.geo_percent.values())):
                continue
            spot = find(root, "models", place[0], place[1], *part, name)
            report.error(
                page,
                spot,
                f"`{name}` has too many digits: with the geo and batch percentages"
                " it is no whole number of pico-dollars a token (at most four decimals are safe)",
            )


def _book(file: PriceFile, aliases: dict[str, str]) -> PriceBook:
    by_model = {model: _prices(model, entries) for model, entries in file.models.items()}
    by_name = {name: by_model[model] for name, model in aliases.items() if model in by_model}
    content = msgspec.json.encode((by_model, file.geo_percent, file.batch_percent), order="deterministic")
    return PriceBook(
        hash=hashlib.sha256(content).hexdigest()[:16],
        by_model=by_model | by_name,
        geo_percent=file.geo_percent,
        batch_percent=file.batch_percent,
    )


def _prices(model: str, entries: tuple[Entry, ...]) -> tuple[Price, ...]:
    """Newest first; an entry whose day is wrong was reported and is left out."""
    prices = [_price(model, entry) for entry in entries if day_of(entry.since) is not None]
    return tuple(sorted(prices, key=lambda price: price.since_ms, reverse=True))


def _price(model: str, entry: Entry) -> Price:
    return Price(
        model=model,
        since_ms=_start_of_day_ms(entry.since),
        rates=_rates(entry),
        above_tokens=None if entry.long is None else entry.long.above_tokens,
        long=None if entry.long is None else _rates(entry.long),
        fast=None if entry.fast is None else _rates(entry.fast),
    )


def _rates(amounts: Amounts) -> Rates:
    return Rates(**{name: int(getattr(amounts, name) * PICO_PER_USD_A_MILLION) for name in CLASSES})


def _start_of_day_ms(text: str) -> int:
    day = day_of(text)
    assert day is not None, "the caller left out what is no day"
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000
