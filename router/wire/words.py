"""The words that only the router reads: the `router` object of /complete, the x-router-* headers.

Rule: pure; an unknown word is an error that names the nearest right one, because a limit that is
misspelt and ignored costs money.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal
from typing import Any

import msgspec

from ..errors import RequestError
from ..vocabulary import PICO_PER_USD, Words, Workload
from .facts import session_of_harness
from .fields import safe, typed, wrong
from .json_gate import check_keys

HEADER_PREFIX = "x-router-"
BODY_PREFIX = "router."
NAME_MAX = 256
ADDRESS_MAX = 2048
DEADLINE_S_MAX = 3600
USD_MAX = 1_000_000
_NUMBER_MAX = 64  # characters of a number
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
# Wide enough for every digit that a number can have here: nothing is ever rounded up.
_EXACT = Context(prec=2 * _NUMBER_MAX)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)


def words_of_body(raw: msgspec.Raw, words: Words) -> Words:
    """What the `router` object says, over what the headers said."""
    given = typed(_OBJECT, raw, "router")
    for name in given:
        if name not in _READERS:
            raise _unknown(name, BODY_PREFIX, _READERS)
    check_keys(bytes(raw), given, BODY_PREFIX)
    return _with(words, {name: _value(value) for name, value in given.items()}, _field_of_body)


def words_of_headers(headers: Mapping[str, str]) -> Words:
    """What the x-router-* headers say; the session may also be the harness's."""
    said: dict[str, object] = {}
    for header, value in headers.items():
        if header.startswith(HEADER_PREFIX):
            name = header.removeprefix(HEADER_PREFIX)
            if name not in _SPELT:
                raise _unknown(name, HEADER_PREFIX, _SPELT)
            # A header has no types: what can only be a number is read as one.
            said[_SPELT[name]] = (_number(value) or value) if name == "deadline-s" else value
    words = _with(Words(), said, _field_of_header) if said else Words()
    client_timeout_s = _timeout_s(headers.get("x-stainless-read-timeout"))
    if client_timeout_s is not None:
        words = msgspec.structs.replace(words, client_timeout_s=client_timeout_s)
    if words.session is None and (session := session_of_harness(headers)) is not None:
        words = msgspec.structs.replace(words, session=session)
    return words


def _timeout_s(told: str | None) -> float | None:
    """How long the client's SDK waits; what is no number is none of our business."""
    number = None if told is None else _number(told)
    return float(number) if number is not None and number > 0 else None


def _with(words: Words, said: Mapping[str, object], field_of: Callable[[str], str]) -> Words:
    changes: dict[str, Any] = {}
    for name, value in said.items():
        if value is not None:
            target = "max_cost_pico" if name == "max_cost_usd" else name
            changes[target] = _READERS[name](value, field_of(name))
    return msgspec.structs.replace(words, **changes) if changes else words


def _field_of_body(name: str) -> str:
    return BODY_PREFIX + name


def _field_of_header(name: str) -> str:
    return HEADER_PREFIX + name.replace("_", "-")


def _value(raw: msgspec.Raw) -> object:
    """A text, a number with all its digits, or null; anything else is no value of any word."""
    text = bytes(raw)
    if text == b"null":
        return None
    return _STRING.decode(text) if text.startswith(b'"') else _number(text.decode()) or raw


def _number(text: str) -> Decimal | None:
    """Exactly as it is written; None when it is no number, or longer than any that makes sense."""
    return Decimal(text) if len(text) <= _NUMBER_MAX and _NUMBER.fullmatch(text) else None


def _name(value: object, field: str) -> str:
    if isinstance(value, str) and 0 < len(value) <= NAME_MAX and value.isprintable():
        return value
    raise wrong(field, f"expected a text of 1 to {NAME_MAX} printable characters")


def _one_of(allowed: Iterable[str]) -> Callable[[object, str], str]:
    allowed = tuple(allowed)

    def chosen(value: object, field: str) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise wrong(field, f"expected one of {', '.join(allowed)}")

    return chosen


def _workload(value: object, field: str) -> Workload:
    return Workload(_one_of(Workload)(value, field))


def _deadline_s(value: object, field: str) -> float:
    if isinstance(value, Decimal) and 0 < float(value) <= DEADLINE_S_MAX:
        return float(value)
    raise wrong(field, f"expected a number of seconds, more than 0 and at most {DEADLINE_S_MAX}")


def _max_cost_pico(value: object, field: str) -> int:
    number = _number(value) if isinstance(value, str) else value
    if isinstance(number, Decimal) and 0 < number <= USD_MAX:
        # Rounded down: what is less than a pico-dollar cannot be spent.
        return int(_EXACT.multiply(number, Decimal(PICO_PER_USD)))
    raise wrong(field, f"expected US dollars as a number or a decimal text, more than 0 and at most {USD_MAX}")


def _yes_or_no(value: object, field: str) -> bool:
    """A header has no types: there it is a word."""
    told = bytes(value).decode() if isinstance(value, msgspec.Raw) else value
    if told in ("true", "false"):
        return told == "true"
    raise wrong(field, "expected true or false")


def _address(value: object, field: str) -> str:
    if isinstance(value, str) and value.startswith("https://") and len(value) <= ADDRESS_MAX and value.isascii():
        return value
    raise wrong(field, f"expected an address that begins with https://, of at most {ADDRESS_MAX} ASCII characters")


_READERS: Mapping[str, Callable[[object, str], object]] = {
    "task": _name,
    "feature": _name,
    "user": _name,
    "session": _name,
    "workload": _workload,
    "deadline_s": _deadline_s,
    "max_cost_usd": _max_cost_pico,
    "cache": _one_of(("use", "refresh", "off")),
    "buffered": _yes_or_no,
    "webhook": _address,
    "fallback": _one_of(("auto", "same", "off", "defer")),
}
_SPELT = {name.replace("_", "-"): name for name in _READERS}


def _unknown(name: str, prefix: str, known: Iterable[str]) -> RequestError:
    shown = safe(name)  # before it is compared: the name may be as long as a body
    close = difflib.get_close_matches(shown, list(known), n=1)
    if shown in ("tier", "model"):
        hint = "name a tier or a model in the field `model`"
        return RequestError(
            "router_bad_request", f"{prefix}{shown} is not a word of the router; {hint}", field=f"{prefix}{shown}"
        )
    hint = f"did you mean {prefix}{close[0]}?" if close else f"known are: {', '.join(sorted(known))}"
    field = f"{prefix}{shown}"
    return RequestError("router_bad_request", f"{field} is not a word of the router; {hint}", field=field)
