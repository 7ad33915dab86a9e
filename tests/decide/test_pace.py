"""Calls are held back before the API has to refuse them, and never sent before it said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.pace import Pace, Taken, Throttle
from router.decide.ratelimits import Figures, Said
from router.vocabulary import Outcome, OutcomeKind, Usage

ANSWERED = Outcome(kind=OutcomeKind.ANSWERED, status=200)
LIMITED = Outcome(kind=OutcomeKind.RATE_LIMITED, status=429)


def knowing(
    requests: tuple[int, int] | None = None,
    inputs: tuple[int, int] | None = None,
    outputs: tuple[int, int] | None = None,
    now_s: float = 100.0,
) -> Pace:
    pace = Pace()
    pace.learn(Said(*(pair and Figures(*pair) for pair in (requests, inputs, outputs))), now_s)
    return pace


def sent(pace: Pace, calls: int, now_s: float, tokens: int = 0) -> list[Taken]:
    """As many as may go now, at most so many."""
    taken: list[Taken] = []
    while len(taken) < calls and not pace.wait_s(tokens, 0.0, now_s):
        taken.append(pace.take(tokens, now_s))
    return taken


def test_what_is_not_known_holds_nothing_back() -> None:
    assert len(sent(Pace(), 5000, 100.0, tokens=1_000_000)) == 5000


def test_as_many_go_as_are_left_and_the_next_ones_as_fast_as_it_refills() -> None:
    pace = knowing(requests=(600, 20))
    assert len(sent(pace, 100, 100.0)) == 20
    assert pace.wait_s(0, 0.0, 100.0) == pytest.approx(0.1)
    assert pace.wait_s(0, 0.0, 100.0, ahead=(9, 0)) == pytest.approx(1.0)
    assert len(sent(pace, 100, 101.0)) == 10
    assert len(sent(pace, 1000, 200.0)) == 600  # never more than a minute's worth


def test_input_tokens_are_counted_and_one_call_above_the_limit_waits_for_a_full_bucket() -> None:
    pace = knowing(inputs=(60_000, 10_000))
    assert len(sent(pace, 100, 100.0, tokens=3000)) == 3
    assert pace.wait_s(3000, 0.0, 100.0) == pytest.approx(2.0)
    assert pace.wait_s(500_000, 0.0, 100.0) == pytest.approx(59.0)


def test_an_answer_lowers_a_level_at_once_and_never_raises_it() -> None:
    pace = knowing(requests=(600, 300))
    pace.learn(Said(Figures(600, 100)), 100.0)
    assert pace.left(100.0) == {"requests": 100}
    pace.learn(Said(Figures(600, 500)), 100.0)
    assert pace.left(100.0) == {"requests": 100}
    assert pace.left(101.0) == {"requests": 110}


def test_calls_whose_answer_did_not_begin_are_taken_from_what_an_answer_says_is_left() -> None:
    pace = knowing(requests=(600, 300))
    first, *_ = sent(pace, 50, 100.0)
    pace.began(first, Said(Figures(600, 280)), 100.0)
    assert pace.left(100.0) == {"requests": 280 - 49}


def test_a_figure_of_tokens_is_rounded_so_what_fits_it_is_not_corrected() -> None:
    pace = knowing(inputs=(60_000, 10_000))
    pace.learn(Said(None, Figures(60_000, 9_600)), 100.0)
    assert pace.left(100.0) == {"input_tokens": 10_000}
    pace.learn(Said(None, Figures(60_000, 9_000)), 100.0)
    assert pace.left(100.0) == {"input_tokens": 9_000}


def test_what_is_read_from_the_cache_is_given_back_and_output_is_charged_when_it_is_known() -> None:
    pace = knowing(inputs=(60_000, 60_000), outputs=(60_000, 60_000))
    taken = pace.take(10_000, 100.0)
    usage = Usage(input_tokens=1000, cache_read_tokens=8500, cache_write_5m_tokens=500, output_tokens=2000)
    pace.ended(taken, ANSWERED, usage, 100.0)
    assert {"input_tokens": 58_500, "output_tokens": 58_000} == pace.left(100.0)


def test_input_that_an_answers_head_has_told_of_is_not_charged_again_at_its_end() -> None:
    lefts = []
    for said in (Said(None, Figures(60_000, 50_000)), None):
        pace = knowing(inputs=(60_000, 60_000))
        taken = pace.take(1_000, 100.0)
        pace.began(taken, said, 100.0)
        pace.ended(taken, ANSWERED, Usage(input_tokens=10_000), 100.0)
        lefts.append(pace.left(100.0)["input_tokens"])
    assert [50_000, 50_000] == lefts


def test_output_of_calls_under_way_is_estimated_from_what_calls_usually_produce() -> None:
    pace = knowing(outputs=(60_000, 10_000))
    # 500 at first, half of it still to come.
    assert len(sent(pace, 1000, 100.0)) == 39
    for taken in sent(Pace(), 200, 100.0):
        pace.in_flight += 1
        pace.ended(taken, ANSWERED, Usage(output_tokens=0), 100.0)
    assert pace.wait_s(0, 0.0, 100.0) == 0.0  # they usually produce nothing now


def test_nothing_goes_before_retry_after_has_passed_not_even_a_moment() -> None:
    pace = knowing(requests=(600, 600))
    (taken,) = sent(pace, 1, 100.0)
    assert pace.ended(taken, Outcome(kind=OutcomeKind.RATE_LIMITED, status=429, retry_after_s=2.0), None, 100.0)
    assert [2.0, pytest.approx(0.001)] == [pace.wait_s(0, 0.0, now_s) for now_s in (100.0, 101.999)]
    (probe,) = sent(pace, 1000, 102.0)  # one goes first
    pace.ended(probe, Outcome(kind=OutcomeKind.ANSWERED, status=200), None, 102.0)
    assert len(sent(pace, 1000, 102.0)) == 19  # and then as much as has come back


def test_of_two_waits_the_longer_one_holds() -> None:
    pace = Pace()
    assert [True, False, True] == [pace.block(until_s) for until_s in (110.0, 105.0, 120.0)]
    assert pace.told_wait_s(100.0) == 20.0


def test_a_call_that_was_never_sent_is_given_back() -> None:
    pace = knowing(requests=(600, 100), inputs=(60_000, 30_000))
    for outcome in (None, Outcome(kind=OutcomeKind.CONNECT_FAILED)):
        pace.ended(pace.take(5000, 100.0), outcome, None, 100.0)
    assert {"requests": 100, "input_tokens": 30_000} == pace.left(100.0)


def test_a_background_call_leaves_its_share_of_the_bucket_free() -> None:
    pace = knowing(requests=(100, 100))
    background = 0
    while not pace.wait_s(0, 0.2, 100.0):
        pace.take(0, 100.0)
        background += 1
    assert (background, len(sent(pace, 100, 100.0))) == (80, 20)


@pytest.mark.parametrize(
    ("said", "a_second"),
    [
        (Figures(600, 0, 60.0), 10.0),
        (Figures(600, 0, 55.0), 10.0),  # seconds are rounded
        (Figures(600, 0, 10.0), 60.0),  # a window that ends soon
        (Figures(600, 0, 600.0), 1.0),
        (Figures(600, 599, 1.0), 10.0),  # too little is missing to tell
        (Figures(600, 0, None), 10.0),
        (Figures(600, 0, 0.001), 600.0),
    ],
)
def test_it_refills_a_minutes_worth_a_minute_unless_the_reset_clearly_says_otherwise(
    said: Figures, a_second: float
) -> None:
    pace = Pace()
    pace.learn(Said(said), 100.0)
    assert pace.requests.rate == pytest.approx(a_second)


def test_without_a_retry_after_calls_go_at_seven_tenths_of_their_rate_and_recover() -> None:
    pace, now_s = Pace(), 100.0
    for number in range(100):  # 50 a second
        taken = pace.take(0, now_s + number / 50)
    assert not pace.ended(taken, LIMITED, None, 102.0)
    rates = [len(sent(pace, 1000, 102.0 + tenth / 10)) for tenth in range(201)]
    assert sum(rates[1:11]) in range(34, 38)
    assert sum(rates[51:61]) in range(39, 43)  # 2 % of the old rate a second
    assert rates[-1] == 1000  # over


def test_many_refusals_of_one_moment_slow_it_down_once_and_lasting_ones_down_to_a_floor() -> None:
    throttle = Throttle()
    for _ in range(100):
        throttle.cut(100.0, 50.0)
    assert throttle.wait_s(0, 50.0) == pytest.approx(1 / 70)
    for second in range(51, 200):
        throttle.cut(100.0, float(second))
    throttle.take()
    assert throttle.wait_s(0, 199.0) <= 1 / 5 + 1 / 5


Step = tuple[str, float, int]


@given(
    st.lists(
        st.tuples(st.sampled_from(["call", "head", "end", "429"]), st.floats(0, 5), st.integers(0, 5000)), max_size=120
    )
)
def test_over_any_story_no_more_goes_than_the_bucket_held_and_nothing_in_a_time_out(story: list[Step]) -> None:
    pace, now_s = knowing(requests=(60, 60), inputs=(60_000, 60_000), now_s=0.0), 0.0
    out: list[Taken] = []
    calls, blocked_until_s = 0, 0.0
    for what, passed_s, number in story:
        now_s += passed_s
        if what == "call" and not pace.wait_s(number, 0.0, now_s):
            assert now_s >= blocked_until_s
            out.append(pace.take(number, now_s))
            calls += 1
        elif what == "head" and out:
            pace.began(out[-1], Said(Figures(60, number % 61), Figures(60_000, number * 10)), now_s)
            assert pace.requests.level <= number % 61
            assert pace.inputs.level <= number * 10 + 500
        elif out:
            after_s = number / 1000 if what == "429" else None
            outcome = Outcome(kind=OutcomeKind.RATE_LIMITED, retry_after_s=after_s) if what == "429" else ANSWERED
            pace.ended(out.pop(), outcome, Usage(input_tokens=number), now_s)
            blocked_until_s = max(blocked_until_s, now_s + (after_s or 0.0))
    assert calls <= 60 + now_s + 1e-6
    for taken in out:
        pace.ended(taken, None, None, now_s)
    assert pace.in_flight == 0
