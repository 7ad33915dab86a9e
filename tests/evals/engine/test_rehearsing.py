"""A rehearsal: the whole way without a key and without money, and always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from evals.cli.opening import opened
from evals.desk import Options
from evals.rehearsing import KEY_FILE, right_answer, script_of, share, wrong_answer
from evals.vocabulary import Case, GraderSpec, Suite, Tried
from router.policyfile import load
from router.settings import BUNDLED_POLICY

from .scene import MAKING, nobody, render, suite

pytestmark = pytest.mark.anyio
RULES = load(BUNDLED_POLICY)


async def rehearsed(data: Path, sums: Suite, tier: str) -> list[Tried]:
    async with opened(nobody(data), Options(rehearse=True, quiet=True), [sums], MAKING) as desk:
        assert ("standin", True) == (desk.source.upstream, desk.source.rehearsed)
        return await desk.engine.run(sums, tier, sums.cases)


async def test_it_needs_no_key_and_lies_apart_from_what_was_paid_for(tmp_path: Path) -> None:
    sums = suite(30)
    first = await rehearsed(tmp_path, sums, "haiku")
    assert 30 > sum(one.grade.passed for one in first) > 15
    assert 30 == len(list((tmp_path / "evals" / "rehearsal" / "answers").glob("*/*.json")))
    assert not (tmp_path / "evals" / "answers").exists()


async def test_it_is_the_same_every_time_and_known_the_second(tmp_path: Path) -> None:
    sums = suite(10)
    one = await rehearsed(tmp_path / "one", sums, "sonnet")
    other = await rehearsed(tmp_path / "other", sums, "sonnet")
    assert [(tried.answer.text, tried.answer.key) for tried in one] == [
        (tried.answer.text, tried.answer.key) for tried in other
    ]
    assert one == await rehearsed(tmp_path / "one", sums, "sonnet")


@pytest.mark.parametrize("name", ["sums", "tickets", "invoices", "queries"])
def test_cheaper_tiers_are_right_less_often(name: str) -> None:
    rates = [share(name, below) for below in range(4)]
    assert sorted(rates, reverse=True) == rates
    assert 0.94 <= rates[0] <= 0.99
    assert rates[3] >= 0.5


KINDS: dict[str, tuple[dict[str, Any], object, str]] = {
    "exact": ({}, "Paris", "Paris"),
    "label": ({"labels": ["red", "blue"]}, "red", "red"),
    "number": ({}, {"value": 12.5, "unit": "km"}, "Answer: 12.5 km"),
    "json": ({"fields": {"a": "number", "b": "text"}}, {"a": 1, "b": None}, '{"a":1,"b":null}'),
    "sql": ({"database": "schema.sql"}, {"sql": "SELECT 1"}, "```sql\nSELECT 1\n```"),
    "code": ({"entry": "a.py"}, {"tests": "assert True", "solution": "x = 1"}, "```python\nx = 1\n```"),
    "judge": ({"rubric": "Kind.", "tier": "opus"}, "a kind answer", "a kind answer"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_right_and_wrong_answers_are_written_as_a_model_would(kind: str) -> None:
    options, expected, right = KINDS[kind]
    case = Case(id="c", fields={"input": "?"}, expected=expected)
    asked = suite(1, grader=GraderSpec(kind=kind, options=options))
    assert right == right_answer(asked, case)
    assert right != wrong_answer(asked, case)
    assert wrong_answer(asked, case) == wrong_answer(asked, case)


def test_a_suite_may_bring_its_own_key(tmp_path: Path) -> None:
    case = Case(id="c-1", fields={"input": "1 + 1"}, expected={"tests": "assert True"})
    coded = GraderSpec(kind="code", options={"entry": "a.py"})
    asked = suite(1, grader=coded, cases=(case,), folder=tmp_path)
    (tmp_path / KEY_FILE).write_bytes(msgspec.json.encode({"id": "c-1", "answer": "print(2)"}) + b"\n")
    said = {
        script_of([asked], RULES, render)(
            {"model": model, "system": asked.system, "messages": [{"content": "What is 1 + 1?"}]}
        )
        for model in ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
    }
    assert "print(2)" in said


def test_to_anything_else_it_has_no_text() -> None:
    script = script_of([suite(2)], RULES, render)
    assert script({"model": "claude-haiku-5-5", "messages": [{"content": "Hello"}]}) is None
    blocks = [{"type": "text", "text": "What is 1 + 1?", "cache_control": {"type": "ephemeral"}}]
    body = {"model": "claude-opus-5-5", "system": suite(1).system, "messages": [{"content": blocks}]}
    assert script(body) is not None
