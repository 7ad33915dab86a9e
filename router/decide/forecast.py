"""What caching a prompt would cost and save under an expected traffic: where the marks go, and from when they pay.

Rule: pure. Requests are taken to come by chance (Poisson), so many an hour; figures are estimates, and say so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from ..vocabulary import Counts, Known, Mark, Path, Seen
from .breakpoints import SURELY, lay, size
from .policy import CacheRules, Model, Price, Rates
from .reuse import LIFETIME_S

TURN_GAP_S = 60.0  # between two turns of a conversation
SAMPLE = 1_000
# What is likely another text in each call, in lines of a system prompt.
VOLATILE = (
    ("a date or a time", re.compile(r"(?i)\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}:\d{2}\b|\b(today|current (date|time))\b")),
    ("an id", re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-|\b(request|session|trace|user)[ _-]?id\b\s*[:=]")),
    ("a count of seconds", re.compile(r"\b1[6-9]\d{8}(\d{3})?\b")),
)


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected."""

    per_hour: float  # requests that share the prompt's head
    turns: float = 1.0  # of a conversation, on average


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model."""

    model: str
    tokens: int
    marks: tuple[Mark, ...]
    own: tuple[Mark, ...]  # those that the prompt has already
    cold_pico: int  # the prompt of the first request, written
    warm_pico: int  # of a later one, read
    plain_pico: int  # without any mark
    hour_pico: int  # expected, with these marks
    plain_hour_pico: int
    pays_from_per_hour: float | None  # requests; None: nothing to cache
    missing_tokens: int  # to the model's minimum; 0: it is long enough


def forecast(path: Path, traffic: Traffic, model: tuple[str, Model], price: Price, rules: CacheRules) -> Forecast:
    name, limits = model
    tokens = size(path, Known())
    rates = price.rates
    if price.long is not None and price.above_tokens is not None and tokens > price.above_tokens:
        rates = price.long
    laid = lay(path, _expected(path, traffic), limits, rates, rules)
    marks = tuple(sorted((*laid.marks, *laid.own), key=lambda mark: mark.index))
    marked = laid.tokens
    plain = tokens * rates.input
    cold = _written_pico(marks, rates) + (tokens - marked) * rates.input
    warm = marked * rates.read + (tokens - marked) * rates.input
    hour = _mean_pico(marks, tokens, rates)
    static = max((spot.text_bytes for spot in path.spots if spot.turn < 0), default=0)
    head = static * tokens / max(1, path.spots[-1].text_bytes) if path.spots else 0.0
    return Forecast(
        model=name,
        tokens=tokens,
        marks=laid.marks,
        own=laid.own,
        cold_pico=round(cold),
        warm_pico=round(warm),
        plain_pico=round(plain),
        hour_pico=round(hour * traffic.per_hour),
        plain_hour_pico=round(plain * traffic.per_hour),
        pays_from_per_hour=_pays_from(rates) if head >= limits.cache_minimum else None,
        missing_tokens=max(0, math.ceil(limits.cache_minimum / SURELY - head)) if not marks else 0,
    )


def volatile(lines: Sequence[str]) -> list[tuple[int, str]]:
    """The lines that are likely others in each call, and what gives them away."""
    return [(at, why) for at, line in enumerate(lines) for why, found in VOLATILE if found.search(line)]


def _expected(path: Path, traffic: Traffic) -> Known:
    """What would be counted after a while of such traffic."""
    shared = _counts(traffic.per_hour)
    goes_on = max(0.0, 1 - 1 / max(1.0, traffic.turns))
    turn = Counts(within_5m=round(SAMPLE * goes_on), later=SAMPLE - round(SAMPLE * goes_on))
    likes = {"tools": shared, "system": shared, "part": shared, "document": shared}
    spots = []
    for spot in path.spots:
        counts = likes.get(spot.kind, turn if spot.kind.startswith("end") else Counts(later=SAMPLE))
        spots.append(Seen(own=counts, like=counts))
    return Known(spots=tuple(spots))


def _counts(per_hour: float) -> Counts:
    soon, late = (1 - math.exp(-per_hour / 3600 * LIFETIME_S[ttl]) for ttl in ("5m", "1h"))
    within_5m, within_1h = round(SAMPLE * soon), round(SAMPLE * (late - soon))
    return Counts(within_5m=within_5m, within_1h=within_1h, later=SAMPLE - within_5m - within_1h)


def _mean_pico(marks: Sequence[Mark], tokens: int, rates: Rates) -> float:
    """Of one request, in the long run: each stretch is read when it comes back in time, and written when not."""
    pico, start = 0.0, 0
    for mark in marks:
        chance = mark.chance_1h if mark.ttl == "1h" else mark.chance_5m
        pico += (mark.tokens - start) * (chance * rates.read + (1 - chance) * _write(mark.ttl, rates))
        start = mark.tokens
    return pico + (tokens - start) * rates.input


def _written_pico(marks: Sequence[Mark], rates: Rates) -> int:
    """Of the first request: each stretch at the price of its own lifetime, an hour before five minutes."""
    pico = start = 0
    for mark in marks:
        pico += max(0, mark.tokens - start) * _write(mark.ttl, rates)
        start = max(start, mark.tokens)
    return pico


def _write(ttl: str, rates: Rates) -> int:
    return rates.write_1h if ttl == "1h" else rates.write_5m


def _pays_from(rates: Rates) -> float:
    """Requests an hour from which a five-minute mark or one for an hour costs less than none."""
    starts = []
    for ttl, write in (("5m", rates.write_5m), ("1h", rates.write_1h)):
        needed = (write - rates.input) / (write - rates.read)
        starts.append(-math.log(1 - needed) / LIFETIME_S[ttl] * 3600)
    return min(starts)
