"""The strict look at a body before anything reads it: what is no JSON object we can vouch for stops here.

Rule: pure, and in steps that run at C speed; a message names a position or a field, never content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate

import msgspec

from ..errors import RequestError
from .fields import safe

DEPTH_MAX = 64
KEYS_MAX = 256  # at the top level
# Brackets, and keys when there are many: far more than a context window of a million tokens holds.
STRUCTURE_MAX = 1_500_000
# With fewer colons than this in the whole body, its keys are not worth counting beforehand.
_FEW_COLONS = 20_000

_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = re.compile(rb'"[^"]*"')
_SPACE = b" \t\r\n"


def _all_but(kept: bytes) -> bytes:
    return bytes(set(range(256)) - set(kept))


_NOT_OPENING = _all_but(b"[{:")
_NOT_BRACKET = _all_but(b'[]{}"')
_NOT_STRUCTURE = _all_but(b'[]{}":')
# Signed steps: a bracket goes two up or two down, a colon one up and down again, so that the level of a
# colon is odd and tells how deep its key stands.
_STEPS = bytes.maketrans(b"[{]}", b"\x02\x02\xfe\xfe")
_COLON = b"\x01\xff"
_TOP_LEVEL_COLON = 3


def read_object(body: bytes) -> dict[str, msgspec.Raw]:
    """The body's top level, every value as its own bytes. Raises RequestError(router_bad_json)."""
    if not body:
        raise bad_json("the body is empty; send a JSON object")
    _check_text(body)
    _check_structure(body)
    try:
        fields = _DECODER.decode(body)
    except msgspec.ValidationError:
        raise bad_json("the body is JSON, but not an object") from None
    except msgspec.DecodeError as error:
        raise bad_json(_where(str(error))) from None
    except RecursionError:
        raise bad_json(f"the body is nested deeper than {DEPTH_MAX} levels") from None
    check_keys(body, fields, "")
    return fields


def bad_json(message: str) -> RequestError:
    return RequestError("router_bad_json", message)


def _check_text(body: bytes) -> None:
    """UTF-8 without a byte order mark. Control characters and half surrogate pairs are refused by the decoder."""
    if body.isascii():
        return
    if body.startswith(b"\xef\xbb\xbf"):
        raise bad_json("the body starts with a byte order mark; send plain UTF-8")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise bad_json(f"the body is not UTF-8 (byte {error.start})") from None


def _check_structure(body: bytes) -> None:
    """Depth and size of what is nested, before a decoder spends time and memory on it.

    In text that is no JSON the levels mean nothing; the decoder refuses it afterwards.
    """
    openings = body.translate(None, _NOT_OPENING)
    colons = openings.count(b":")
    if len(openings) - colons <= DEPTH_MAX and colons <= _FEW_COLONS:
        return
    # Without its escapes a string ends at the next quote.
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    bare = unescaped.translate(None, _NOT_STRUCTURE if colons > _FEW_COLONS else _NOT_BRACKET)
    # Two quotes side by side change nothing for what follows them.
    bare = bare.replace(b'""', b"")
    if bare.count(b'"') > 2 * STRUCTURE_MAX:
        raise _too_much()
    structure = _STRING.sub(b"", bare)
    if len(structure) > STRUCTURE_MAX:
        raise _too_much()
    steps = structure.translate(_STEPS).replace(b":", _COLON)
    levels = list(accumulate(memoryview(steps).cast("b")))
    if max(levels, default=0) // 2 > DEPTH_MAX:
        raise bad_json(f"the body is nested deeper than {DEPTH_MAX} levels, or its brackets do not match")
    if levels.count(_TOP_LEVEL_COLON) > KEYS_MAX:
        raise _too_many_keys()


def check_keys(text: bytes, fields: Mapping[str, msgspec.Raw], prefix: str) -> None:
    """Walks an object along its decoded values: a key that comes twice breaks the walk."""
    if not fields:
        return
    if len(fields) > KEYS_MAX:
        raise _too_many_keys()
    at = _skip(text, 0) + 1
    for name, value in fields.items():
        key = b'"' + name.encode() + b'"'
        at = _skip(text, at)
        if not text.startswith(key, at):
            raise bad_json(f"a key before {prefix}{safe(name)} comes twice, or is written with escapes")
        at = _skip(text, at + len(key)) + 1  # the colon
        at = _skip(text, at)
        if not text.startswith(value, at):
            raise bad_json(f"the key {prefix}{safe(name)} comes twice")
        at = _skip(text, at + len(memoryview(value))) + 1  # the comma, or the closing brace
    if text[at:].strip(_SPACE):
        raise bad_json(f"a key after {prefix}{safe(name)} comes twice")


def _skip(text: bytes, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _too_much() -> RequestError:
    return bad_json(f"the body holds more than {STRUCTURE_MAX} brackets and keys")


def _too_many_keys() -> RequestError:
    return bad_json(f"the body has more than {KEYS_MAX} top-level keys")


def _where(error: str) -> str:
    """msgspec's own words hold positions and expectations, never content."""
    return f"the body is not valid JSON ({error.removeprefix('JSON is malformed: ')})"
