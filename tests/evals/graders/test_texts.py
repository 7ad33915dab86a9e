"""Exact texts, texts inside an answer, patterns, agreement: what makes a difference is said by the suite."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evals.graders.asked import form, grade, passes


def test_exact_minds_everything_but_spaces_unless_told_otherwise() -> None:
    exact = form("exact")
    assert passes(exact, "Paris, France", " Paris,  France\n")
    assert not passes(exact, "Paris, France", "paris, France")
    assert not passes(exact, "Paris", "Paris.")
    assert passes(exact, ["Paris", "Lutetia"], "Lutetia")
    assert not passes(form("exact", {"ignore": []}), "a b", "a  b")


def test_exact_can_look_past_case_punctuation_and_accents() -> None:
    lax = form("exact", {"ignore": ["space", "case", "punctuation", "accents"]})
    assert passes(lax, "São Paulo", '"sao paulo".')
    assert not passes(lax, "São Paulo", "Paulo")
    assert passes(form("exact"), "caf\u00e9", "cafe\u0301")  # the same letter, spelt in two ways


def test_exact_reads_behind_the_answer_mark_where_the_suite_says_so() -> None:
    marked = form("exact", {"after_answer": True})
    assert passes(marked, "blue", "First I thought red.\nAnswer: blue")
    assert passes(marked, "blue", "blue")
    assert not passes(marked, "blue", "Answer: red\nblue")


def test_contains_wants_all_or_any_and_never_some() -> None:
    every = form("contains", {"never": ["as an AI"]})
    assert passes(every, ["Refund", "5 days"], "Your refund comes in 5\ndays.")
    found = grade(every, ["refund", "5 days"], "Your refund is on its way.")
    assert (False, 0.5, "lacks `5 days`") == (found.passed, found.score, found.why)
    assert "has `as an AI`, which it must not" == grade(every, "refund", "As an AI, I refund").why
    assert passes(form("contains", {"need": "any"}), ["a", "b"], "xbx")
    assert not passes(form("contains", {"case": True}), "Refund", "refund")


def test_a_pattern_fits_a_part_or_the_whole() -> None:
    assert passes(form("regex"), r"\b\d{4}-\d\d-\d\d\b", "It was on 2024-05-03.")
    assert not passes(form("regex", {"whole": True}), r"\d{4}-\d\d-\d\d", "on 2024-05-03")
    assert passes(form("regex", {"whole": True, "case": False}), ["NO", "YES"], " yes\n")
    assert not passes(form("regex"), "YES", "yes")


def test_a_pattern_that_would_take_for_ever_elsewhere_takes_no_time() -> None:
    assert not passes(form("regex"), "(a+)+$", "a" * 5_000 + "b")


def test_a_broken_pattern_is_found_before_anything_is_asked() -> None:
    assert (form("regex").misfit("(") or "").startswith("is no pattern of RE2: `(`")
    assert (form("regex").misfit([r"(?=x)"]) or "").startswith("is no pattern of RE2")
    assert None is form("regex").misfit(["a", "b+"])


@pytest.mark.parametrize("kind", ["exact", "contains", "regex", "agree"])
@pytest.mark.parametrize("expected", [3, [], "", ["a", " "], {"a": 1}, [["a"]]])
def test_an_expected_value_is_a_text_or_texts(kind: str, expected: Any) -> None:
    assert (form(kind).misfit(expected) or "").startswith("takes a ")


def test_agree_compares_as_production_does() -> None:
    agree = form("agree")
    assert passes(agree, '{"a": 1, "b": 2}', '```json\n{"b": 2.0, "a": 1}\n```')
    assert not passes(agree, '{"a": 1}', '{"a": 2}')
    assert passes(agree, "1,250", "All in all 1250.0")
    assert not passes(agree, "1250", "1251")
    assert passes(agree, "Yes, of course", "yes,  OF course")
    assert not passes(agree, "Yes", "No")
    assert passes(form("agree", {"compare": "text"}), "12", "12")
    assert not passes(form("agree", {"compare": "text"}), "12", "it is 12")
