"""The strict look at a body before anything reads it: what is no JSON object we can vouch for stops here.

Rule: pure, and in steps that run at C speed; a message names a position or a field, never content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ..errors import RequestError

DEPTH_MAX = 64
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_SQUARE = bytes.maketrans(b"{}", b"[]")
_STRING = re.compile(rb'"[^"]*"')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SPACE = b" \t\r\n"


def read_object(body: bytes) -> dict[str, msgspec.Raw]:
    """The body's top level, every value as its own bytes. Raises RequestError(router_bad_json)."""
    if not body:
        raise bad_json("the body is empty; send a JSON object")
    _check_text(body)
    _check_depth(body)
    try:
        fields = _DECODER.decode(body)
    except msgspec.ValidationError:
        raise bad_json("the body is JSON, but not an object") from None
    except msgspec.DecodeError as error:
        raise bad_json(_where(str(error))) from None
    except RecursionError:
        raise bad_json(f"the body is nested deeper than {DEPTH_MAX} levels") from None
    _check_keys(body, fields)
    return fields


def bad_json(message: str) -> RequestError:
    return RequestError("router_bad_json", message)


def _check_text(body: bytes) -> None:
    if not body.isascii():
        if body.startswith(b"\xef\xbb\xbf"):
            raise bad_json("the body starts with a byte order mark; send plain UTF-8")
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise bad_json(f"the body is not UTF-8 (byte {error.start})") from None
    if b"\\u" in body and _SURROGATE.search(body):
        # Escaped backslashes are taken out first: `\\ud800` is a backslash and five letters.
        unescaped = body.replace(b"\\\\", b"")
        if _SURROGATE.search(_PAIR.sub(b"", unescaped)):
            raise bad_json("the body holds half of a surrogate pair, which is no character")


def _check_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return
    # What is left of the text: quotes and brackets, every bracket a square one. Each pass over it
    # takes out one level, so whatever opens after the last pass is deeper than allowed.
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_SQUARE, _NOT_STRUCTURE)
    brackets = _STRING.sub(b"", bare)
    for _ in range(DEPTH_MAX):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if b"[" in brackets:
        raise bad_json(f"the body is nested deeper than {DEPTH_MAX} levels, or its brackets do not match")


def _check_keys(body: bytes, fields: Mapping[str, msgspec.Raw]) -> None:
    """Walks the top level along the decoded values: a key that comes twice breaks the walk."""
    if not fields:
        return
    at = _skip(body, 0) + 1
    for name, value in fields.items():
        key = b'"' + name.encode() + b'"'
        at = _skip(body, at)
        if not body.startswith(key, at):
            raise bad_json("a top-level key comes twice or is written with escapes")
        at = _skip(body, at + len(key)) + 1  # the colon
        at = _skip(body, at)
        if not body.startswith(value, at):
            raise bad_json(f"the key {safe(name)} comes twice")
        at = _skip(body, at + len(memoryview(value))) + 1  # the comma, or the closing brace
    if body[at:].strip(_SPACE):
        raise bad_json("a top-level key comes twice")


def _skip(body: bytes, at: int) -> int:
    while at < len(body) and body[at] in _SPACE:
        at += 1
    return at


def safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\[\]-]", "?", name)[:64]


def _where(error: str) -> str:
    """msgspec's own words hold positions and expectations, never content."""
    return f"the body is not valid JSON ({error.removeprefix('JSON is malformed: ')})"
