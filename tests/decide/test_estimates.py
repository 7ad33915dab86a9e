"""An estimate is a tier's own rate, drawn towards its rate on the other tasks, and samples weigh less than cases."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.estimates import SAMPLES_ALONE, UNKNOWN_RATE, counted, shrunken
from router.decide.policy import Measured

PRIOR = 8.0
Row = tuple[int, int]


def row(passed: int, cases: int, sampled: Row = (0, 0), judged: bool = False) -> Measured:
    return Measured(
        model="m",
        cases=cases,
        passed=passed,
        measured="2026-11-20",
        sampled_passed=sampled[0],
        sampled_cases=sampled[1],
        judged=judged,
    )


def table(**tasks: Measured) -> dict[str, dict[str, Measured]]:
    return {task: {"haiku": one} for task, one in tasks.items()}


def test_the_prior_is_the_tiers_pooled_rate_on_all_other_tasks() -> None:
    found = shrunken("a", "haiku", table(a=row(5, 10), b=row(60, 100), c=row(30, 50)), PRIOR)
    assert (0.6, 10) == (found.prior, found.cases)
    assert (5 + 8 * 0.6) / 18 == pytest.approx(found.rate)


def test_another_tier_and_what_a_model_graded_say_nothing_of_it() -> None:
    mixed = table(a=row(5, 10), b=row(100, 100, judged=True))
    mixed["c"] = {"opus": row(100, 100)}
    assert UNKNOWN_RATE == shrunken("a", "haiku", mixed, PRIOR).prior


def test_without_a_prior_the_rate_is_its_own() -> None:
    assert pytest.approx(0.7) == shrunken("a", "haiku", table(a=row(7, 10), b=row(0, 100)), 0).rate


def test_without_anything_the_prior_stands_alone() -> None:
    assert pytest.approx(0.9) == shrunken("a", "haiku", table(a=row(0, 0), b=row(90, 100)), PRIOR).rate
    assert UNKNOWN_RATE == shrunken("a", "haiku", table(a=row(0, 0)), 0).rate


@pytest.mark.parametrize(
    ("one", "passed", "cases"),
    [
        (row(50, 60), 50, 60),
        (row(50, 60, sampled=(20, 40)), 60, 80),  # half a case each
        (row(50, 60, sampled=(10_000, 10_000)), 110, 120),  # no more than the cases
        (row(0, 0, sampled=(90, 100)), 45, 50),
        (row(0, 0, sampled=(9_000, 10_000)), 0.9 * SAMPLES_ALONE, SAMPLES_ALONE),
    ],
)
def test_samples_weigh_half_and_within_a_limit(one: Measured, passed: float, cases: float) -> None:
    found = counted(one)
    assert pytest.approx((passed, cases)) == (found.passed, found.cases)


def rows() -> st.SearchStrategy[Row]:
    return st.integers(0, 500).flatmap(lambda cases: st.tuples(st.integers(0, cases), st.just(cases)))


@given(own=rows(), other=rows(), sampled=rows(), weight=st.floats(0, 100))
def test_an_estimate_lies_between_the_own_rate_and_the_prior(own: Row, other: Row, sampled: Row, weight: float) -> None:
    mine = row(*own, sampled=sampled)
    found, seen = shrunken("a", "haiku", table(a=mine, b=row(*other)), weight), counted(mine)
    ends = (seen.passed / seen.cases if seen.cases else found.prior, found.prior)
    assert min(ends) - 1e-9 <= found.rate <= max(ends) + 1e-9


def test_shrinking_comes_nearer_to_the_truth_than_the_bare_rate_where_labels_are_few() -> None:
    """Tasks of which a tier does most alike, twelve cases of each: the mean squared error of either guess."""
    dice = random.Random(6)
    shrunk_error = bare_error = 0.0
    for _ in range(100):
        truth = {f"t{number}": min(1.0, max(0.0, dice.gauss(0.85, 0.08))) for number in range(10)}
        seen = table(**{name: row(sum(dice.random() < rate for _ in range(12)), 12) for name, rate in truth.items()})
        for name, rate in truth.items():
            own = seen[name]["haiku"]
            shrunk_error += (shrunken(name, "haiku", seen, PRIOR).rate - rate) ** 2
            bare_error += (own.passed / own.cases - rate) ** 2
    assert shrunk_error < 0.7 * bare_error
