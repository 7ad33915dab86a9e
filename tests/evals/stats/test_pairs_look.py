"""A look at two tiers says what the design planned, and asks the top tier only where that may decide something."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evals.stats.looks import Design, Look, Pairs, design, look_at_pairs
from evals.stats.paired import score
from evals.stats.quantiles import normal_above

from . import worlds

MADE = design(worlds.margin(0.05), 200)


@st.composite
def unfinished(draw: st.DrawFn) -> tuple[int, Pairs]:
    """A look at which some cases were asked of the cheap tier alone."""
    at = draw(st.integers(0, 4))
    left = MADE.looks[at]
    counts = []
    for _ in range(4):
        counts.append(draw(st.integers(0, min(left, 40))))
        left -= counts[-1]
    only_top, only_cheap, neither, both = counts
    return at, Pairs(both=both, only_top=only_top, only_cheap=only_cheap, neither=neither, unasked=left)


def asked(pairs: Pairs, wins: int) -> Pairs:
    """The same, had the top tier been asked about the rest and failed so many."""
    return replace(
        pairs, both=pairs.both + pairs.unasked - wins, only_cheap=pairs.only_cheap + wins, unasked=0
    )  # fmt: skip


@pytest.mark.parametrize("at", range(5))
def test_a_look_accepts_exactly_where_the_design_counted_and_its_bound_agrees(at: int) -> None:
    cases, height = MADE.looks[at], normal_above(MADE.levels[at])
    for losses in range(0, 16, 2):
        for wins in range(0, 25, 3):
            pairs = Pairs(both=cases - losses - wins, only_top=losses, only_cheap=wins, neither=0)
            found = look_at_pairs(MADE, at, pairs)
            assert (found.state == "accept") == (score(float(losses), float(wins), cases, 0.05) >= height)
            assert found.below_top is not None
            assert (found.state == "accept") == (found.below_top <= 0.05)
            assert not found.ask_rest


@given(unfinished(), st.floats(0, 1))
def test_accepting_on_the_losses_alone_is_never_taken_back_by_the_rest(case: tuple[int, Pairs], part: float) -> None:
    """So it costs no error: whoever had asked everything would have accepted too."""
    at, pairs = case
    rest = look_at_pairs(MADE, at, asked(pairs, round(part * pairs.unasked)))
    early = look_at_pairs(MADE, at, pairs)
    if early.state == "accept":
        assert "accept" == rest.state
    if early.state in {"reject", "undecided"}:
        assert "accept" != rest.state
    assert early.below_top is not None
    assert rest.below_top is not None
    assert rest.below_top <= early.below_top + 1e-9


@given(unfinished())
def test_the_rest_is_asked_for_only_where_it_is_open_and_there_is_a_rest(case: tuple[int, Pairs]) -> None:
    at, pairs = case
    found = look_at_pairs(MADE, at, pairs)
    if found.ask_rest:
        assert "go on" == found.state
        assert pairs.unasked
    if at == 4 and found.state == "go on":
        assert found.ask_rest  # nothing else is left to do
    assert not look_at_pairs(MADE, at, asked(pairs, pairs.unasked // 2)).ask_rest


@given(unfinished(), st.floats(1, 8))
def test_clusters_never_make_a_result_surer(case: tuple[int, Pairs], effect: float) -> None:
    at, pairs = case
    pairs = asked(pairs, 0)
    alone, together = look_at_pairs(MADE, at, pairs), look_at_pairs(MADE, at, pairs, effect)
    assert together.at_least <= alone.at_least + 1e-12
    if together.state == "accept":
        assert "accept" == alone.state


def test_few_losses_are_enough_without_asking_the_top_tier_about_the_rest() -> None:
    found = look_at_pairs(MADE, 4, Pairs(both=0, only_top=2, only_cheap=0, neither=20, unasked=178))
    assert ("accept", False) == (found.state, found.ask_rest)
    assert found.words.startswith("failed 2 of 200 that the top tier passed, at most ")
    assert found.words.endswith("it is within 5 points of the top tier")
    assert 0.01 == found.estimate


def test_a_loss_for_a_win_needs_the_wins_to_be_known() -> None:
    pairs = Pairs(both=0, only_top=9, only_cheap=0, neither=20, unasked=171)
    assert ("go on", True) == state(look_at_pairs(MADE, 4, pairs))
    assert ("accept", False) == state(look_at_pairs(MADE, 4, asked(pairs, 9)))
    assert ("undecided", False) == state(look_at_pairs(MADE, 4, asked(pairs, 4)))


def test_the_first_look_at_a_decent_tier_does_not_bother_the_top_one() -> None:
    pairs = Pairs(both=0, only_top=1, only_cheap=0, neither=3, unasked=36)
    assert ("go on", False) == state(look_at_pairs(MADE, 0, pairs))


def test_where_more_of_the_cheap_tier_would_do_the_top_one_is_not_bothered() -> None:
    pairs = Pairs(both=0, only_top=0, only_cheap=0, neither=5, unasked=75)
    assert "accept" == look_at_pairs(MADE, 1, asked(pairs, 20)).state  # it could be had now, at the price of 75 calls
    assert ("go on", False) == state(look_at_pairs(MADE, 1, pairs))


def test_a_hopeless_tier_is_given_up_at_the_first_look() -> None:
    losing = Pairs(both=0, only_top=8, only_cheap=0, neither=2, unasked=30)
    assert ("go on", True) == state(look_at_pairs(MADE, 0, losing))  # thirty wins could still be hidden there
    given_up = look_at_pairs(MADE, 0, asked(losing, 1))
    assert ("reject", False) == state(given_up)
    assert "hope is gone that these cases show it within 5 points" in given_up.words or given_up.low > 0.05
    ruined = Pairs(both=0, only_top=30, only_cheap=0, neither=5, unasked=5)
    assert ("reject", False) == state(look_at_pairs(MADE, 0, ruined))


def test_not_enough_evidence_comes_with_the_number_that_would_decide() -> None:
    short = look_at_pairs(MADE, 4, Pairs(both=160, only_top=12, only_cheap=10, neither=18))
    assert "undecided" == short.state
    assert short.more_cases is not None
    assert short.words.endswith(f"of the top tier; about {short.more_cases:,} more cases would decide")
    assert 0.74 <= worlds.of_pairs(design(worlds.margin(0.05), 200 + short.more_cases), 0.11, 0.01).power <= 0.86
    on_the_line = look_at_pairs(MADE, 4, Pairs(both=160, only_top=16, only_cheap=6, neither=18))
    assert ("undecided", None) == (on_the_line.state, on_the_line.more_cases)


def test_a_better_tier_is_said_to_be_above() -> None:
    better = look_at_pairs(MADE, 4, Pairs(both=140, only_top=1, only_cheap=40, neither=19))
    assert better.words.startswith("lost 1 and won 40 of 200 against the top tier, at least ")
    assert "points above it: " in better.words


def test_a_look_at_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        look_at_pairs(MADE, 0, Pairs(both=0, only_top=0, only_cheap=0, neither=0))


def state(look: Look) -> tuple[str, bool]:
    return look.state, look.ask_rest


class World:
    """Two tiers on drawn cases, walked as a driver walks them: the cheap tier first, the top one where it is due."""

    def __init__(self, shares: tuple[float, float, float], seed: int) -> None:
        self._kinds = np.random.default_rng(seed).choice(
            4, size=MADE.looks[-1], p=[*shares, 1 - sum(shares)]
        )  # fmt: skip

    def walk(self, *, asking_all: bool) -> tuple[str, int, int]:
        """How it ended, and how many cases each tier was asked about."""
        all_upto = 0
        for at, cases in enumerate(MADE.looks):
            found = look_at(MADE, at, self._pairs(cases, cases if asking_all else all_upto))
            if found.ask_rest:
                all_upto = cases
                found = look_at(MADE, at, self._pairs(cases, cases))
            if found.state != "go on":
                break
        upto = cases if asking_all else all_upto
        return found.state, cases, cases - self._pairs(cases, upto).unasked

    def _pairs(self, cases: int, asked_upto: int) -> Pairs:
        """The first so many cases, all asked of both, then the cheap tier's failures alone."""
        early, late = np.bincount(self._kinds[:asked_upto], minlength=4), self._kinds[asked_upto:cases]
        both, only_top, only_cheap, neither = (int(count) for count in early)
        losses, failed = int((late == 1).sum()), int((late == 3).sum())
        return Pairs(
            both=both,
            only_top=only_top + losses,
            only_cheap=only_cheap,
            neither=neither + failed,
            unasked=len(late) - losses - failed,
        )


