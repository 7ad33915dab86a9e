"""A grader that raises is told apart from an answer that is wrong; options are checked when a grader is made."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from evals.graders import ERROR, KINDS, form_of, grade_safely
from evals.graders.form import Place
from evals.vocabulary import Answered, Case, Grade, GraderSpec
from tests.evals.graders.asked import answered, case, form

PLACE = Place(Path(), lambda _: "")


class Broken:
    async def grade(self, case: Case, answer: Answered) -> Grade:
        raise KeyError(case.id)


def test_a_grader_that_raises_fails_the_case_and_says_whose_fault_it_is() -> None:
    found = asyncio.run(grade_safely(Broken(), case("x"), answered("y")))
    assert (False, f"{ERROR} the grader failed: KeyError: 'c-1'") == (found.passed, found.why)


def test_what_was_cut_or_refused_says_so() -> None:
    label = form("label", {"labels": ["a", "b"]})
    cut = asyncio.run(grade_safely(label, case("a"), answered("the lab", "max_tokens")))
    assert "`the lab` names none of the labels (the answer was cut at max_tokens)" == cut.why
    assert (
        "the answer is empty (the model refused)"
        == asyncio.run(grade_safely(label, case("a"), answered("", "refusal"))).why
    )
    assert "" == asyncio.run(grade_safely(label, case("a"), answered("a", "max_tokens"))).why


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("lable", {}, "there is no grader `lable`; there are: exact, label"),
        ("label", {}, "the options of the grader `label` are wrong: Object missing required field `labels`"),
        ("label", {"labels": ["a", "b"], "lables": []}, "unknown field `lables`"),
        ("number", {"tolerance": -1}, "Expected `float` >= 0"),
    ],
)
def test_wrong_options_are_refused_in_words(kind: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        form_of(GraderSpec(kind=kind, options=options), PLACE)


NEEDED: dict[str, dict[str, Any]] = {
    "label": {"labels": ["a", "b"]}, "json": {"fields": {"a": "text"}}, "schema": {"schema": {}},
    "sql": {"database": "x.sql"}, "judge": {"rubric": "r", "tier": "opus"},
}  # fmt: skip
PERFECT = {
    "exact": ["blue", "azure"], "label": "a", "number": {"value": 12.5, "unit": "km"}, "contains": ["x", "y"],
    "regex": "blue", "json": {"a": "b"}, "agree": "12",
    "code": {"tests": "import solution\nassert 1", "solution": "x = 1"},
}  # fmt: skip


@pytest.mark.parametrize("kind", PERFECT)
def test_what_a_grader_expects_it_passes_when_it_is_given_back(kind: str) -> None:
    grader = form(kind, NEEDED.get(kind))
    assert None is grader.misfit(PERFECT[kind])
    right = grader.perfect(PERFECT[kind])
    assert right is not None
    assert asyncio.run(grade_safely(grader, case(PERFECT[kind]), answered(right))).passed
    assert not asyncio.run(grade_safely(grader, case(PERFECT[kind]), answered("I would rather not say."))).passed


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_says_what_it_means(kind: str) -> None:
    hints = KINDS[kind].options.__annotations__
    assert all(
        "Meta(description=" in str(hint) or "description=" in str(hint)
        for name, hint in hints.items()
        if name != "kind"
    )
