"""How many cases a claim takes: the figures of the books, and power that comes out as asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.stats import rate_design
from evals.stats.planning import cases_needed

from . import worlds


@pytest.mark.parametrize(
    ("line", "discordance", "cases"), [(0.05, 0.1, 248), (0.05, 0.15, 371), (0.03, 0.1, 687), (0.1, 0.15, 93)]
)
def test_a_margin_takes_its_known_number_of_cases(line: float, discordance: float, cases: int) -> None:
    assert cases == cases_needed(worlds.margin(line), discordance)


@pytest.mark.parametrize("rate", [0.93, 0.95, 0.97, 0.99])
def test_a_bar_takes_as_many_cases_as_give_the_power(rate: float) -> None:
    cases = cases_needed(worlds.bar(0.9), rate)
    assert cases is not None
    assert rate_design.fixed_power(0.9, cases, rate, 0.05) >= 0.8
    assert rate_design.fixed_power(0.9, round(0.75 * cases), rate, 0.05) < 0.8


def test_a_perfect_tier_takes_the_fewest() -> None:
    assert 29 == cases_needed(worlds.bar(0.9), 1.0)
    assert 59 == cases_needed(worlds.bar(0.95), 1.0)
    assert 52 == cases_needed(worlds.margin(0.05), 0.0)


@pytest.mark.parametrize(("rate", "difference"), [(0.9, 0.05), (0.5, 0.2), (0.900001, 0.0499999)])
def test_no_number_shows_what_is_not_so_or_hardly_so(rate: float, difference: float) -> None:
    assert cases_needed(worlds.bar(0.9), rate) is None
    assert cases_needed(worlds.margin(0.05), 0.3, difference=difference) is None


@given(st.floats(0.91, 0.999), st.floats(0.91, 0.999))
def test_a_better_tier_never_takes_many_more(one: float, other: float) -> None:
    """A few, because whole cases make the power a saw."""
    worse, better = sorted((one, other))
    many, few = cases_needed(worlds.bar(0.9), worse), cases_needed(worlds.bar(0.9), better)
    assert many is not None
    assert few is not None
    assert few <= 1.12 * many + 12


def test_more_power_takes_more_cases() -> None:
    for claim, seen in ((worlds.bar(0.9), 0.95), (worlds.margin(0.05), 0.1)):
        some, more = cases_needed(claim, seen, 0.7), cases_needed(claim, seen, 0.95)
        assert some is not None
        assert more is not None
        assert some < more
