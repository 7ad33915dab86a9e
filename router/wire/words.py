"""The words that only the router reads: the `router` object of /complete, the x-router-* headers.

Rule: pure; an unknown word is an error that names the nearest right one, because a limit that is
misspelt and ignored costs money.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ..errors import RequestError
from ..vocabulary import PICO_PER_USD, Words, Workload
from .json_gate import safe

HEADER_PREFIX = "x-router-"
NAME_MAX = 256
DEADLINE_S_MAX = 3600.0
USD_MAX = 1_000_000
_PRINTABLE = re.compile(rf"[^\x00-\x1f\x7f]{{1,{NAME_MAX}}}")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def words_of_body(raw: msgspec.Raw, words: Words) -> Words:
    """What the `router` object says, over what the headers said."""
    try:
        given = _OBJECT.decode(raw)
    except msgspec.ValidationError:
        raise _wrong("router", "expected an object") from None
    said: dict[str, object] = {}
    for name, value in given.items():
        if name not in _READERS:
            raise _unknown(name, "router.", _READERS)
        said[name] = msgspec.json.decode(value)
    return _with(words, said, "router.{}")


def words_of_headers(headers: Mapping[str, str]) -> Words:
    """What the x-router-* headers say."""
    said: dict[str, object] = {}
    for header, value in headers.items():
        if not header.startswith(HEADER_PREFIX):
            continue
        name = header.removeprefix(HEADER_PREFIX).replace("-", "_")
        if name not in _READERS:
            spelt = [known.replace("_", "-") for known in _READERS]
            raise _unknown(name.replace("_", "-"), HEADER_PREFIX, spelt)
        said[name] = value
    words = _with(Words(), said, HEADER_PREFIX + "{}") if said else Words()
    harness = headers.get("x-claude-code-session-id")
    if words.session is None and harness and _PRINTABLE.fullmatch(harness):
        words = msgspec.structs.replace(words, session=f"cc:{harness}")
    return words


def _with(words: Words, said: Mapping[str, object], spelling: str) -> Words:
    changes: dict[str, Any] = {}
    for name, value in said.items():
        if value is None:
            continue
        field = spelling.format(name if spelling.startswith("router.") else name.replace("_", "-"))
        target = "max_cost_pico" if name == "max_cost_usd" else name
        changes[target] = _READERS[name](value, field)
    return msgspec.structs.replace(words, **changes) if changes else words


def _name(value: object, field: str) -> str:
    if isinstance(value, str) and _PRINTABLE.fullmatch(value):
        return value
    raise _wrong(field, f"expected a text of 1 to {NAME_MAX} printable characters")


def _workload(value: object, field: str) -> Workload:
    return Workload(_one_of(tuple(Workload), value, field))


def _one_of(allowed: tuple[str, ...], value: object, field: str) -> str:
    if isinstance(value, str) and value in allowed:
        return value
    raise _wrong(field, f"expected one of {', '.join(allowed)}")


def _cache(value: object, field: str) -> str:
    return _one_of(("use", "refresh", "off"), value, field)


def _fallback(value: object, field: str) -> str:
    return _one_of(("auto", "same", "off"), value, field)


def _decimal(value: object, field: str) -> Decimal:
    """A number or a decimal text, exactly as it was written."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise _wrong(field, "expected a number")


def _deadline_s(value: object, field: str) -> float:
    number = _decimal(value, field)
    if 0 < number <= Decimal(DEADLINE_S_MAX):
        return float(number)
    raise _wrong(field, f"expected seconds, more than 0 and at most {DEADLINE_S_MAX:.0f}")


def _max_cost_pico(value: object, field: str) -> int:
    number = _decimal(value, field)
    if 0 < number <= USD_MAX:
        # Rounded down: what is less than a pico-dollar cannot be spent.
        return int(number * PICO_PER_USD)
    raise _wrong(field, f"expected US dollars, more than 0 and at most {USD_MAX}")


_READERS: Mapping[str, Callable[[object, str], object]] = {
    "task": _name,
    "feature": _name,
    "user": _name,
    "session": _name,
    "workload": _workload,
    "deadline_s": _deadline_s,
    "max_cost_usd": _max_cost_pico,
    "cache": _cache,
    "fallback": _fallback,
}


def _wrong(field: str, message: str) -> RequestError:
    return RequestError("router_bad_request", f"{field}: {message}", field=field)


def _unknown(name: str, prefix: str, known: object) -> RequestError:
    names = list(known)  # type: ignore[call-overload]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {prefix}{close[0]}?" if close else f"known are: {', '.join(sorted(names))}"
    field = f"{prefix}{safe(name)}"
    return RequestError("router_bad_request", f"{field} is not a word of the router; {hint}", field=field)
