"""Numbers are read as people write them, exactly, and in the unit that was asked for."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.graders.figures import figures, only_figure, plain_text
from evals.graders.units import same_unit
from tests.evals.graders.asked import form, grade, passes

PLAIN = form("number", {"tolerance": 0.01})
UNITS = form("number", {"tolerance": 0.01, "unit": True})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1234.5", "1234.5"), ("1,234.50", "1234.5"), ("1.234,50", "1234.5"), ("1 234,5", "1234.5"),
        ("1\u202f234.5", "1234.5"), ("1'234.5", "1234.5"), ("12,5", "12.5"), ("1,234", "1234"), ("-5", "-5"),
        ("\u22125", "-5"), ("$40", "40"), ("-$5", "-5"), ("€1.234,56", "1234.56"), ("1.2e5", "120000"),
        ("3 \u00d7 10^-4", "0.0003"), ("2.5 million", "2500000"), (".5", "0.5"), ("100,000,000", "100000000"),
        (r"\boxed{1{,}234}", "1234"), (r"$12.5$", "12.5"), (r"\(7\)", "7"), ("1 234,567", "1234.567"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_it_is_meant(written: str, value: str) -> None:
    assert Fraction(value) == next(figures(plain_text(written))).value


@pytest.mark.parametrize("written", ["2024-05-03", "14:35", "10-12", "1.234.567", "9" * 80, "1e9999", "10^6"])
def test_what_could_be_read_in_two_ways_is_no_number(written: str) -> None:
    assert None is next(figures(written)).value


@pytest.mark.parametrize("text", ["", "x2", "two", "v1.2.3", "12 km", "3 and 4"])
def test_a_text_that_is_more_than_a_number_is_none(text: str) -> None:
    assert None is only_figure(text)


@given(st.text(alphabet="0123456789.,'_ -/:^*eE\u00d710$%€\\{}()frac\n\u2212\u2013½", max_size=20))
def test_nothing_that_a_model_writes_breaks_the_reading(text: str) -> None:
    for figure in figures(plain_text(text)):
        assert 0 <= figure.start < figure.end
    assert isinstance(PLAIN.misfit(text), str)
    assert grade(PLAIN, 7, text).passed in (True, False)
    assert not grade(PLAIN, 7, text).why.startswith("grader error")


@pytest.mark.parametrize(
    "text",
    [
        "12.5",
        "Answer: 12.5",
        "**Answer:** 12.50",
        "The answer is 12.5.",
        "5 boxes of 3 is 15, less 2.5.\nAnswer: 15 - 2.5 = 12.5",
        "First I get 99. No: 98.\n\n## Answer\n\n12.5",
        "So, all in all, 7 + 5.5 = 12.5",
        "Answer: 12.504",
        "Answer: 12.51",
        "Answer: 10.0\nI made a mistake.\nAnswer: 12.5",
    ],
)
def test_the_number_that_is_the_answer_counts(text: str) -> None:
    assert passes(PLAIN, 12.5, text), grade(PLAIN, 12.5, text).why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Answer: 12.52", "12.52, not 12.5"),
        ("Answer: 12.5\nIn other words: Answer: 13", "13, not 12.5"),
        ("", "the answer is empty"),
        ("I cannot say.", "no number in the answer"),
        ("Answer: 25/2", "`25/2` is not one plain number"),
        ("Answer: 12:30", "`12:30` is not one plain number"),
        ("Answer: -12.5", "-12.5, not 12.5"),
    ],
)
def test_any_other_number_fails_and_says_why(text: str, why: str) -> None:
    assert (False, why) == (grade(PLAIN, 12.5, text).passed, grade(PLAIN, 12.5, text).why)


def test_the_tolerance_is_exact_though_floats_are_not() -> None:
    assert passes(PLAIN, 0.06, "0.07")
    assert not passes(PLAIN, 0.06, "0.0700001")
    relative = form("number", {"relative": 0.01})
    assert passes(relative, 200, "198")
    assert not passes(relative, 200, "197.9")


def test_fractions_and_shares_count_only_where_the_suite_says_so() -> None:
    assert passes(form("number", {"fractions": True}), 1.75, "Answer: 1 3/4")
    assert not passes(form("number"), 0.75, "Answer: 3/4")
    assert not passes(form("number", {"fractions": True}), 3, "Answer: 3/0")
    share = form("number", {"percent": True})
    assert passes(share, 0.45, "45 %")
    assert passes(share, 0.45, "0.45")
    assert passes(form("number"), 45, "45 %")
    assert not passes(form("number"), 0.45, "45 %")


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 12.5 km",
        "Answer: 12.5km",
        "Answer: 12.5 kilometres",
        "12.5 Kilometers in all",
        r"\boxed{12.5\text{ km}}",
        "**Answer: 12.5 km**",
        "Answer: **12.5 km**.",
        "Answer: `12.5 km`",
    ],
)
def test_a_unit_has_many_names(text: str) -> None:
    assert passes(UNITS, {"value": 12.5, "unit": "km"}, text), grade(UNITS, {"value": 12.5, "unit": "km"}, text).why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Answer: 12.5", "the number is right, but not in km"),
        ("Answer: 12.5 km/h", "the number is right, but in `km/h`, not in km"),
        ("Answer: 12.5 m", "the number is right, but in `m`, not in km"),
        ("Answer: 12,500 m", "12,500, not 12.5"),
    ],
)
def test_another_unit_is_not_the_answer(text: str, why: str) -> None:
    found = grade(UNITS, {"value": 12.5, "unit": "km"}, text)
    assert (False, why) == (found.passed, found.why)


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("km/h", "kilometers per hour"), ("mph", "miles per hour"), ("m^2", "square metres"), ("m²", "m2"),
        ("kg/m^3", "kg per cubic metre"), ("°C", "degrees Celsius"), ("EUR", "€"), ("USD", "dollars"), ("%", "percent"),
        ("boxes", "box"), ("litres", "L"), ("TiB", "tebibytes"), ("hours", "h"), ("degrees", "°"), ("minutes", "min"),
    ],
)  # fmt: skip
def test_these_are_the_same_unit(expected: str, said: str) -> None:
    assert same_unit(expected, said)
    assert same_unit(said, expected)


@pytest.mark.parametrize(
    ("expected", "said"), [("MB", "Mb"), ("kB", "kb"), ("m", "m^2"), ("s", "ms"), ("km", ""), ("EUR", "$"), ("g", "kg")]
)
def test_these_are_not(expected: str, said: str) -> None:
    assert not same_unit(expected, said)


def test_a_currency_may_stand_before_or_behind() -> None:
    euros = {"value": 1234.5, "unit": "EUR"}
    assert all(passes(UNITS, euros, text) for text in ("€1,234.50", "1.234,50 €", "EUR 1234.5", "1234.5 euros"))
    assert not passes(UNITS, euros, "$1,234.50")


@pytest.mark.parametrize(
    "expected", ["12", True, None, {"value": 1}, {"value": "1", "unit": "km"}, {"value": 1, "unit": " "}]
)
def test_an_expected_value_is_a_number_or_one_with_a_unit(expected: Any) -> None:
    assert 'takes a number, or {"value": 12.5, "unit": "km"}' == PLAIN.misfit(expected)
