"""Figures as people read them, the front of cost and quality, and where labels go."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evals.report.labels import Box, beside_line, box_of, place
from evals.report.pareto import beaten_by, front, placed
from evals.report.words import a_case, bound, dollars, interval, points, saved, seconds
from evals.vocabulary import State, TierFinding
from tests.evals.report.sample import ARITHMETIC, ENTITIES, TICKETS, tier

USD = 10**12


@pytest.mark.parametrize(
    ("pico", "words"),
    [
        (0, "$0"),
        (410_000_000, "$0.00041"),
        (100_000_000, "$0.0001"),
        (13_400_000_000, "$0.013"),
        (USD // 10, "$0.10"),
        (996 * USD // 1000, "$1.00"),
        (1234567 * USD // 1000, "$1,234.57"),
    ],
)
def test_dollars_have_as_many_places_as_are_worth_reading(pico: int, words: str) -> None:
    assert words == dollars(pico)


@given(st.integers(1, 10**18))
def test_dollars_are_never_off_by_more_than_their_second_digit(pico: int) -> None:
    shown = float(dollars(pico).lstrip("$").replace(",", ""))
    assert abs(shown - pico / USD) <= max(0.051 * pico / USD, 0)


def test_what_is_not_known_is_a_dash_and_never_a_zero() -> None:
    assert ("-", "-", "-", "-") == (
        a_case(0), seconds(0), interval(tier("haiku", State.UNTRIED)), bound(ENTITIES.tiers[2], ENTITIES)
    )  # fmt: skip


def test_figures_are_said_in_the_terms_of_the_claim() -> None:
    assert "at least 91.2%" == bound(TICKETS.tiers[0], TICKETS)
    assert "at most 19.0 points below opus" == bound(ENTITIES.tiers[0], ENTITIES)
    assert ("0.90 s", "2.2 s", "+1.2 points") == (seconds(900), seconds(2160), points(0.012))
    assert pytest.approx(1 / 3) == saved(TICKETS)


# ---- who is beaten


def at(usd: float, figures: str) -> TierFinding:
    return tier("haiku", State.CLEARS, figures, usd=usd)


def test_a_tier_that_costs_more_and_passes_less_is_beaten() -> None:
    tiers = placed(ARITHMETIC)
    assert [None, None, "sonnet"] == [one and one.tier for one in (beaten_by(one, tiers) for one in tiers)]
    assert ["haiku", "sonnet"] == [one.tier for one in front(tiers)]


def test_equals_do_not_beat_each_other_and_the_same_rate_for_less_does() -> None:
    one, same, dearer = at(1, "9/10"), at(1, "90/100"), at(2, "9/10")
    assert (None, None, one) == tuple(beaten_by(each, (one, same, dearer)) for each in (one, same, dearer))


def test_a_tier_without_a_cost_or_a_case_has_no_place() -> None:
    assert () == placed(msgspec.structs.replace(TICKETS, tiers=(at(0, "9/10"), tier("opus", State.UNTRIED))))


POINT = st.tuples(st.integers(1, 5), st.integers(0, 10))


@given(st.lists(POINT, min_size=1, max_size=8))
def test_the_front_rises_with_the_price_and_each_other_tier_is_beaten_by_one_of_it(
    costs: list[tuple[int, int]],
) -> None:
    tiers = tuple(at(usd, f"{passed}/10") for usd, passed in sorted(costs))
    best = front(tiers)
    assert best
    assert sorted(one.passed for one in best) == [one.passed for one in best]
    for one in tiers:
        assert one in best or any(other.cost_pico <= one.cost_pico and other.passed >= one.passed for other in best)


# ---- where labels go

AREA = Box(0, 0, 400, 250)
SPOT = st.tuples(st.floats(30, 260), st.floats(20, 230))


@given(st.lists(SPOT, min_size=1, max_size=4))
@example([(30.0, 34.0), (30.0, 26.0), (30.0, 34.0), (30.0, 50.0)])
def test_a_label_lies_in_the_area_and_never_on_its_own_point(spots: list[tuple[float, float]]) -> None:
    taken = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in spots]
    size = box_of("sonnet", ["91.5%, $0.0062"])
    for number, spot in enumerate(spots):
        box = place(*spot, size, taken, AREA)
        assert 0.0 == box.covers(taken[number])
        assert pytest.approx(0, abs=1e-6) == box.outside(AREA)
        taken.append(box)


def test_two_labels_of_near_points_do_not_cover_each_other() -> None:
    spots = [(200.0, 60.0), (230.0, 64.0)]
    taken = [Box(x - 7, y - 20, x + 7, y + 20) for x, y in spots]
    for spot in spots:
        taken.append(place(*spot, box_of("sonnet", ["91.5%, $0.0062"]), taken, AREA))
    assert 0.0 == sum(taken[-1].covers(other) for other in taken[:-1])


def test_the_words_of_a_line_move_to_where_nothing_stands() -> None:
    at_the_end = Box(250, 90, 400, 130)
    assert beside_line(100, 90, [], AREA).left > 250
    assert 4 == beside_line(100, 90, [at_the_end], AREA).left
