"""Do two answers say the same? For answers that can be compared: JSON, a number, tool calls, a short text.

Rule: pure. What cannot be compared does not agree: then the next tier is asked, which is what a doubt is for.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .sameness import normal_text

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?%?")
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?```\s*$", re.DOTALL)
CLOSE = 1e-9  # of two numbers, relative: what spelling alone can make of one
LAXLY = ("whitespace", "case", "unicode")


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    name: str = ""
    input: Any = None


class _Message(msgspec.Struct):
    content: list[_Block]


_MESSAGE = msgspec.json.Decoder(_Message)


def agree(compare: str, one: bytes, other: bytes) -> bool:
    """Of two whole messages."""
    try:
        first, second = _MESSAGE.decode(one).content, _MESSAGE.decode(other).content
        if compare != "tool_calls":
            return texts_agree(compare, _text(first), _text(second))
        calls = _calls(first)
        return bool(calls) and calls == _calls(second)
    except (msgspec.DecodeError, RecursionError):  # too deep to be read, or to be spelt anew
        return False


def texts_agree(compare: str, one: str, other: str) -> bool:
    """Of two texts; `compare` is json, number or text."""
    if compare == "number":
        return _numbers_agree(last_number(one), last_number(other))
    if compare == "json":
        first, second = _json(one), _json(other)
        return first is not None and first == second
    return bool(one.strip()) and normal_text(one.strip(), LAXLY) == normal_text(other.strip(), LAXLY)


def last_number(text: str) -> float | None:
    """The last number of a text, a fraction or a percentage worked out: what an answer in words ends with."""
    found = _NUMBER.findall(text)
    if not found:
        return None
    spelt = found[-1].replace(",", "")
    scale = 0.01 if spelt.endswith("%") else 1.0
    above, _, below = spelt.rstrip("%").partition("/")
    try:
        return scale * float(above) / (float(below) if below else 1.0)
    except (ZeroDivisionError, OverflowError):
        return None


def _numbers_agree(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return one == other or abs(one - other) <= CLOSE * max(abs(one), abs(other))


def _json(text: str) -> bytes | None:
    """In one spelling, also out of a fenced block; None where it is none."""
    fenced = _FENCE.match(text)
    try:
        value = msgspec.json.decode(fenced[1] if fenced else text)
        return msgspec.json.encode(_plain(value), order="sorted")
    except (msgspec.DecodeError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    """1.0 and 1 are one number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _calls(blocks: list[_Block]) -> list[tuple[str, bytes]]:
    """In any order: calls that one turn makes at the same time have none."""
    calls = (block for block in blocks if block.type == "tool_use")
    return sorted((call.name, msgspec.json.encode(_plain(call.input), order="sorted")) for call in calls)


def _text(blocks: list[_Block]) -> str:
    return "".join(block.text for block in blocks if block.type == "text")
