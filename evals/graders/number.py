"""The answer is a number, near enough to the expected one, and in its unit where that is asked for."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from ..vocabulary import Answered, Case, Grade
from .figures import Figure, exactly, figures, plain_text
from .form import Options, Place, Plain, shown, verdict
from .units import same_unit
from .wording import marked

EXPECTS = 'takes a number, or {"value": 12.5, "unit": "km"}'


class NumberOptions(Options, frozen=True, kw_only=True):
    kind: Literal["number"]
    tolerance: Annotated[float, Meta(ge=0, description="So far from the expected number is still right.")] = 0.0
    relative: Annotated[
        float, Meta(ge=0, lt=1, description="Such a share of the expected number off is still right.")
    ] = 0.0
    unit: Annotated[bool, Meta(description="The unit must be there, and be the expected one.")] = False
    fractions: Annotated[bool, Meta(description="3/4 is a number too.")] = False
    percent: Annotated[bool, Meta(description="Expected numbers are shares: 45 % is .45.")] = False


MARKUP = " *_`\\."  # around a number or its unit it says nothing


class Wanted(NamedTuple):
    value: Fraction
    unit: str


class Number(Plain):
    """The number behind the last `Answer:`, else the last number there is."""

    def __init__(self, options: NumberOptions, _place: Place) -> None:
        self._options = options

    def misfit(self, expected: Any) -> str | None:
        if isinstance(expected, dict):
            if set(expected) != {"value", "unit"} or not _is_number(expected["value"]):
                return EXPECTS
            return None if isinstance(expected["unit"], str) and expected["unit"].strip() else EXPECTS
        return None if _is_number(expected) else EXPECTS

    def perfect(self, expected: Any) -> str | None:
        wanted = _wanted(expected)
        value = float(wanted.value)
        written = str(int(value)) if value.is_integer() else repr(value)
        return f"Answer: {written} {wanted.unit}".strip()

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        wanted = _wanted(expected)
        part, figure = _answer_in(plain_text(text))
        if figure is None:
            return verdict(False, "no number in the answer" if text.strip() else "the answer is empty")
        value = self._value(figure)
        if value is None:
            return verdict(False, f"{shown(part[figure.start : figure.end])} is not one plain number")
        allowed = max(exactly(self._options.tolerance), exactly(self._options.relative) * abs(wanted.value))
        if abs(value - wanted.value) > allowed:
            return verdict(False, f"{_written(value)}, not {_written(wanted.value)}")
        return self._unit(wanted, part, figure)

    def _value(self, figure: Figure) -> Fraction | None:
        if figure.is_fraction and not self._options.fractions:
            return None
        if figure.value is not None and figure.percent and self._options.percent:
            return figure.value / 100
        return figure.value

    def _unit(self, wanted: Wanted, part: str, figure: Figure) -> Grade:
        if not self._options.unit or not wanted.unit:
            return verdict(True, "")
        behind = part[figure.end :].partition("\n")[0].strip(MARKUP)
        said = f"{figure.currency} {behind}" if figure.currency and same_unit(wanted.unit, figure.currency) else behind
        if same_unit(wanted.unit, said):
            return verdict(True, "")
        seen = behind or figure.currency
        return verdict(False, f"the number is right, but {f'in {shown(seen)}, ' if seen else ''}not in {wanted.unit}")


def _answer_in(text: str) -> tuple[str, Figure | None]:
    """The part of the answer that counts, and the number in it: of a sum, what stands behind the last `=`."""
    mark = marked(text)
    if mark is not None:
        found = list(figures(mark))
        if found:
            after = mark.rfind("=")
            return mark, next((one for one in found if one.start > after), found[0])
    found = list(figures(text))
    return text, found[-1] if found else None


def _wanted(expected: Any) -> Wanted:
    if isinstance(expected, dict):
        return Wanted(exactly(expected["value"]), expected["unit"])
    return Wanted(exactly(expected), "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e60


def _written(value: Fraction) -> str:
    return f"{float(value):,.10g}"
