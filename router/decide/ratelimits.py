"""What the API's headers say of its rate limits: how much, how much is left, and when all of it is back.

Rule: pure. Every header is optional on every answer, and what is malformed was not said. A time is read against the
answer's own `date`, so that the two clocks need not agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

FULL_IN_S_MAX = 3600.0
DIGITS_MAX = 12
# What many models share is one bucket of the API; every other model has its own. A date names no other model.
SHARED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"claude-opus-4-[5-8]"), "claude-opus-4-5..8"),
    (re.compile(r"claude-sonnet-4-[56]"), "claude-sonnet-4-5..6"),
    (re.compile(r"claude-fable-5(-\d{1,2})?"), "claude-fable-5.."),
)
_DATE = re.compile(r"-\d{8}$")
Amount = Annotated[int, Meta(ge=0, lt=10**DIGITS_MAX)]


class Figures(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of one bucket, a minute's worth of it at a time."""

    limit: Annotated[int, Meta(ge=1, lt=10**DIGITS_MAX)]
    left: Amount
    full_in_s: Annotated[float, Meta(ge=0, le=FULL_IN_S_MAX)] | None = None


class Said(msgspec.Struct, frozen=True, array_like=True):
    """Of the three buckets of a model, as far as one answer told."""

    requests: Figures | None = None
    inputs: Figures | None = None
    outputs: Figures | None = None


@lru_cache(maxsize=1024)
def group_of(model: str) -> str:
    """The models that share a bucket have one name here."""
    plain = _DATE.sub("", model)
    return next((group for pattern, group in SHARED if pattern.fullmatch(plain)), plain)


def said_in(headers: Mapping[str, str]) -> Said | None:
    """What an answer tells. `headers` have lower-case names."""
    date = headers.get("date", "")
    requests = _figures(headers, _REQUESTS, date)
    inputs = _figures(headers, _INPUTS, date)
    outputs = _figures(headers, _OUTPUTS, date)
    if requests is None and inputs is None and outputs is None:
        return None
    return Said(requests, inputs, outputs)


def _names(kind: str) -> tuple[str, str, str]:
    prefix = f"anthropic-ratelimit-{kind}"
    return f"{prefix}-limit", f"{prefix}-remaining", f"{prefix}-reset"


_REQUESTS, _INPUTS, _OUTPUTS = map(_names, ("requests", "input-tokens", "output-tokens"))


def _figures(headers: Mapping[str, str], names: tuple[str, str, str], date: str) -> Figures | None:
    limit_name, left_name, reset_name = names
    limit = _amount(headers.get(limit_name))
    if not limit:
        return None
    left = _amount(headers.get(left_name))
    if left is None:
        return None
    reset = headers.get(reset_name)
    return Figures(limit, min(left, limit), None if reset is None else _seconds_until(reset, date))


def _amount(text: str | None) -> int | None:
    if text is None or len(text) > DIGITS_MAX or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


# A thousand answers a second name the same few seconds.
@lru_cache(maxsize=4096)
def _seconds_until(then: str, now: str) -> float | None:
    then_s, now_s = _stamp(then), _date(now)
    if then_s is None or now_s is None:
        return None
    return min(max(then_s - now_s, 0.0), FULL_IN_S_MAX)


def _stamp(text: str) -> float | None:
    """RFC 3339."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _date(text: str) -> float | None:
    """RFC 9110, of the `date` header."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
