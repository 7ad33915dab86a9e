"""JSON answers, field by field, and against a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.evals.graders.asked import flaws, form, grade, passes

FIELDS = {"person": "text", "amount": "number", "day": "date", "codes": "set", "ok": "exact"}
RECORD = form("json", {"fields": FIELDS})
RIGHT: dict[str, Any] = {
    "person": "Ada Lovelace",
    "amount": 1250.5,
    "day": "2024-05-03",
    "codes": ["B", "A"],
    "ok": True,
}


def said(**changes: Any) -> str:
    return json.dumps({**RIGHT, **changes}, ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        said(),
        f"```json\n{said()}\n```",
        f"Here it is:\n\n```\n{said()}\n```\nAnything else?",
        f"I read it as {said()} and nothing more.",
        f'First {{"person": "nobody"}}, or rather {said()}',
        said(person="  ada  LOVELACE. "),
        said(amount="1,250.50"),
        said(amount="€1.250,50"),
        said(day="3 May 2024"),
        said(day="May 3rd, 2024"),
        said(day="2024-05-03T10:00:00Z"),
        said(codes=["a", "b", "a"]),
        said(more="than asked"),
    ],
)
def test_a_right_answer_passes_however_it_is_written(text: str) -> None:
    found = grade(RECORD, RIGHT, text)
    assert (True, 1.0) == (found.passed, found.score), found.why


@pytest.mark.parametrize(
    ("text", "score", "why"),
    [
        (said(person="Ada"), 0.8, "person: `Ada`, not `Ada Lovelace`"),
        (said(amount=1250.51), 0.8, "amount: `1250.51`, not `1250.5`"),
        (said(amount=True), 0.8, "amount: `True`, not `1250.5`"),
        (said(day="03/05/2024"), 0.8, "day: `03/05/2024`, not `2024-05-03`"),
        (said(codes=["A"]), 0.8, "codes: `['A']`, not `['B', 'A']`"),
        (said(codes="A, B"), 0.8, "codes: `A, B`, not `['B', 'A']`"),
        (said(ok=1), 0.8, "ok: `1`, not `True`"),
        (said(ok="true", day=None), 0.6, "day: `None`, not `2024-05-03` (and 1 more)"),
        ("{}", 0.0, "person: `None`, not `Ada Lovelace` (and 4 more)"),
        ("[1, 2]", 0.0, "the answer is JSON, but no object"),
        ("no idea", 0.0, "no JSON in the answer"),
        ("", 0.0, "the answer is empty"),
        ('{"person": "Ada Lovelace", "amount": NaN}', 0.0, "no JSON in the answer"),
    ],
)
def test_a_wrong_field_fails_and_is_named(text: str, score: float, why: str) -> None:
    found = grade(RECORD, RIGHT, text)
    assert (False, score, why) == (found.passed, round(found.score, 3), found.why)


def test_null_says_that_the_text_has_no_such_thing_and_a_missing_field_is_null() -> None:
    expected = {**RIGHT, "person": None}
    assert passes(RECORD, expected, said(person=None))
    assert passes(RECORD, expected, json.dumps({name: RIGHT[name] for name in RIGHT if name != "person"}))
    assert not passes(RECORD, expected, said(person=""))
    assert not passes(RECORD, expected, said(person="unknown"))


def test_only_required_fields_decide_but_all_count_in_the_score() -> None:
    some = form("json", {"fields": FIELDS, "required": ["person"]})
    found = grade(some, RIGHT, said(amount=1, ok=False))
    assert (True, 0.6) == (found.passed, round(found.score, 3))
    assert ["names no field: `persn` (did you mean `person`?)"] == flaws(
        form("json", {"fields": FIELDS, "required": ["persn"]})
    )


def test_other_fields_can_be_forbidden() -> None:
    only = form("json", {"fields": FIELDS, "only": True})
    assert "has fields that were not asked for: `more`" == grade(only, RIGHT, said(more=1)).why
    assert passes(only, RIGHT, said())


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ("Ada", "takes an object with the fields person, amount, day, codes, ok"),
        ({**RIGHT, "persn": 1}, "has `persn`, which is no field of the grader (did you mean `person`?)"),
        ({"person": "Ada"}, "lacks the field `amount`; write null where the text has none"),
        ({**RIGHT, "amount": "many"}, "has `many` as `amount`, which is no number"),
        ({**RIGHT, "day": "soon"}, "has `soon` as `day`, which is no date"),
        ({**RIGHT, "codes": "A"}, "has `A` as `codes`, which is no set"),
    ],
)
def test_an_expected_value_must_fit_the_fields(expected: Any, wrong: str) -> None:
    assert wrong == RECORD.misfit(expected)


def test_deep_json_of_a_hostile_answer_is_just_wrong() -> None:
    assert not passes(RECORD, RIGHT, '{"a":' * 100_000)
    assert not passes(RECORD, RIGHT, '{"person": ' + "[" * 500 + "]" * 500 + "}")


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def test_a_schema_is_held_against_the_json_of_the_answer() -> None:
    schema = form("schema", {"schema": SCHEMA})
    assert passes(schema, True, 'Sure: {"n": 3}')
    assert "does not fit the schema at n" == grade(schema, True, '{"n": "3"}').why
    assert "no JSON in the answer" == grade(schema, True, "three").why
    assert not passes(schema, {"properties": {"n": {"minimum": 4}}}, '{"n": 3}')
    assert passes(schema, {"properties": {"n": {"minimum": 4}}}, '{"n": 4}')
    bare = form("schema", {"schema": SCHEMA, "bare": True})
    assert "more than JSON stands in the answer" == grade(bare, True, 'Sure: {"n": 3}').why


def test_what_is_no_schema_is_found_before_anything_is_asked() -> None:
    assert flaws(form("schema", {"schema": {"type": "objekt"}}))[0].startswith("is no JSON Schema: ")
    assert "put it into the suite" in flaws(form("schema", {"schema": {"$ref": "https://example.org/x"}}))[0]
    assert (form("schema", {"schema": SCHEMA}).misfit({"type": 3}) or "").startswith("takes true, or a JSON Schema")
    assert (form("schema", {"schema": SCHEMA}).misfit("yes") or "").startswith("takes true, or a JSON Schema")