@lru_cache(maxsize=10_000)
def look_at(made: Design, at: int, pairs: Pairs) -> Look:
    return look_at_pairs(made, at, pairs)


def test_asking_the_cheap_tier_first_halves_the_top_tiers_calls_where_they_hardly_differ() -> None:
    worlds_drawn = [World((0.9, 0.02, 0.02), seed) for seed in range(150)]
    ours = [world.walk(asking_all=False) for world in worlds_drawn]
    always = [world.walk(asking_all=True) for world in worlds_drawn]
    accepted, would = (sum(one[0] == "accept" for one in walked) for walked in (ours, always))
    assert abs(accepted - would) <= 3
    assert accepted >= 130
    top, top_always = (sum(one[2] for one in walked) for walked in (ours, always))
    assert top < 0.6 * top_always
    assert sum(one[1] for one in ours) < 1.15 * sum(one[1] for one in always)


def test_a_much_worse_tier_is_found_out_as_fast_as_if_everything_had_been_asked() -> None:
    worlds_drawn = [World((0.75, 0.15, 0.03), seed) for seed in range(150)]
    ours = [world.walk(asking_all=False) for world in worlds_drawn]
    assert not [one for one in ours if one[0] == "accept"]
    assert sum(one[1] for one in ours) / 150 < 0.36 * MADE.looks[-1]
