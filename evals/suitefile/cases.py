"""cases.jsonl: the cases, each held against what a case must have.

Rule: a case that is wrong is left out and named; the checks that follow see the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from router.policyfile.report import Page, Report, listed, nearest, quoted

from ..template import FIELD
from ..vocabulary import Case
from .jsonlines import Line, read_lines

KEYS = ("id", "input", "expected", "cluster", "tags")
NEEDED = {
    "id": "a name of its own, such as `t-001`",
    "input": 'the text that is asked, or {"field": "text"}',
    "expected": "what a right answer says",
}
NAME_MAX = 200  # characters of an id, a cluster, a tag
TAGS_MAX = 50


class Cases(NamedTuple):
    """The cases, with the lines that they stand on."""

    page: Page
    cases: tuple[Case, ...]
    lines: dict[str, Line]  # by the case's id
    wrong: bool  # some lines, or the file, could not be used


def read_cases(path: Path, report: Report) -> Cases:
    before = len(report.errors)
    page, lines = read_lines(path, report)
    cases: dict[str, Case] = {}
    by_id: dict[str, Line] = {}
    for line in lines:
        case = _case(line, page, report)
        if case is None:
            continue
        if case.id in cases:
            first = by_id[case.id].number + 1
            report.error(page, line.at("id"), f"the id {quoted(case.id)} is already on line {first}; give one another")
            continue
        cases[case.id] = case
        by_id[case.id] = line
    return Cases(page, tuple(cases.values()), by_id, len(report.errors) > before)


def _case(line: Line, page: Page, report: Report) -> Case | None:
    value, found = line.value, True
    for key in value:
        if key not in KEYS:
            report.error(
                page, line.at(key), f"unknown key {quoted(key)}{nearest(key, KEYS)}; a case has {listed(KEYS)}"
            )
    for key, meaning in NEEDED.items():
        wrong = f"lacks the key `{key}`: {meaning}" if key not in value else CHECKS[key](value[key])
        if wrong is not None:
            report.error(page, line.at(key), wrong)
            found = False
    for key in ("cluster", "tags"):
        wrong = CHECKS[key](value[key]) if key in value else None
        if wrong is not None:
            report.error(page, line.at(key), wrong)
            found = False
    if not found:
        return None
    given = value["input"]
    return Case(
        id=value["id"],
        fields={"input": given} if isinstance(given, str) else given,
        expected=value["expected"],
        cluster=value.get("cluster", ""),
        tags=tuple(value.get("tags", ())),
        line=line.number + 1,
    )


def _id(value: Any) -> str | None:
    return None if _is_name(value) else f"`id` takes a text of 1 to {NAME_MAX} letters on one line"


def _input(value: Any) -> str | None:
    if isinstance(value, str):
        return None if value.strip() else "`input` is empty; there is nothing to ask"
    if not isinstance(value, dict) or not value:
        return '`input` takes a text, or an object of texts such as {"question": "..."}'
    for name, text in value.items():
        if not FIELD.fullmatch(name):
            return f"{quoted(name)} cannot be a field's name; use letters, digits and _"
        if not isinstance(text, str):
            return f"the field `{name}` takes a text; put quotes around it"
    return None if any(text.strip() for text in value.values()) else "`input` is empty; there is nothing to ask"


def _expected(value: Any) -> str | None:
    return "`expected` is null: fill in what a right answer says" if value is None else None


def _cluster(value: Any) -> str | None:
    return None if value == "" or _is_name(value) else f"`cluster` takes a text of at most {NAME_MAX} letters"


def _tags(value: Any) -> str | None:
    if isinstance(value, list) and len(value) <= TAGS_MAX and all(_is_name(tag) for tag in value):
        return None
    return f"`tags` takes a list of at most {TAGS_MAX} short texts"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= NAME_MAX and value.isprintable()


CHECKS = {"id": _id, "input": _input, "expected": _expected, "cluster": _cluster, "tags": _tags}
