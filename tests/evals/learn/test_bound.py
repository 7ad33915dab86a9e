"""A lane opens only where the bound holds, however the risks and the outcomes fall."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from evals.learn.bound import EVERYTHING, Asked, Seen, lane_of, missing, upper

ASKED = Asked(alpha=0.10, confidence=0.90, min_cases=50)


def seen(*judged: tuple[float, bool]) -> Seen:
    return Seen(judged=tuple(judged))


def even(cases: int, bad: int) -> Seen:
    """So many cases of rising risk; the riskiest go wrong."""
    return seen(*((at / cases, at >= cases - bad) for at in range(cases)))


@pytest.mark.parametrize(("bad", "cases"), [(0, 50), (1, 50), (3, 77), (40, 400), (5, 5)])
def test_the_bound_is_that_of_clopper_and_pearson(bad: int, cases: int) -> None:
    exact = 1.0 if bad == cases else stats.beta.ppf(0.90, bad + 1, cases - bad)
    assert pytest.approx(exact, abs=1e-9) == upper(bad, cases, 0.90)


def test_where_nothing_goes_wrong_everything_is_answered() -> None:
    lane = lane_of(even(60, 0), ASKED)
    assert lane is not None
    assert (EVERYTHING, 60, 0, 1.0) == (lane.risk_max, lane.cases, lane.bad, lane.coverage)


def test_the_threshold_lies_where_the_bound_still_holds() -> None:
    lane = lane_of(even(200, 60), ASKED)
    assert lane is not None
    assert lane.bound <= 0.10 < upper(60, 200, 0.90)
    assert 133 <= lane.cases < 200
    assert lane.cases == sum(risk < lane.risk_max for risk, _ in even(200, 60).judged)


def test_fewer_cases_than_the_minimum_open_nothing() -> None:
    assert lane_of(even(49, 0), ASKED) is None
    assert "about 2 more" in missing(even(49, 0), ASKED)


def test_after_the_first_failure_nothing_further_is_tried() -> None:
    """The safest go wrong and the others do not: all together would pass, and yet no lane opens."""
    judged = seen(*((at / 1000, at < 60) for at in range(1000)))
    assert upper(60, 1000, 0.90) <= 0.10
    assert upper(60, 667, 0.90) > 0.10
    assert lane_of(judged, ASKED) is None


def test_equal_risks_are_never_cut_in_two() -> None:
    judged = seen(*((0.2, False) for _ in range(60)), *((0.4, True) for _ in range(30)))
    lane = lane_of(judged, ASKED)
    assert lane is not None
    assert (0.4, 60, 0) == (lane.risk_max, lane.cases, lane.bad)


def test_novel_cases_count_for_the_coverage_only() -> None:
    lane = lane_of(Seen(judged=even(60, 0).judged, novel=20), ASKED)
    assert lane is not None
    assert (60, 80, 0.75) == (lane.cases, lane.calibrated_on, lane.coverage)


def test_what_no_number_of_labels_would_mend_is_said() -> None:
    assert "10% or more" in missing(seen(*((at / 90, at % 5 == 0) for at in range(90))), ASKED)


def test_it_says_about_how_many_more_labels_would_do() -> None:
    judged = seen(*((at / 60, at % 20 == 0) for at in range(60)))
    assert lane_of(judged, ASKED) is None
    assert "not enough labels: about" in missing(judged, ASKED)


@pytest.mark.parametrize("cases", [55, 150, 400])
def test_a_lane_that_must_not_open_opens_in_one_of_ten_at_most(cases: int) -> None:
    """By simulation: every request goes wrong just too often, and the risk says nothing."""
    dice = np.random.default_rng((1, cases))
    opened = 0
    for _ in range(400):
        judged = zip(dice.random(cases), dice.random(cases) < 0.105, strict=True)
        opened += lane_of(seen(*((float(risk), bool(bad)) for risk, bad in judged)), ASKED) is not None
    assert 0 < opened <= 40


@pytest.mark.parametrize("slope", [0.15, 0.3, 0.6])
def test_the_bound_is_broken_in_one_of_ten_at_most(slope: float) -> None:
    """By simulation: requests go wrong with slope times their risk, so below a threshold half of that."""
    dice = np.random.default_rng((2, int(100 * slope)))
    broken = 0
    for _ in range(400):
        risks = dice.random(300)
        judged = zip(risks, dice.random(300) < slope * risks, strict=True)
        lane = lane_of(seen(*((float(risk), bool(bad)) for risk, bad in judged)), ASKED)
        broken += lane is not None and slope * min(lane.risk_max, 1.0) / 2 > ASKED.alpha
    assert broken <= 40
