"""Which grader suits some expected values? A guess, with its reason, for a person to check.

Rule: pure; it changes how a value is written (`"3"` becomes 3), never what it says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from router.vocabulary.noun import Noun

from .graders.fields import NEEDS
from .graders.figures import DIGITS_MAX, figures, only_figure
from .graders.judge import UNFILLED
from .graders.label import read_alike
from .graders.wording import json_of

LABELS_MAX = 40
LABEL_LETTERS_MAX = 60
SHARE_MAX = 1 / 3  # so many different values among all: more, and they are no labels


class Guess(Noun, frozen=True, kw_only=True):
    """The grader's options, the values as it wants them, and why."""

    kind: str
    options: Mapping[str, Any] = {}
    expected: tuple[Any, ...] = ()
    why: str


def guess(values: Sequence[Any], judge: str) -> Guess:
    """The first that fits all known values. `judge` is the tier that grades what nothing else can."""
    known = [value for value in values if value is not None]
    for attempt in (_objects, _numbers, _labels):
        found = attempt(known) if known else None
        if found is not None:
            back = iter(found.expected)
            whole = tuple(None if value is None else next(back) for value in values)
            return Guess(kind=found.kind, options=found.options, expected=whole, why=found.why)
    rubric = f"{UNFILLED}: what must an answer have to be good, and what must it not have?"
    why = "the expected values are free text" if known else "there are no expected values yet"
    return Guess(kind="judge", options={"tier": judge, "rubric": rubric}, expected=tuple(map(_text, values)), why=why)


def _objects(values: Sequence[Any]) -> Guess | None:
    """JSON objects, as such or as text."""
    parsed = [json_of(value) if isinstance(value, str) else value for value in values]
    if not all(isinstance(value, dict) and value for value in parsed):
        return None
    names = list(dict.fromkeys(name for value in parsed for name in value))
    fields = {name: _how([value.get(name) for value in parsed]) for name in names}
    whole = tuple({name: value.get(name) for name in names} for value in parsed)
    return Guess(kind="json", options={"fields": fields}, expected=whole, why="every expected value is a JSON object")


def _how(values: Sequence[Any]) -> str:
    """The strictest way of comparing that fits every value of a field."""
    known = [value for value in values if value is not None]
    for how, kinds in (("date", str), ("number", (int, float)), ("set", list), ("text", str)):
        if known and all(isinstance(value, kinds) and NEEDS[how](value) is not None for value in known):
            return how
    return "exact"


def _numbers(values: Sequence[Any]) -> Guess | None:
    read = [_number(value) for value in values]
    if any(one is None for one in read):
        return None
    pairs = [one for one in read if one is not None]
    with_unit = any(unit for _, unit in pairs)
    options: dict[str, Any] = {"unit": True} if with_unit else {}
    decimals = max(_decimals(number) for number, _ in pairs)
    if decimals:
        options["tolerance"] = float(f"5e-{decimals + 1}")  # the expected values are rounded there
    expected = tuple({"value": number, "unit": unit} if unit else number for number, unit in pairs)
    return Guess(kind="number", options=options, expected=expected, why="every expected value is a number")


def _number(value: Any) -> tuple[int | float, str] | None:
    """The number, and the unit behind it."""
    text = str(value).strip()
    if isinstance(value, bool) or len(text) > DIGITS_MAX:
        return None
    whole = only_figure(text)
    found = next(figures(text), None)
    if found is None or found.value is None or found.start != 0 or found.is_fraction:
        return None
    unit = f"{found.currency} {text[found.end :]}".strip() if whole is None or found.currency else ""
    if any(letter.isdigit() for letter in unit) or len(unit.split()) > 2:
        return None
    number = float(found.value)
    return (int(number) if number.is_integer() else number), unit


def _decimals(number: int | float) -> int:
    return len(repr(number).partition(".")[2]) if isinstance(number, float) and "e" not in repr(number) else 0


def _labels(values: Sequence[Any]) -> Guess | None:
    """A few short texts, each of which comes up again."""
    texts = [_text(value) for value in values]
    spelt: dict[str, str] = {}
    for text, _ in Counter(texts).most_common():
        spelt.setdefault(read_alike(text), text)  # the commonest spelling of those that are read alike
    few = 2 <= len(spelt) <= min(LABELS_MAX, len(texts) * SHARE_MAX)
    short = all(0 < len(text) <= LABEL_LETTERS_MAX and text.isprintable() for text in texts)
    if not few or not short or "" in spelt:
        return None
    labels = sorted(spelt.values())
    expected = tuple(spelt[read_alike(text)] for text in texts)
    why = f"there are only {len(labels)} different expected values"
    return Guess(kind="label", options={"labels": labels}, expected=expected, why=why)


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
