"""A failing model is left alone, tried by one call at a time, and asked again when it answers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.breaker import COUNTS, Circuit, Entered, Sign, sign_of
from router.decide.policy.failing import Breaker
from router.vocabulary import ANSWERS, Outcome, OutcomeKind

RULES = Breaker()
MIDDLE = 0.5  # of the dice: no jitter
A, F, N = Sign.ANSWERED, Sign.FAILED, Sign.NOTHING


def call(circuit: Circuit, sign: Sign, now_s: float, rules: Breaker = RULES) -> bool:
    return circuit.ended(circuit.enter(now_s, rules), sign, now_s, MIDDLE, rules)


def opened(now_s: float = 100.0) -> Circuit:
    circuit = Circuit()
    assert [False, False, False, False, True] == [call(circuit, F, now_s) for _ in range(5)]
    return circuit


def test_every_outcome_says_something_of_the_model_or_nothing() -> None:
    assert set(OutcomeKind) == set(COUNTS)
    assert {kind for kind, sign in COUNTS.items() if sign is A} == ANSWERS


def test_an_overload_of_our_own_pool_says_nothing() -> None:
    overloads = [sign_of(Outcome(kind=OutcomeKind.OVERLOADED, status=status)) for status in (0, 529)]
    assert [N, F, N] == [*overloads, sign_of(None)]


def test_where_calls_are_few_it_opens_after_failures_in_a_row() -> None:
    circuit = Circuit()
    story = [F, F, F, F, A, F, F, F, F, F]
    assert [False] * 9 + [True] == [call(circuit, sign, 100.0 + at) for at, sign in enumerate(story)]
    assert (circuit.state, circuit.open_for_s(109.0)) == ("open", 5.0)


def test_failures_in_a_row_count_when_nothing_sent_before_them_may_still_be_answered() -> None:
    circuit = Circuit()
    slow = circuit.enter(100.0, RULES)
    assert not any(call(circuit, F, 100.0 + at) for at in range(9))
    assert circuit.ended(slow, F, 109.0, MIDDLE, RULES)
    circuit = Circuit()
    circuit.enter(90.0, RULES)  # so long a stream says nothing of now
    assert [False] * 4 + [True] == [call(circuit, F, 100.0) for _ in range(5)]


def test_at_high_volume_it_opens_when_half_of_the_window_failed_and_not_before() -> None:
    circuit = Circuit()
    for _ in range(10):
        call(circuit, A, 100.0)
        call(circuit, F, 100.0)
    assert circuit.state == "open"  # 10 of 20
    circuit = Circuit()
    for _ in range(1000):
        call(circuit, A, 100.0)
        call(circuit, A, 100.0)
        call(circuit, F, 100.0)
    assert circuit.state == "closed"


def test_what_left_the_window_counts_no_more() -> None:
    circuit = Circuit()
    for _ in range(30):
        call(circuit, A, 100.0)
    for _ in range(15):
        call(circuit, F, 105.0)
    assert circuit.state == "closed"  # 15 of 45
    for _ in range(4):
        call(circuit, A, 110.0)  # the first slot, with its answers, is over
    assert call(circuit, F, 110.0)  # 16 of 20


@pytest.mark.parametrize("seed", range(5))
def test_random_failures_of_three_in_ten_never_open_it_though_they_are_faster_than_answers(seed: int) -> None:
    """200 calls a second for six minutes after a good second; an answer takes 0.7 s, a failure no time."""
    dice, circuit = random.Random(seed), Circuit()
    running: list[Entered] = []
    for number in range(200 * 360):
        now_s = number / 200
        assert circuit.lets(now_s)
        entered = circuit.enter(now_s, RULES)
        if now_s > 1 and dice.random() < 0.3:
            circuit.ended(entered, F, now_s, MIDDLE, RULES)
        else:
            running.append(entered)
        if len(running) > 140:
            circuit.ended(running.pop(0), A, now_s, MIDDLE, RULES)
    assert (circuit.state, circuit.turn) == ("closed", 0)


@pytest.mark.parametrize("per_s", [1, 5, 200])
def test_a_total_outage_opens_it_within_the_window_at_any_volume(per_s: int) -> None:
    circuit = Circuit()
    for number in range(30 * per_s):
        call(circuit, A, 100.0 + number / per_s)
    now_s = 130.0
    while circuit.state == "closed":
        call(circuit, F, now_s)
        now_s += 1 / per_s
    assert now_s - 130.0 <= RULES.window_s


def test_open_it_lets_nobody_through_then_one_probe_at_a_time_and_closes_after_three_answers() -> None:
    circuit = opened()
    assert [False, False, True] == [circuit.lets(now_s) for now_s in (100.0, 104.999, 105.0)]
    for _ in range(2):
        probe = circuit.enter(105.0, RULES)
        assert (circuit.state, circuit.lets(105.0), circuit.open_for_s(105.0)) == ("half_open", False, None)
        assert not circuit.ended(probe, A, 105.0, MIDDLE, RULES)
    assert call(circuit, A, 105.0)
    assert (circuit.state, circuit.open_for_s(105.0)) == ("closed", 0.0)


def test_each_failed_probe_doubles_the_time_up_to_the_longest_and_closing_forgets_it() -> None:
    circuit, now_s, spans = opened(), 100.0, []
    for _ in range(6):
        wait_s = circuit.open_for_s(now_s)
        assert wait_s is not None
        spans.append(wait_s)
        now_s += wait_s
        call(circuit, F, now_s)
    assert [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] == spans
    now_s += 60
    for _ in range(3):
        call(circuit, A, now_s)
    for _ in range(5):
        call(circuit, F, now_s)
    assert circuit.open_for_s(now_s) == 5.0


def test_the_time_is_jittered_by_a_fifth_and_never_above_the_longest() -> None:
    spans = []
    for dice in (0.0, 0.5, 1.0):
        circuit = Circuit()
        for _ in range(5):
            circuit.ended(circuit.enter(0.0, RULES), F, 0.0, dice, RULES)
        spans.append(circuit.until_s)
    assert pytest.approx([4.0, 5.0, 6.0]) == spans
    short = Breaker(open_s=60.0)
    circuit = Circuit()
    for _ in range(5):
        circuit.ended(circuit.enter(0.0, short), F, 0.0, 1.0, short)
    assert circuit.until_s == 60.0


def test_an_abandoned_probe_makes_room_for_the_next_one_and_proves_nothing() -> None:
    circuit = opened()
    for _ in range(5):
        assert not call(circuit, N, 106.0)
        assert (circuit.state, circuit.lets(106.0)) == ("half_open", True)


def test_calls_from_before_it_opened_say_nothing_of_the_time_after() -> None:
    circuit = Circuit()
    old = [circuit.enter(80.0, RULES) for _ in range(40)]
    for _ in range(5):
        call(circuit, F, 100.0)
    probe = circuit.enter(105.0, RULES)
    assert not any(circuit.ended(entered, F, 105.0, MIDDLE, RULES) for entered in old[:20])
    assert (circuit.state, circuit.lets(200.0)) == ("half_open", False)  # the probe is still out
    circuit.ended(probe, A, 106.0, MIDDLE, RULES)
    assert [False, True] == [call(circuit, A, 106.0) for _ in range(2)]
    assert not any(circuit.ended(entered, F, 106.0, MIDDLE, RULES) for entered in old[20:])
    assert circuit.state == "closed"


def test_what_counts_as_nothing_hides_no_outage() -> None:
    circuit = Circuit()
    for _ in range(100):
        call(circuit, N, 100.0)
    assert [False] * 4 + [True] == [call(circuit, F, 101.0) for _ in range(5)]


def test_a_model_that_the_api_does_not_know_is_left_alone_for_a_minute() -> None:
    circuit = Circuit()
    assert call(circuit, Sign.MISSING, 100.0)
    assert [False, True] == [circuit.lets(now_s) for now_s in (159.9, 160.0)]


def test_what_another_process_found_open_is_open_here_and_closed_there_may_be_probed_here() -> None:
    circuit = Circuit()
    assert circuit.heard_open(30.0, 100.0, RULES)
    assert not circuit.heard_open(10.0, 100.0, RULES)
    assert (circuit.state, circuit.open_for_s(100.0)) == ("open", 30.0)
    circuit.heard_closed(101.0)
    assert (circuit.state, circuit.lets(101.0)) == ("open", True)


def test_what_was_not_found_at_a_model_that_answered_lately_is_something_else() -> None:
    circuit = Circuit()
    call(circuit, A, 100.0)
    assert not call(circuit, Sign.MISSING, 699.0)
    assert call(circuit, Sign.MISSING, 700.0)
    circuit = Circuit()
    circuit.began(circuit.enter(100.0, RULES), 100.0, RULES)  # a stream that runs on
    assert not call(circuit, Sign.MISSING, 200.0)


def test_a_good_answer_that_begins_is_enough_of_a_probe() -> None:
    circuit = opened()
    probes = []
    for _ in range(3):
        assert circuit.lets(105.0)
        probes.append(circuit.enter(105.0, RULES))
        assert (len(probes) == 3) == circuit.began(probes[-1], 106.0, RULES)
    assert "closed" == circuit.state
    assert not any(circuit.ended(probe, A, 200.0, MIDDLE, RULES) for probe in probes)


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_a_probe_that_fails_after_it_began_opens_again_what_rests_on_it(answers: int) -> None:
    circuit = opened()
    probes = [circuit.enter(105.0, RULES)]
    circuit.began(probes[0], 105.0, RULES)
    for _ in range(answers - 1):
        call(circuit, A, 105.0)
    assert circuit.ended(probes[0], F, 106.0, MIDDLE, RULES)
    assert ("open", 10.0) == (circuit.state, circuit.open_for_s(106.0))


def test_what_whole_answers_have_proved_since_rests_on_no_probe_any_more() -> None:
    circuit = opened()
    probe = circuit.enter(105.0, RULES)
    circuit.began(probe, 105.0, RULES)
    for _ in range(3):
        call(circuit, A, 106.0)
    assert not circuit.ended(probe, F, 400.0, MIDDLE, RULES)
    assert "closed" == circuit.state


def test_in_a_hurry_one_a_second_is_tried_however_long_it_would_be_left_alone() -> None:
    circuit = opened()
    assert [False, True] == [circuit.lets(now_s, hurried=True) for now_s in (100.9, 101.0)]
    assert 0.4 == pytest.approx(circuit.open_for_s(100.6, hurried=True))
    hanging = circuit.enter(101.0, RULES)
    assert [False, True] == [circuit.lets(now_s, hurried=True) for now_s in (101.9, 102.0)]
    second = circuit.enter(102.0, RULES)
    assert not circuit.lets(500.0), "where others answer it has one at a time"
    circuit.began(second, 102.1, RULES)
    circuit.began(hanging, 103.0, RULES)
    third = circuit.enter(103.0, RULES)
    assert circuit.began(third, 103.1, RULES)


@given(st.lists(st.tuples(st.sampled_from(list(Sign)), st.floats(0, 20)), max_size=200), st.floats(0, 1))
def test_whatever_happens_there_is_one_probe_at_most_and_it_can_always_be_asked_again(
    story: list[tuple[Sign, float]], dice: float
) -> None:
    circuit, now_s = Circuit(), 0.0
    running: list[tuple[Entered, bool]] = []
    for sign, passed_s in story:
        now_s += passed_s
        if circuit.lets(now_s):
            is_probe = circuit.state != "closed"
            running.append((circuit.enter(now_s, RULES), is_probe))
        if circuit.state == "half_open":
            assert sum(is_probe for entered, is_probe in running if entered.turn == circuit.turn) <= 1
        if running and passed_s > 5:
            circuit.ended(running.pop(0)[0], sign, now_s, dice, RULES)
    for entered, _ in running:
        circuit.ended(entered, N, now_s, dice, RULES)
    assert circuit.lets(now_s + max(RULES.open_max_s, 60.0))
