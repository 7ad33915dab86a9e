"""How many calls at once: more while the model answers as fast as ever, fewer when it is too much for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.crowd import Crowd, FirstBytes, is_loss
from router.decide.policy.failing import Pacing
from router.vocabulary import Outcome, OutcomeKind

RULES = Pacing(start=10, least=4, most=100, keep_free=0.2)


def filled(crowd: Crowd, calls: int) -> list[bool]:
    return [crowd.enter(False, RULES) for _ in range(calls)]


def round_trip(crowd: Crowd, calls: int) -> None:
    for busy in filled(crowd, calls):
        crowd.left(False)
        crowd.answered(busy, RULES)


def test_it_doubles_with_each_full_round_until_the_most() -> None:
    crowd, limits = Crowd(RULES), []
    for _ in range(6):
        limits.append(crowd.limit(RULES))
        round_trip(crowd, limits[-1])
    # Nearly: the first half of a round begins while less than half is in use.
    assert [10, 16, 25, 38, 58, 88] == limits
    for _ in range(3):
        round_trip(crowd, crowd.limit(RULES))
    assert crowd.limit(RULES) == 100


def test_what_began_while_less_than_half_was_in_use_says_nothing() -> None:
    crowd = Crowd(RULES)
    for _ in range(100):
        round_trip(crowd, 4)
    assert crowd.limit(RULES) == 10


def test_a_loss_takes_a_tenth_once_a_second_and_it_grows_slowly_from_then_on() -> None:
    rules = Pacing(start=100, least=4, most=1000)
    crowd = Crowd(rules)
    for _ in range(50):
        crowd.lost(10.0, rules)
    assert crowd.limit(rules) == 90
    crowd.lost(10.999, rules)
    assert crowd.limit(rules) == 90
    crowd.lost(11.0, rules)
    assert crowd.limit(rules) == 81
    for _ in range(81):
        crowd.answered(True, rules)
    assert crowd.limit(rules) == 81  # nearly one a round
    crowd.answered(True, rules)
    assert crowd.limit(rules) == 82


def test_it_stays_between_the_least_and_the_most_of_the_policy_that_is_on() -> None:
    crowd = Crowd(RULES)
    for second in range(100):
        crowd.lost(float(second), RULES)
    assert crowd.limit(RULES) == 4
    crowd = Crowd(Pacing(start=500, most=1000))
    assert crowd.limit(RULES) == 100
    assert crowd.limit(Pacing(least=30, most=20)) == 30


def test_it_stops_growing_while_first_bytes_take_twice_as_long_as_they_can() -> None:
    crowd = Crowd(RULES)
    for second in range(30):
        crowd.first_bytes.saw(0.5, float(second))
    for second in range(100):
        crowd.first_bytes.saw(1.5, 30.0 + second)
    round_trip(crowd, 10)
    assert (crowd.first_bytes.slow, crowd.limit(RULES)) == (True, 10)
    for second in range(100):
        crowd.first_bytes.saw(0.6, 130.0 + second)
    round_trip(crowd, 10)
    assert (crowd.first_bytes.slow, crowd.limit(RULES)) == (False, 16)


def test_one_slow_or_one_fast_first_byte_is_not_what_it_always_takes() -> None:
    times = FirstBytes()
    for second in range(100):
        times.saw(0.01 if second == 50 else 3.0 if second == 70 else 0.5, float(second))
    assert not times.slow


def test_a_low_of_long_ago_is_forgotten() -> None:
    times = FirstBytes()
    for second in range(60):
        times.saw(0.5, float(second))
    states = []
    for second in range(60, 900):
        times.saw(1.5, float(second))
        states.append(times.slow)
    assert [True, False] == [states[100], states[-1]]


def test_what_is_not_interactive_leaves_a_fifth_free_unless_it_drips() -> None:
    crowd = Crowd(RULES)
    while crowd.has_low_room(RULES, drips=False):
        crowd.enter(True, RULES)
    assert (crowd.in_flight, crowd.has_room(RULES), crowd.has_low_room(RULES, drips=True)) == (8, True, False)
    for _ in range(8):
        crowd.left(True)
    filled(crowd, 9)
    assert [False, True] == [crowd.has_low_room(RULES, drips) for drips in (False, True)]
    filled(crowd, 1)
    assert not crowd.has_low_room(RULES, drips=True)


@pytest.mark.parametrize(
    ("outcome", "lost"),
    [
        (None, False),
        (Outcome(kind=OutcomeKind.RATE_LIMITED, status=429), True),
        (Outcome(kind=OutcomeKind.OVERLOADED, status=529), True),
        (Outcome(kind=OutcomeKind.OVERLOADED), False),  # our own pool of connections
        (Outcome(kind=OutcomeKind.TIMED_OUT), True),
        (Outcome(kind=OutcomeKind.SERVER_ERROR, status=500), False),
        (Outcome(kind=OutcomeKind.ANSWERED, status=200), False),
    ],
)
def test_refusals_for_load_and_timeouts_are_losses(outcome: Outcome | None, lost: bool) -> None:
    assert is_loss(outcome) == lost


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 2)), max_size=300))
def test_whatever_happens_the_limit_keeps_its_bounds_and_nobody_is_forgotten(
    story: list[tuple[bool, bool, float]],
) -> None:
    crowd, now_s = Crowd(RULES), 0.0
    inside: list[tuple[bool, bool]] = []
    for low, good, passed_s in story:
        now_s += passed_s
        if crowd.has_low_room(RULES, drips=False) if low else crowd.has_room(RULES):
            inside.append((low, crowd.enter(low, RULES)))
        assert crowd.in_flight <= max(crowd.limit(RULES), len(inside))
        if passed_s > 1:
            leaver, busy = inside.pop(0) if inside else (None, False)
            if leaver is not None:
                crowd.left(leaver)
            if good:
                crowd.answered(busy, RULES)
            else:
                crowd.lost(now_s, RULES)
        assert RULES.least <= crowd.limit(RULES) <= RULES.most
    assert (crowd.in_flight, crowd.low_in_flight) == (len(inside), sum(low for low, _ in inside))
