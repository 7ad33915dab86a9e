"""The answer is a JSON object whose fields are the expected ones, each compared in its own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from router.policyfile.report import listed, nearest

from ..vocabulary import Answered, Case, Grade
from .figures import exactly, only_figure, plain_text
from .form import Flaw, Options, Place, Plain, shown
from .wording import NOTHING, folded, json_in, same_json

How = Literal["exact", "text", "number", "date", "set"]
FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%d %b %Y", "%B %d %Y", "%b %d %Y", "%d. %B %Y")
NEAR = Fraction(1, 10**9)  # two numbers that differ by less are one


class JsonOptions(Options, frozen=True, kw_only=True):
    kind: Literal["json"]
    fields: Annotated[
        dict[str, How],
        Meta(
            min_length=1,
            description="Each field, and how it is compared: exact, text (case and spaces make no difference), number,"
            " date, set (a list whose order makes no difference).",
        ),
    ]
    required: Annotated[
        tuple[str, ...], Meta(description="The fields that must be right for a pass; else all of them.")
    ] = ()
    only: Annotated[bool, Meta(description="No other fields may be there.")] = False


class Json(Plain):
    """`expected`: an object with every field; null says that the text has no such thing."""

    def __init__(self, options: JsonOptions, _place: Place) -> None:
        self._fields = options.fields
        self._required = options.required or tuple(options.fields)
        self._only = options.only

    def flaws(self) -> Iterator[Flaw]:
        for number, name in enumerate(self._required):
            if name not in self._fields:
                yield Flaw(("required", number), f"names no field: `{name}`{nearest(name, self._fields)}")

    def misfit(self, expected: Any) -> str | None:
        if not isinstance(expected, dict):
            return "takes an object with the fields " + listed(self._fields)
        for name in expected:
            if name not in self._fields:
                return f"has `{name}`, which is no field of the grader{nearest(name, self._fields)}"
        for name, how in self._fields.items():
            if name not in expected:
                return f"lacks the field `{name}`; write null where the text has none"
            if expected[name] is not None and NEEDS[how](expected[name]) is None:
                return f"has {shown(expected[name])} as `{name}`, which is no {how}"
        return None

    def perfect(self, expected: Any) -> str | None:
        return msgspec.json.encode(expected).decode()

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        found = json_in(text, "{")
        if found is NOTHING:
            return Grade(passed=False, why="no JSON in the answer" if text.strip() else "the answer is empty")
        if not isinstance(found, dict):
            return Grade(passed=False, why="the answer is JSON, but no object")
        wrong = {name: how for name, how in self._fields.items() if not same(how, expected[name], found.get(name))}
        score = 1 - len(wrong) / len(self._fields)
        beside = [name for name in found if name not in self._fields] if self._only else []
        needed = [name for name in self._required if name in wrong]
        if not needed and not beside:
            return Grade(passed=True, score=score)
        return Grade(passed=False, score=score, why=_why(needed, beside, expected, found))


def same(how: str, expected: Any, found: Any) -> bool:
    """One field. A field that is not there is null; an empty text is not."""
    if expected is None or found is None:
        return expected is None and found is None
    return bool(COMPARE[how](expected, found))


def _why(needed: list[str], beside: list[str], expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if not needed:
        return f"has fields that were not asked for: {', '.join(map(shown, beside[:3]))}"
    first = needed[0]
    more = f" (and {len(needed) - 1} more)" if len(needed) > 1 else ""
    return f"{first}: {shown(found.get(first))}, not {shown(expected[first])}{more}"


def _text(value: Any) -> str | None:
    return folded(value) if isinstance(value, str) else None


def _number(value: Any) -> Fraction | None:
    if isinstance(value, str):
        return only_figure(plain_text(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return exactly(value)


def _date(value: Any) -> date | None:
    """A day in a form that can mean only one day: 03/05/2024 is two."""
    if not isinstance(value, str):
        return None
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", value.strip()).replace(",", "")
    text = re.sub(r"^(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d.*$", r"\1", text)
    for form in FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    return None


def _set(value: Any) -> frozenset[str] | None:
    """The entries as texts; a repeated one counts once."""
    if not isinstance(value, list):
        return None
    return frozenset(_entry(one) for one in value)


def _entry(value: Any) -> str:
    number = None if isinstance(value, str) else _number(value)
    return folded(value) if isinstance(value, str) else repr(value if number is None else number)


def _both(read: Callable[[Any], Any]) -> Callable[[Any, Any], bool]:
    def compare(expected: Any, found: Any) -> bool:
        one, other = read(expected), read(found)
        return one is not None and one == other

    return compare


def _near(expected: Any, found: Any) -> bool:
    one, other = _number(expected), _number(found)
    return one is not None and other is not None and abs(one - other) <= NEAR * max(Fraction(1), abs(one))


def _as_written(expected: Any, found: Any) -> bool:
    if isinstance(expected, str) and isinstance(found, str):
        return expected.strip() == found.strip()
    return same_json(expected, found)


NEEDS: Mapping[str, Callable[[Any], Any]] = {
    "exact": lambda value: (value,), "text": _text, "number": _number, "date": _date, "set": _set,
}  # fmt: skip
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "exact": _as_written, "text": _both(_text), "number": _near, "date": _both(_date), "set": _both(_set),
}  # fmt: skip
