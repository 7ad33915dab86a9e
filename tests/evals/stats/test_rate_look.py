"""A look at a bar says what the design planned, shows its bound, and tells people what to do."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.stats.looks import Look, design, look_at_rate
from evals.stats.quantiles import share_at_least

from . import worlds

MADE = design(worlds.bar(0.9), 100)
RANK = {"reject": 0, "undecided": 1, "go on": 1, "accept": 2}
seen = st.integers(0, 4).flatmap(lambda at: st.tuples(st.just(at), st.integers(0, MADE.looks[at] - 1)))


def look(at: int, passed: int, effect: float = 1.0) -> Look:
    return look_at_rate(MADE, at, passed, MADE.looks[at], effect)


@pytest.mark.parametrize(("line", "cases"), [*product((0.6, 0.85, 0.9, 0.95), (60, 100, 175))])
def test_a_look_accepts_exactly_where_the_design_counted_and_its_bound_agrees(line: float, cases: int) -> None:
    made = design(worlds.bar(line), cases)
    for at, upto in enumerate(made.looks):
        found = [look_at_rate(made, at, passed, upto) for passed in range(upto + 1)]
        accepted = [one.state == "accept" for one in found]
        assert [passed >= made.accept_at[at] for passed in range(upto + 1)] == accepted
        assert accepted == [one.at_least >= line for one in found]
        stopped = [one.state in {"reject", "undecided"} for one in found]
        if at < len(made.looks) - 1:
            assert [passed <= round(made.stops[at] * upto) for passed in range(upto + 1)] == stopped


def test_the_last_look_always_ends_it() -> None:
    assert {"accept", "reject", "undecided"} == {look(4, passed).state for passed in range(101)}


@given(seen)
def test_one_pass_more_is_never_worse(case: tuple[int, int]) -> None:
    at, passed = case
    fewer, more = look(at, passed), look(at, passed + 1)
    assert fewer.at_least < more.at_least
    assert RANK[fewer.state] <= RANK[more.state]
    assert fewer.low <= fewer.estimate <= fewer.high


@given(seen, st.floats(1, 10), st.floats(1, 10))
def test_clusters_never_make_a_result_surer(case: tuple[int, int], one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert look(*case, more).at_least <= look(*case, less).at_least + 1e-12
    if look(*case, more).state == "accept":
        assert "accept" == look(*case, less).state


@given(seen)
def test_the_bound_is_more_careful_than_one_for_a_single_look(case: tuple[int, int]) -> None:
    at, passed = case
    assert look(at, passed).at_least <= share_at_least(passed, MADE.looks[at], 0.05)


def test_words_for_people() -> None:
    accepted = look(2, 60)
    assert accepted.words == "60 of 60 passed (100.0%), at least 93.1%: it clears the bar of 90%"
    assert accepted.more_cases is None
    assert look(0, 20).words.endswith("not decided yet whether it clears the bar of 90%")
    assert look(4, 70).words.endswith("it is below the bar of 90%")
    assert look(3, 70).words.endswith("hope is gone that these cases show the bar of 90%")
    clustered = look(4, 97, 4.0)
    assert "(cases come in clusters, and count as 25)" in clustered.words
    assert "undecided" == clustered.state


def test_not_enough_evidence_comes_with_the_number_that_would_decide() -> None:
    short = look(4, 94)
    assert "undecided" == short.state
    assert short.more_cases is not None
    assert short.words.endswith(f"evidence for the bar of 90%; about {short.more_cases} more cases would decide")
    grown = design(worlds.bar(0.9), 100 + short.more_cases)
    assert 0.75 <= worlds.of_rate(grown, 0.94).power <= 0.85


def test_no_number_is_named_where_none_would_do() -> None:
    at_the_line = look(4, 90)
    assert ("undecided", None) == (at_the_line.state, at_the_line.more_cases)
    assert "more cases would not give it, were the truth as observed" in at_the_line.words


def test_giving_up_early_above_the_bar_is_no_proof_of_being_below_it() -> None:
    """The design gives up on 75 of 80, because 100 cases will hardly show 90 %; more cases may."""
    given_up = look(3, 75)
    assert "undecided" == given_up.state
    assert given_up.more_cases is not None
    assert given_up.more_cases > 20


def test_an_open_test_says_how_many_cases_of_it_may_be_needed() -> None:
    assert 20 <= (look(0, 20).more_cases or 0) <= 80
    assert 20 == look(3, 77).more_cases
    assert 20 == look(0, 18).more_cases


@pytest.mark.parametrize(("passed", "cases"), [(3, 2), (-1, 5), (0, 0)])
def test_counts_that_cannot_be_are_refused(passed: int, cases: int) -> None:
    with pytest.raises(ValueError, match="cannot have passed"):
        look_at_rate(MADE, 0, passed, cases)


def test_a_look_at_fewer_cases_than_planned_is_careful() -> None:
    """An outage may leave some out: the level stays, so the bound is wider."""
    assert look_at_rate(MADE, 4, 78, 80).at_least < look(4, 97).at_least
