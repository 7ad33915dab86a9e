"""A judge's pass rate, put right by people's labels, holds the truth; agreement and order are counted as in books."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.stats.judges import Labelled, agreement, corrected, order_swap

RUNS = 500


def test_a_known_correction() -> None:
    """.74 of 200 passed, by a judge that passes .9 of the good and .3 of the bad: (.74 - .3) / (.9 - .3) = .7333."""
    found = corrected(148, 200, Labelled(both_pass=90, only_human=10, only_judge=15, both_fail=35))
    assert 0.44 / 0.6 == pytest.approx(found.rate)
    assert (0.74, 0.9, 0.7) == pytest.approx((found.raw, found.sensitivity, found.specificity))
    assert found.rate is not None
    assert found.low < found.rate < found.high
    assert found.words.startswith("the judge passed 74.0%; as people grade it is 73.3% (between ")


def held(truth: float, sharp: tuple[float, float], labels: int) -> float:
    """How often the interval holds the true rate, of those that could be given."""
    dice, hits, given_at_all = np.random.default_rng(11), 0, 0
    sensitivity, specificity = sharp
    for _ in range(RUNS):
        good = dice.binomial(200, truth)
        passed = dice.binomial(good, sensitivity) + dice.binomial(200 - good, 1 - specificity)
        human = int(dice.binomial(labels, truth))
        both_pass, both_fail = dice.binomial(human, sensitivity), dice.binomial(labels - human, specificity)
        known = Labelled(
            both_pass=int(both_pass),
            only_human=int(human - both_pass),
            only_judge=int(labels - human - both_fail),
            both_fail=int(both_fail),
        )
        found = corrected(int(passed), 200, known)
        if found.rate is not None:
            given_at_all += 1
            hits += found.low <= truth <= found.high
    assert given_at_all > RUNS / 2
    return hits / given_at_all


@pytest.mark.parametrize(
    ("truth", "sharp", "labels"),
    [(0.9, (0.9, 0.8), 100), (0.9, (0.95, 0.6), 200), (0.7, (0.9, 0.9), 100), (0.97, (0.95, 0.9), 150)],
)
def test_the_interval_carries_what_is_not_known_of_the_judge(
    truth: float, sharp: tuple[float, float], labels: int
) -> None:
    assert held(truth, sharp, labels) >= 0.94


@given(st.integers(0, 100), st.integers(1, 50), st.integers(1, 50))
def test_a_perfect_judge_needs_no_correction(passed: int, good: int, bad: int) -> None:
    found = corrected(passed, 100, Labelled(both_pass=good, only_human=0, only_judge=0, both_fail=bad))
    assert found.raw == pytest.approx(found.rate)
    assert 0 <= found.low <= found.high <= 1


@given(st.lists(st.integers(0, 60), min_size=4, max_size=4), st.integers(0, 100))
def test_a_correction_is_a_share_within_its_interval_or_none(split: list[int], passed: int) -> None:
    both_pass, only_human, only_judge, both_fail = split
    labels = Labelled(both_pass=both_pass, only_human=only_human, only_judge=only_judge, both_fail=both_fail)
    found = corrected(passed, 100, labels)
    if found.rate is None:
        assert found.words.startswith("not corrected: ")
    else:
        assert 0 <= found.low <= found.rate <= found.high <= 1


def test_more_labels_say_more_and_few_are_said_to_be_few() -> None:
    few = corrected(148, 200, Labelled(both_pass=18, only_human=2, only_judge=3, both_fail=7))
    many = corrected(148, 200, Labelled(both_pass=180, only_human=20, only_judge=30, both_fail=70))
    assert few.high - few.low > many.high - many.low
    assert few.words.endswith("only 30 labelled cases, 100 or more are wanted")


def test_a_judge_that_hardly_tells_good_from_bad_is_not_corrected() -> None:
    found = corrected(148, 200, Labelled(both_pass=70, only_human=30, only_judge=60, both_fail=40))
    assert found.rate is None
    assert "passes 70% of what people pass and 60% of what they fail" in found.words
    only_good = corrected(9, 10, Labelled(both_pass=9, only_human=1, only_judge=0, both_fail=0))
    assert (None, "not corrected: people must have labelled passes and failures among the cases") == (
        only_good.rate,
        only_good.words,
    )


def test_cohens_kappa_has_its_known_figure() -> None:
    """20, 5, 10, 15: they agree on .7, would on .5 by chance, so kappa is .4."""
    found = agreement(Labelled(both_pass=20, only_human=5, only_judge=10, both_fail=15))
    assert (0.7, 0.4) == pytest.approx((found.agreed, found.kappa))
    assert found.words == "judge and people agree on 35 of 50 cases (70%), kappa 0.40"
    assert found.low < 0.7 < found.high


def test_kappa_says_nothing_where_nobody_ever_fails_anything() -> None:
    assert agreement(Labelled(both_pass=20, only_human=0, only_judge=0, both_fail=0)).kappa is None
    assert "nobody labelled a case" == agreement(Labelled(both_pass=0, only_human=0, only_judge=0, both_fail=0)).words


def test_what_passes_in_one_order_alone_does_not_pass() -> None:
    found = order_swap([(True, True)] * 40 + [(True, False)] * 9 + [(False, True)] * 1 + [(False, False)] * 10)
    assert (60, 40, 10, 9) == (found.cases, found.passed, found.flipped, found.only_first)
    assert 2 * 11 / 1024 == pytest.approx(found.p_value)
    assert "the order decided 10 of 60 verdicts, and it leans to the first order (p = 0.021)" in found.words


def test_flips_both_ways_lean_nowhere() -> None:
    found = order_swap([(True, False), (False, True)] * 5)
    assert 1.0 == found.p_value
    assert "leans" not in found.words
    assert 1.0 == order_swap([]).p_value
