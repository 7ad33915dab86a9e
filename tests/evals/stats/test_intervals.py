"""Intervals hold what they say: against published figures, against scipy, and counted over every outcome."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from evals.stats.intervals import exact, holm, mcnemar_worse, paired_difference, paired_ratio, wilson
from evals.stats.nouns import Pairs
from evals.stats.paired import difference_at_least, difference_at_most, score
from evals.stats.quantiles import normal_above, normal_beyond, share_at_least, share_at_most, trinomial

from . import newcombe

counts = st.integers(1, 400).flatmap(lambda cases: st.tuples(st.integers(0, cases), st.just(cases)))
splits = st.lists(st.integers(0, 120), min_size=4, max_size=4).filter(any)


@pytest.mark.parametrize(
    ("passed", "cases", "low", "high"), [(18, 20, 0.699, 0.972), (45, 50, 0.786, 0.957), (90, 100, 0.826, 0.945)]
)
def test_wilsons_interval_has_its_known_figures(passed: int, cases: int, low: float, high: float) -> None:
    assert (low, high) == pytest.approx(wilson(passed, cases), abs=0.0005)


@given(counts)
def test_the_intervals_are_those_of_scipy(case: tuple[int, int]) -> None:
    passed, cases = case
    test = stats.binomtest(passed, cases)
    ours = (wilson(passed, cases), exact(passed, cases))
    for method, ends in zip(("wilson", "exact"), ours, strict=True):
        known = test.proportion_ci(0.95, method=method)
        assert (known.low, known.high) == pytest.approx(ends, abs=1e-9)
    both = share_at_least(passed, cases, 0.025), share_at_most(passed, cases, 0.025)
    assert exact(passed, cases) == pytest.approx(both, abs=1e-9)


def test_nothing_is_known_of_no_cases() -> None:
    assert (0.0, 1.0) == wilson(0, 0) == exact(0, 0)
    assert (-1.0, 1.0) == paired_difference(Pairs(both=0, only_top=0, only_cheap=0, neither=0))


@given(counts, st.floats(1, 20))
def test_what_clusters_leave_of_the_counts_says_less(case: tuple[int, int], effect: float) -> None:
    passed, cases = case
    low, high = wilson(passed, cases)
    wide_low, wide_high = wilson(passed / effect, cases / effect)
    assert wide_low <= low + 1e-9 <= high + 2e-9 <= wide_high + 3e-9


@given(splits)
def test_the_paired_interval_holds_the_observed_difference_and_turns_with_its_sides(split: list[int]) -> None:
    both, only_top, only_cheap, neither = split
    low, high = paired_difference(Pairs(both=both, only_top=only_top, only_cheap=only_cheap, neither=neither))
    assert -1 <= low <= (only_top - only_cheap) / sum(split) + 1e-9 <= high + 2e-9 <= 1 + 1e-6
    turned = paired_difference(Pairs(both=both, only_top=only_cheap, only_cheap=only_top, neither=neither))
    assert (-high, -low) == pytest.approx(turned, abs=1e-9)


@given(splits)
def test_the_ends_of_the_paired_interval_are_where_the_score_reaches_its_height(split: list[int]) -> None:
    both, only_top, only_cheap, neither = map(float, split)
    cases, height = both + only_top + only_cheap + neither, normal_above(0.025)
    high = difference_at_most(only_top, only_cheap, cases, height)
    if 1e-6 < high < 1 - 1e-6:
        assert height == pytest.approx(score(only_top, only_cheap, cases, high), abs=1e-3)
    elif -1 + 1e-6 < high < -1e-6:
        assert -height == pytest.approx(score(only_cheap, only_top, cases, -high), abs=1e-3)


def covered(cases: int, shares: tuple[float, float]) -> float:
    """How often Tango's interval holds the truth, counted over every outcome."""
    height, truth, total = normal_above(0.025), shares[0] - shares[1], 0.0
    chances = trinomial(cases, shares, (cases, cases))
    for losses, wins in np.argwhere(chances > 1e-9):
        low = difference_at_least(float(losses), float(wins), cases, height)
        high = difference_at_most(float(losses), float(wins), cases, height)
        total += chances[losses, wins] * (low <= truth <= high)
    return float(total)


SHARES = [(0.05, 0.0), (0.02, 0.02), (0.08, 0.03), (0.15, 0.05), (0.1, 0.1)]


@pytest.mark.parametrize("shares", SHARES)
def test_the_paired_interval_misses_no_more_often_than_it_says(shares: tuple[float, float]) -> None:
    assert min(covered(50, shares), covered(100, shares)) >= 0.945


def test_newcombes_method_ten_misses_more_often_where_one_tier_never_wins() -> None:
    """So Tango's was chosen for a reason, and the grid above is hard enough to tell the two apart."""
    assert newcombe.covered(50, both=0.5, shares=(0.05, 0.0)) < 0.93 < covered(50, (0.05, 0.0))


def test_no_interval_is_given_of_pairs_of_which_one_side_is_not_known() -> None:
    with pytest.raises(ValueError, match="3 cases were asked of one tier only: ask both"):
        paired_difference(Pairs(both=10, only_top=0, only_cheap=0, neither=0, unasked=3))


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_exact_test_is_the_sign_test(before: int, after: int) -> None:
    known = stats.binomtest(before, before + after, 0.5, alternative="greater").pvalue if before + after else 1.0
    assert known == pytest.approx(mcnemar_worse(before, after), abs=1e-12)


def test_holm_multiplies_by_how_many_are_left_and_never_falls() -> None:
    assert (0.03, 0.06, 0.06, 0.02) == pytest.approx(holm((0.01, 0.04, 0.03, 0.005)))
    assert () == holm(())
    assert (1.0, 1.0) == holm((0.6, 0.9))


def test_a_ratio_is_of_the_sums_and_holds_the_truth_about_as_often_as_it_says() -> None:
    dice, held, runs = np.random.default_rng(5), 0, 300
    for _ in range(runs):
        case = dice.lognormal(0, 0.7, 30)  # what is dear for one tier is dear for the other
        one, other = case * dice.lognormal(1, 0.4, 30), case * dice.lognormal(0, 0.4, 30)
        ratio, low, high = paired_ratio(list(one), list(other), dice)
        assert one.sum() / other.sum() == pytest.approx(ratio)
        held += low <= np.e <= high
    assert held / runs >= 0.91


def test_a_ratio_is_the_same_for_the_same_dice_and_is_one_of_a_thing_to_itself() -> None:
    one, other = [1.0, 2.0, 4.0], [2.0, 2.0, 3.0]
    first, again = (paired_ratio(one, other, np.random.default_rng(1)) for _ in range(2))
    assert first == again
    assert (1.0, 1.0, 1.0) == paired_ratio(one, one, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("one", "other", "words"), [([], [], "at least one"), ([1.0], [1.0, 2.0], "same cases"), ([1.0], [0.0], "all zero")]
)
def test_a_ratio_of_nothing_is_refused_in_words(one: list[float], other: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        paired_ratio(one, other, np.random.default_rng(1))


def test_the_normal_curve_is_exact_in_its_far_tail() -> None:
    heights = np.array([normal_above(chance) for chance in (0.05, 1e-6, 1e-12)])
    assert [0.05, 1e-6, 1e-12] == pytest.approx(list(normal_beyond(heights)), rel=1e-9)
    assert 1.6448536 == pytest.approx(float(heights[0]), abs=1e-6)
