"""A tier that got worse is found out, and one that did not is left in peace."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from evals.baseline import compare, wanted
from evals.looping import ask_again, graded_now
from evals.vocabulary import Grade, Run, Suite, Tried
from evals.walking import Seen

from .worlds import ScriptedEngine, case_of, suite_of, tried_of


def tried(failing: Iterable[int], tier: str = "haiku", cases: int = 60, *, anew: bool = False) -> tuple[Tried, ...]:
    wrong = set(failing)
    made = [tried_of(tier, case_of(number), number not in wrong) for number in range(cases)]
    if not anew:
        return tuple(made)
    return tuple(replace(one, answer=replace(one.answer, key=f"{one.answer.key} anew")) for one in made)


def run_of(*tried_cases: Tried) -> Run:
    return Run(run_id="r", at_ms=0, upstream="api", policy="p", policy_hash="h", tried={"sums": tried_cases})


def test_a_tier_that_lost_many_cases_and_won_none_got_worse() -> None:
    (found,) = compare({"sums": tried([])}, {"sums": tried(range(8), anew=True)}, {})
    assert (True, 60, 52, 8, 0) == (found.worse, found.before, found.now, found.lost, found.won)
    assert "WORSE" in found.words


def test_cases_that_come_and_go_are_no_regression() -> None:
    (found,) = compare({"sums": tried(range(5))}, {"sums": tried(range(5, 11), anew=True)}, {})
    assert (False, 6, 5) == (found.worse, found.lost, found.won)


def test_many_tiers_are_corrected_for() -> None:
    # Five lost of five moved: p = .031 alone, and not beside two others.
    tiers = ("haiku", "sonnet", "opus")
    before = [one for tier in tiers for one in tried([], tier)]
    now = [one for tier in tiers for one in tried(range(5) if tier == "haiku" else [], tier, anew=True)]
    found = {one.tier: one for one in compare({"sums": before}, {"sums": now}, {})}
    assert not found["haiku"].worse
    assert 3 * 0.03125 == pytest.approx(found["haiku"].p_value)
    (alone,) = compare({"sums": tried([])}, {"sums": tried(range(5), anew=True)}, {})
    assert alone.worse


def test_cases_of_one_cluster_that_fail_together_are_hardly_more_than_one() -> None:
    before, now = {"sums": tried([])}, {"sums": tried(range(8), anew=True)}
    together = {"sums": {f"c{number:03}": f"k{number // 8}" for number in range(60)}}
    (apart,), (clustered,) = compare(before, now, {}), compare(before, now, together)
    assert (True, False) == (apart.worse, clustered.worse)


def test_only_cases_that_both_runs_asked_are_compared() -> None:
    (found,) = compare({"sums": tried([], cases=10)}, {"sums": tried([], cases=60)}, {})
    assert 10 == found.cases
    assert () == compare({"sums": tried([])}, {"other": tried([])}, {})


def test_answers_that_are_the_baselines_own_show_nothing_and_say_so() -> None:
    (found,) = compare({"sums": tried([])}, {"sums": tried([])}, {})
    assert (60, False) == (found.known, found.worse)
    assert "nothing was measured" in found.words


@pytest.mark.anyio
async def test_the_baselines_answers_are_graded_as_the_suite_grades_now() -> None:
    async def right(_suite: Suite, one: Tried) -> Tried:
        return replace(one, grade=Grade(passed=True))

    suite, old = suite_of(100), run_of(*tried(range(5)))
    same = replace(old, suite_hashes={"sums": suite.hash})
    assert 5 == sum(not one.grade.passed for one in await graded_now(suite, same, right))
    assert 0 == sum(not one.grade.passed for one in await graded_now(suite, old, right))


@pytest.mark.anyio
async def test_what_the_baseline_asked_is_asked_again_of_the_same_tiers() -> None:
    suite, seen = suite_of(100), Seen()
    repeat = tried_of("haiku", case_of(0), passed=True, epoch=1)
    baseline = run_of(*tried([], cases=30), *tried([], "opus", cases=10), repeat)
    engine = ScriptedEngine(lambda *_: True)
    assert None is await ask_again(suite, baseline, engine, seen, lambda _suite, _need: None)
    assert (30, 10, 0) == (engine.count("haiku"), engine.count("opus"), engine.count("sonnet"))
    assert {"haiku", "opus"} == set(wanted(baseline, suite))
