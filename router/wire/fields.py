"""One value of a body, read as the type it must have; the error for a wrong one names its path.

Rule: pure. A message holds the field's name and the types that were expected and found, never content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from ..errors import RequestError

NAME_MAX = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_PATH = re.compile(r" - at `\$(.*)`$")
_EXPECTED = re.compile(r"Expected `(.+)`, got `(.+)`")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_PLAIN = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_FOUND = _PLAIN | {"int": "a number", "float": "a decimal number", "bool": "a true or false"}

T = TypeVar("T")


def read(decoder: msgspec.json.Decoder[T], fields: Mapping[str, msgspec.Raw], name: str, absent: T) -> T:
    """The field's value, or `absent` when the body has none. Raises RequestError."""
    raw = fields.get(name)
    return absent if raw is None else typed(decoder, raw, name)


def typed(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, name: str) -> T:
    """Raises RequestError(router_bad_request) with the path of what is wrong."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong_type(name, str(error)) from None
    except (msgspec.DecodeError, RecursionError):
        raise wrong(name, "is not readable") from None


def wrong(field: str, message: str) -> RequestError:
    return RequestError("router_bad_request", f"{field}: {message}", field=field)


def safe(name: str) -> str:
    """A name from the body, fit for a message: short, and of harmless characters."""
    return _UNSAFE.sub("?", name[:NAME_MAX])


def _wrong_type(name: str, error: str) -> RequestError:
    """`Expected `str`, got `int` - at `$[0].role`` becomes `messages[0].role: expected a string, got a number`."""
    found = _PATH.search(error)
    path = name + (found[1] if found else "")
    said = error[: found.start()] if found else error
    if types := _EXPECTED.fullmatch(said):
        expected = " or ".join(_PLAIN.get(kind, kind) for kind in types[1].split(" | "))
        return wrong(safe(path), f"expected {expected}, got {_FOUND.get(types[2], types[2])}")
    if missing := _MISSING.fullmatch(said):
        return wrong(safe(f"{path}.{missing[1]}"), "is required")
    return wrong(safe(path), said[:1].lower() + said[1:])
