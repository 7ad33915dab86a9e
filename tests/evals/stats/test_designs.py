"""The promises of the planned looks, counted exactly: false accepts, power, and how few cases they take.

A "fixed" test is the same test without looks, of as many cases, with all of the 5 % at its end.
"""

from __future__ import annotations

from itertools import product
from statistics import fmean

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from evals.stats import levels, rate_design, walks
from evals.stats.looks import Design, TooFewCases, design
from evals.vocabulary import LOOKS, Claim

from . import worlds

CASES = (60, 80, 100, 150, 200, 300, 400)
BARS = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
MARGINS = (0.03, 0.05, 0.08, 0.1, 0.15)
DISCORDANCES = tuple(np.arange(0.05, 0.401, 0.025).round(3).tolist())
BAR_DESIGNS = [made for line, cases in product(BARS, CASES) if (made := worlds.made(worlds.bar(line), cases))]
MARGIN_DESIGNS = [made for line, cases in product(MARGINS, CASES) if (made := worlds.made(worlds.margin(line), cases))]


def test_the_grids_are_as_wide_as_they_look() -> None:
    assert 42 == len(BAR_DESIGNS)
    assert 33 == len(MARGIN_DESIGNS)


def test_a_tier_right_on_the_bar_is_accepted_at_most_one_time_in_twenty() -> None:
    """Even by one who goes on where a look gave up."""
    errors = {(made.claim.value, made.looks[-1]): made.error for made in BAR_DESIGNS}
    counted = [worlds.of_rate(made, made.claim.value, stopping=False).power for made in BAR_DESIGNS]
    assert counted == pytest.approx(list(errors.values()), abs=1e-9)
    assert max(errors.values()) <= 0.05
    assert max(worlds.of_rate(made, made.claim.value - 0.01).power for made in BAR_DESIGNS) < 0.045


def test_a_tier_right_on_the_margin_is_accepted_at_most_one_time_in_twenty() -> None:
    """However often the tiers differ, and even by one who goes on where a look gave up."""
    errors = [
        worlds.of_pairs(made, discordance, made.claim.value, stopping=False).power
        for made, discordance in product(MARGIN_DESIGNS, DISCORDANCES)
        if discordance >= made.claim.value
    ]
    assert len(errors) > 400
    assert max(errors) <= 0.05
    assert fmean(errors) > 0.04  # not bought with carefulness


def test_looking_five_times_with_the_whole_chance_each_time_would_err_far_more_often() -> None:
    """So the two tests above are hard enough to tell a plan from peeking."""
    looks = (40, 80, 120, 160, 200)
    peeking = [rate_design.fixed_accepts_at(0.85, cases, 0.05) for cases in looks]
    assert walks.of_rate(looks, 0.85, peeking, walks.never(looks)).power > 0.09
    heights = (worlds.HEIGHT,) * 5
    assert walks.of_pairs(looks, (0.1, 0.05), 0.05, heights, (walks.NEVER,) * 5).power > 0.1


def test_where_a_fixed_test_has_81_percent_of_power_the_looks_leave_80_on_a_bar() -> None:
    for made in BAR_DESIGNS:
        point = worlds.fixed_rate(made.looks[-1], made.claim.value, 0.81)
        assert made.point == pytest.approx(point, abs=1e-6)
        assert made.power == pytest.approx(worlds.of_rate(made, point).power, abs=1e-6)
        assert worlds.of_rate(made, point).power >= 0.8


def test_where_a_fixed_test_has_85_percent_of_power_the_looks_leave_80_on_a_margin() -> None:
    powers = []
    for made, discordance in product(MARGIN_DESIGNS, (0.1, 0.2, 0.4)):
        if discordance > made.claim.value:
            difference = worlds.fixed_difference(made.looks[-1], made.claim.value, discordance, 0.85)
            powers.append(worlds.of_pairs(made, discordance, difference).power)
    assert min(powers) >= 0.8
    assert fmean(powers) >= 0.82


def of_bar(made: Design) -> list[float]:
    """The mean part of the cases that is taken: of a tier clearly good, at the design's point, clearly bad."""
    assert made.point is not None
    truths = rate_design.meant(made.claim.value, made.point)
    return [worlds.of_rate(made, truth).mean_cases / made.looks[-1] for truth in truths]


def of_margin(made: Design, discordance: float) -> list[float]:
    line, cases = made.claim.value, made.looks[-1]
    point = worlds.fixed_difference(cases, line, discordance, 0.85)
    truths = (point - (line - point) / 2, point, line + (line - point))
    # A tier that is much worse differs on as many cases at least.
    return [worlds.of_pairs(made, max(discordance, abs(truth)), truth).mean_cases / cases for truth in truths]


