"""The bounds hold however often one looks, and are as tight as a scan of every possibility would make them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.sequential import (
    LAST_BUCKET,
    bucket_of,
    edge_ms,
    mean_slack,
    percentile_at_least,
    percentile_at_most,
    share_at_most,
    share_is_above,
    share_is_above_other,
    share_is_below,
)

CHANCE = 0.001
histograms = st.dictionaries(st.integers(0, LAST_BUCKET), st.integers(1, 400), min_size=1, max_size=8)


def looks_that_err(proof: Callable[[float, int, int, float], bool], share: float, chance: float) -> int:
    """In how many of 200 runs the true share is ever ruled out, looked at after each of 300 cases."""
    wrong = 0
    for seed in range(200):
        dice, bad = Random(seed), 0
        for cases in range(1, 301):
            bad += dice.random() < share
            if proof(share, bad, cases, chance):
                wrong += 1
                break
    return wrong


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_the_true_share_is_hardly_ever_ruled_out_though_one_looks_each_time(share: float) -> None:
    assert looks_that_err(share_is_above, share, 0.1) <= 20
    assert looks_that_err(share_is_below, share, 0.1) <= 20


def test_a_test_for_one_look_would_err_far_more_often() -> None:
    """So the runs above are hard enough to tell a test that may be looked at from one that may not."""

    def fixed(share: float, bad: int, cases: int, chance: float) -> bool:
        return cases >= 20 and bad - share * cases > 1.2816 * sqrt(cases * share * (1 - share))  # one-sided 10 %

    assert looks_that_err(fixed, 0.3, 0.1) > 60


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_upper_end_is_where_ruling_out_begins(cases: int, part: float) -> None:
    bad = int(part * cases)
    end = share_at_most(bad, cases, CHANCE)
    assert bad / cases <= end <= 1
    assert not share_is_below(end - 1e-6, bad, cases, CHANCE)
    assert end == 1 or share_is_below(end + 1e-9, bad, cases, CHANCE)


def test_the_figures_of_robbins_mixture() -> None:
    """Zero of n: the mixture gives binomial(2n, n) / 4^n, so (1 - share)^n must be below chance times that."""
    mixed = 1.0
    for draw in range(1, 101):
        mixed *= (2 * draw - 1) / (2 * draw)
    assert 1 - (CHANCE * mixed) ** 0.01 == pytest.approx(share_at_most(0, 100, CHANCE), abs=1e-9)


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 500), st.integers(0, 500), st.floats(0, 0.5))
def test_the_shortcut_for_two_shares_changes_nothing(
    bad: int, cases: int, other_bad: int, other_cases: int, margin: float
) -> None:
    bad, other_bad = min(bad, cases), min(other_bad, other_cases)
    bar = share_at_most(other_bad, other_cases, CHANCE) + margin if other_cases else 1.0
    expected = share_is_above(bar, bad, cases, CHANCE)
    assert expected == share_is_above_other((bad, cases), (other_bad, other_cases), margin, CHANCE)


@given(st.integers(0, 10_000_000))
def test_a_latency_lies_in_its_bucket(latency_ms: int) -> None:
    bucket = bucket_of(latency_ms)
    assert bucket == LAST_BUCKET or max(1, latency_ms) < edge_ms(bucket + 1)
    assert bucket == 0 or edge_ms(bucket) <= latency_ms


@given(histograms)
def test_a_percentile_is_bounded_as_if_every_edge_had_been_tried(histogram: dict[int, int]) -> None:
    cases = sum(histogram.values())
    above = {
        edge: sum(count for bucket, count in histogram.items() if bucket >= edge) for edge in range(LAST_BUCKET + 2)
    }
    reached = [edge for edge, bad in above.items() if share_is_above(0.05, bad, cases, CHANCE)]
    stayed_under = [edge for edge, bad in above.items() if share_is_below(0.05, bad, cases, CHANCE)]
    assert (edge_ms(reached[-1]) if reached else 0.0) == percentile_at_least(0.05, histogram, CHANCE)
    assert (edge_ms(stayed_under[0]) if stayed_under else inf) == percentile_at_most(0.05, histogram, CHANCE)


def test_nothing_is_known_of_the_percentile_of_nothing() -> None:
    assert (0.0, inf) == (percentile_at_least(0.05, {}, CHANCE), percentile_at_most(0.05, {}, CHANCE))


def test_a_true_percentile_is_hardly_ever_ruled_out_though_one_looks_each_time() -> None:
    """Exponential latencies with a mean of 1000 ms have their 95th percentile at 2996 ms."""
    true_ms, wrong = 1000 * log(20), 0
    for seed in range(40):
        dice, histogram = Random(seed), dict[int, int]()
        for _ in range(200):
            bucket = bucket_of(int(dice.expovariate(0.001)))
            histogram[bucket] = histogram.get(bucket, 0) + 1
            below, above = percentile_at_least(0.05, histogram, 0.05), percentile_at_most(0.05, histogram, 0.05)
            if not below <= true_ms <= above:
                wrong += 1
                break
    assert wrong <= 4


def test_a_true_mean_is_hardly_ever_ruled_out_though_one_looks_each_time() -> None:
    wrong = 0
    for seed in range(100):
        dice, total, squares = Random(seed), 0.0, 0.0
        for cases in range(1, 601):
            cost = dice.expovariate(1.0)
            total, squares = total + cost, squares + cost * cost
            mean = total / cases
            if cases >= 100 and abs(mean - 1) > mean_slack(squares / cases - mean * mean, cases, 0.05):
                wrong += 1
                break
    assert wrong <= 10


def test_the_slack_of_a_mean_shrinks_as_cases_come_and_grows_as_errors_get_rarer() -> None:
    assert mean_slack(1.0, 200, 0.01) > mean_slack(1.0, 2000, 0.01) > mean_slack(1.0, 20_000, 0.01)
    assert mean_slack(1.0, 200, 0.001) > mean_slack(1.0, 200, 0.01)
    assert mean_slack(0.0, 200, 0.01) == 0
