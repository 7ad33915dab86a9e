"""A file of JSON objects, one a line, read with bounds; each knows its line.

Rule: every line is looked at, whatever is wrong with the others. No message holds what a line says, but for names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from router.policyfile.report import Page, Report, Spot
from router.vocabulary.noun import Noun

BYTES_MAX = 64 * 1024 * 1024
LINE_BYTES_MAX = 2 * 1024 * 1024
LINES_MAX = 20_000


class Line(Noun, frozen=True, kw_only=True):
    """An object, where it stands (counted from 0), and its text."""

    number: int
    text: str
    value: dict[str, Any]

    def at(self, key: str) -> Spot:
        """Where a key of the line stands, or the line's beginning."""
        column = self.text.find(json.dumps(key))
        return Spot(self.number, max(0, column), len(key) + 2 if column >= 0 else 1)


def read_lines(path: Path, report: Report) -> tuple[Page, tuple[Line, ...]]:
    """The lines that are objects; what is wrong with the others is in the report."""
    page = page_of(path)
    body = _body(path, page, report)
    lines = [] if body is None else list(_lines(body, page, report))
    return page, tuple(lines)


class _Unshown(tuple[str, ...]):
    """No lines to show, of a file that was read: they are long, and may be what users wrote. Places are said anyway."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def page_of(path: Path) -> Page:
    return Page(str(path), _Unshown())


def _body(path: Path, page: Page, report: Report) -> bytes | None:
    nameless = Page(str(path))
    try:
        with path.open("rb") as file:
            body = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        report.error(nameless, Spot(0, 0), "is missing; every suite has one, with a case a line")
        return None
    except OSError as problem:
        report.error(nameless, Spot(0, 0), f"cannot be read: {problem.strerror or problem}")
        return None
    if len(body) > BYTES_MAX:
        report.error(nameless, Spot(0, 0), f"is larger than {BYTES_MAX // (1024 * 1024)} MB; split the suite")
        return None
    return body.removeprefix(b"\xef\xbb\xbf")


def _lines(body: bytes, page: Page, report: Report) -> Iterator[Line]:
    for number, raw in enumerate(body.split(b"\n")):
        if number >= LINES_MAX:
            report.error(page, Spot(number, 0), f"more than {LINES_MAX:,} lines; split the suite")
            return
        if not raw.strip():
            continue
        try:
            text = _text(raw)
            value = _value(text)
        except _Wrong as wrong:
            report.error(page, Spot(number, wrong.column), wrong.message)
            continue
        yield Line(number=number, text=text, value=value)


class _Wrong(Exception):
    def __init__(self, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


def _text(raw: bytes) -> str:
    if len(raw) > LINE_BYTES_MAX:
        raise _Wrong(f"a line of more than {LINE_BYTES_MAX // (1024 * 1024)} MB; no case needs so much")
    try:
        return raw.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError as problem:
        column = len(raw[: problem.start].decode("utf-8", "replace"))
        raise _Wrong("is not UTF-8; save the file as UTF-8", column) from None


def _value(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except json.JSONDecodeError as problem:
        cure = "; every case stands on one line" if problem.pos >= len(text.rstrip()) else ""
        raise _Wrong(f"this is not JSON: {problem.msg.lower()}{cure}", problem.pos) from None
    except RecursionError:
        raise _Wrong("this is nested too deeply") from None
    except ValueError:  # of int(): more digits than Python reads
        raise _Wrong("a number of more digits than can be read") from None
    if not isinstance(value, dict):
        raise _Wrong('takes an object, such as {"id": "a-1", "input": "...", "expected": "..."}')
    try:
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Wrong("an escape names half of a character (a lone surrogate)") from None
    return value


def _no_number(name: str) -> Any:
    raise _Wrong(f"{name} is no JSON; write a number or null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, one in pairs:
        if key in value:
            raise _Wrong(f"the key `{key[:60]}` stands twice in one object; remove one")
        value[key] = one
    return value