def test_a_bar_takes_at_most_65_percent_of_the_cases_on_average() -> None:
    """Where there are twice the cases that would do if all passed; with fewer, nothing can be shown early."""
    ample = [made for made in BAR_DESIGNS if made.looks[-1] >= 2 * rate_design.needed(made.claim.value, 0.05)]
    shares = [of_bar(made) for made in ample]
    assert 39 == len(shares)
    assert max(fmean(share) for share in shares) <= 0.65
    assert fmean(map(fmean, shares)) <= 0.55
    assert max(fmean(of_bar(made)) for made in BAR_DESIGNS) <= 0.75


def test_a_margin_takes_at_most_65_percent_of_the_cases_on_average() -> None:
    shares = [of_margin(made, discordance) for made, discordance in product(MARGIN_DESIGNS, (0.1, 0.2, 0.4))
              if discordance > made.claim.value]  # fmt: skip
    assert len(shares) > 60
    assert max(fmean(share) for share in shares) <= 0.65
    assert max(share[2] for share in shares) <= 0.35  # a clearly bad tier is given up after the first or second look


@pytest.mark.parametrize("parts", [LOOKS, (0.5, 1.0), (0.1, 0.3, 0.35, 1.0)])
def test_scores_reach_the_heights_as_often_as_was_spent(parts: tuple[float, ...]) -> None:
    """Held against scipy's normal distribution of many dimensions."""
    heights = levels.heights(parts, 0.05)
    together = np.sqrt(np.minimum.outer(parts, parts) / np.maximum.outer(parts, parts))
    inside = stats.multivariate_normal(cov=together, seed=1, maxpts=200_000).cdf(np.array(heights))
    assert 0.95 == pytest.approx(inside, abs=2e-4)
    assert list(heights) == sorted(heights, reverse=True)


def test_one_look_is_the_fixed_test() -> None:
    assert [worlds.HEIGHT] == pytest.approx(list(levels.heights((1.0,), 0.05)))
    once = design(worlds.bar(0.9), 100, (1.0,))
    assert (rate_design.fixed_accepts_at(0.9, 100, 0.05),) == once.accept_at


def test_the_bound_of_a_bar_is_true_whatever_the_pass_rate_is() -> None:
    """Over all looks together, so that it may be held against another bar than the one it was planned for."""
    truths = np.arange(0.31, 0.99, 0.015)
    missed = [rate_design.missed(made.looks, made.levels, truth) for made, truth in product(BAR_DESIGNS, truths)]
    assert max(missed) <= 0.05


@pytest.mark.parametrize("chance", [0.01, 0.1])
def test_another_chance_of_error_is_kept_too(chance: float) -> None:
    made = design(worlds.bar(0.85), 150, chance=chance)
    assert 0.5 * chance < worlds.of_rate(made, 0.85, stopping=False).power <= chance
    paired = design(worlds.margin(0.08), 200, chance=chance)
    errors = [worlds.of_pairs(paired, discordance, 0.08, stopping=False).power for discordance in (0.1, 0.2, 0.35)]
    assert 0.8 * chance < max(errors) <= chance


@pytest.mark.parametrize(
    ("claim", "needed"),
    [(worlds.bar(0.9), 29), (worlds.bar(0.95), 59), (worlds.margin(0.1), 29), (worlds.margin(0.05), 59)],
)
def test_too_few_cases_are_refused_with_the_number_that_it_takes(claim: Claim, needed: int) -> None:
    with pytest.raises(TooFewCases, match=f"with 20 cases .* it takes {needed} cases at least, {needed - 20} more"):
        design(claim, 20)
    with pytest.raises(TooFewCases):
        design(claim, needed - 1)
    assert needed == design(claim, needed).looks[-1]


@pytest.mark.parametrize(
    ("claim", "looks", "chance", "words"),
    [
        (worlds.bar(1.0), LOOKS, 0.05, "a bar of 1 can never be shown"),
        (worlds.margin(0.0), LOOKS, 0.05, "a margin of 0 can never be shown"),
        (worlds.bar(0.9), (), 0.05, "looks are parts of the cases"),
        (worlds.bar(0.9), (0.5, 1.5), 0.05, "looks are parts of the cases"),
        (worlds.bar(0.9), LOOKS, 0.7, "the chance of a false accept"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_in_words(
    claim: Claim, looks: tuple[float, ...], chance: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        design(claim, 100, looks, chance)
