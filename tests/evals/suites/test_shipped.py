"""The suites that are shipped load, fit the shipped policy, and grade right answers as right and nonsense as wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evals.graders import grade_safely, grader_of, perfect_answer
from evals.proving import NONSENSE, prove
from evals.suitefile import SUITES, advise, load_suites
from evals.vocabulary import Suite
from router.policyfile import load
from router.policyfile.loading import DEFAULT_POLICY
from tests.evals.graders.asked import answered
from tests.evals.suites.folders import YAML, suite

SHIPPED = {one.name: one for one in load_suites(SUITES)}
EXPECTED = {"support-tickets", "entity-extraction", "sql-generation", "arithmetic", "code-repair"}


def test_five_suites_are_shipped_with_sixty_cases_and_more() -> None:
    assert set() == EXPECTED - set(SHIPPED)
    assert {} == {name: len(one.cases) for name, one in SHIPPED.items() if len(one.cases) < 60}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_suite_fits_the_shipped_policy(name: str) -> None:
    report = advise(SHIPPED[name], load(DEFAULT_POLICY))
    assert ((), ()) == (report.errors, report.warnings)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_suite_needs_a_judge(name: str) -> None:
    assert not SHIPPED[name].grader.judged


@pytest.mark.parametrize("name", SHIPPED)
def test_every_expected_answer_passes_its_own_grader_and_nonsense_does_not(name: str) -> None:
    assert all(perfect_answer(SHIPPED[name], case) is not None for case in SHIPPED[name].cases)
    assert () == asyncio.run(prove(SHIPPED[name]))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_right_answer_to_another_case_does_not_pass_where_the_expected_values_differ(name: str) -> None:
    """Against the neighbour's answer: a grader that passes anything would pass it too."""
    one = SHIPPED[name]
    pairs = [
        (case, other)
        for case, other in zip(one.cases, one.cases[1:12], strict=False)
        if case.expected != other.expected
    ]
    grader = grader_of(one)

    async def graded() -> list[bool]:
        answers = [answered(perfect_answer(one, other) or "") for _, other in pairs]
        grades = [grade_safely(grader, case, answer) for (case, _), answer in zip(pairs, answers, strict=True)]
        return [grade.passed for grade in await asyncio.gather(*grades)]

    assert [False] * len(pairs) == asyncio.run(graded())


def test_no_broken_file_passes_the_tests_that_its_repair_passes() -> None:
    """Every fourth; test_suites_logic.py runs them all, in another way."""
    one = SHIPPED["code-repair"]
    cases = one.cases[::4]
    grader = grader_of(one)

    async def graded() -> list[str]:
        answers = [answered(f"```python\n{case.fields['code']}\n```") for case in cases]
        grades = [grade_safely(grader, case, answer) for case, answer in zip(cases, answers, strict=True)]
        return [case.id for case, grade in zip(cases, await asyncio.gather(*grades), strict=True) if grade.passed]

    assert [] == asyncio.run(graded())


def proved(root: Path, text: str, expected: object) -> tuple[str, ...]:
    one: Suite = suite(root, text, [{"id": "x", "input": "y", "expected": expected}])
    return tuple(line.partition("cases.jsonl:")[2] for line in asyncio.run(prove(one)))


def test_a_suite_that_grades_wrongly_is_found(tmp_path: Path) -> None:
    regex = YAML.replace("kind: label\n  labels: [a, b]", "kind: regex")
    assert ("1:1: any answer passes; the expected value asks for nothing",) == proved(tmp_path, regex, ".*")
    never = YAML.replace("kind: label\n  labels: [a, b]", "kind: contains\n  never: [blue]")
    assert ("1:1: the expected answer, given back, does not pass: has `blue`, which it must not",) == proved(
        tmp_path, never, "blue sky"
    )
    code = YAML.replace("kind: label\n  labels: [a, b]", "kind: code")
    idle = {"tests": "import solution\nassert True"}
    assert ("1:1: any answer passes; the expected value asks for nothing",) == proved(tmp_path, code, idle)
    assert () == proved(tmp_path, YAML, "a")
    assert NONSENSE not in "ab"
