"""Every story that three models can have, and what `next_move` says at each step of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from router.decide.fallback import (
    CALLS,
    REACTIONS,
    SLOW,
    THROTTLED,
    Move,
    Send,
    Serve,
    Spell,
    Stop,
    Terms,
    Tried,
    next_move,
    patience_s,
)
from router.decide.ladder import Rung, ladder
from router.decide.policy import Fallbacks, Reactions
from router.decide.policy.failing import OutcomeName
from router.vocabulary import ANSWERS, UNSENT, Billed, Choice, Facts, Outcome, OutcomeKind, Words

from ..rulebooks import default_rules

K = OutcomeKind
RULES = Fallbacks()
TERMS = Terms(rules=RULES)
RUNGS = (Rung("small", "haiku", 0), Rung("middle", "sonnet", 1), Rung("large", "opus", 2))
FAILURES = tuple(kind for kind in OutcomeKind if kind not in ANSWERS)
RETRY_AFTERS_S = (None, 0.5, 2.0, 2.1, 30.0)
WHOLE_S = 60.0


def endings() -> Iterator[Outcome]:
    for kind in FAILURES:
        for retry_after_s in RETRY_AFTERS_S if kind in (K.RATE_LIMITED, K.OVERLOADED) else (None,):
            yield Outcome(kind=kind, retry_after_s=retry_after_s)
    yield Outcome(kind=K.SERVER_ERROR, should_retry=False)


def move_after(*tried: Tried, rungs: int = 3, left_s: float = WHOLE_S, dice: float = 1.0, terms: Terms = TERMS) -> Move:
    return next_move(tried, RUNGS[:rungs], terms, Spell(left_s, WHOLE_S), dice)


def after(kind: OutcomeKind, *actions: str, **more: object) -> Terms:
    reactions: Reactions = {kind.value: actions}  # type: ignore[dict-item]
    return Terms(rules=RULES, on=(reactions,), **more)  # type: ignore[arg-type]


def stories(rungs: int, dice: float) -> Iterator[tuple[tuple[Tried, ...], Send | Stop]]:
    """Every reachable story of failures, with the move that follows it."""
    first = move_after(rungs=rungs, dice=dice)
    assert isinstance(first, Send)
    open_ends: list[tuple[tuple[Tried, ...], Send]] = [((), first)]
    while open_ends:
        tried, move = open_ends.pop()
        for outcome in endings():
            story = (*tried, Tried(move.rung, outcome))
            following = move_after(*story, rungs=rungs, dice=dice)
            assert not isinstance(following, Serve)
            yield story, following
            if isinstance(following, Send):
                open_ends.append((story, following))


def sent(story: tuple[Tried, ...]) -> list[Tried]:
    return [step for step in story if step.outcome.kind not in UNSENT]


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_no_story_of_three_models_breaks_a_promise(dice: float) -> None:
    """At most three calls, never earlier than told, no model twice but where its failure allows, never past a
    hopeless end."""
    seen = 0
    for story, move in stories(3, dice):
        seen += 1
        assert len(sent(story)) <= RULES.attempts
        last = story[-1]
        actions = REACTIONS[last.outcome.kind]
        if isinstance(move, Stop):
            assert set(move.then) == set(actions) - CALLS
            continue
        assert len(sent(story)) < RULES.attempts
        assert CALLS & set(actions)
        if move.rung == last.rung:
            assert {"retry", "wait"} & set(actions)
            assert len([step for step in story if step.rung == last.rung]) == 1
            assert last.outcome.should_retry is not False
            assert move.wait_s >= (last.outcome.retry_after_s or 0.0)
            assert (last.outcome.retry_after_s or 0.0) <= RULES.wait_max_s
        else:
            assert move.rung not in {step.rung for step in story}
            assert move.wait_s == 0.0
    assert seen > 5_000


@pytest.mark.parametrize("kind", sorted(ANSWERS - {K.BROKEN_CONTRACT, K.DISAGREED}))
def test_an_answer_is_served(kind: OutcomeKind) -> None:
    assert move_after(Tried(0, Outcome(kind=kind))) == Serve(0)


def test_an_answer_that_breaks_its_contract_goes_up_and_is_served_when_nothing_better_comes() -> None:
    broken = Tried(0, Outcome(kind=K.BROKEN_CONTRACT))
    up = move_after(broken)
    assert isinstance(up, Send)
    assert (up.rung, up.cost) == (1, 0.0)
    assert move_after(broken, rungs=1) == Serve(0)
    assert move_after(broken, Tried(1, Outcome(kind=K.SPEND_LIMITED))) == Serve(0)
    assert move_after(broken, Tried(1, Outcome(kind=K.BREAKER_OPEN)), Tried(2, Outcome(kind=K.ANSWERED))) == Serve(1)


def test_a_policy_may_put_something_else_in_the_place_of_an_answer() -> None:
    terms = after(K.REFUSED, "up", "canned")
    refused = Tried(0, Outcome(kind=K.REFUSED))
    down = Outcome(kind=K.SPEND_LIMITED)
    assert move_after(refused, Tried(1, down), terms=terms) == Stop(
        "spend_limited, and nothing is left to try", ("canned",)
    )


@pytest.mark.parametrize("kind", FAILURES)
def test_nothing_is_sent_after_the_deadline(kind: OutcomeKind) -> None:
    assert isinstance(move_after(Tried(0, Outcome(kind=kind)), left_s=0.0), Stop)
    assert isinstance(move_after(left_s=0.0), Stop)


def test_a_short_retry_after_is_waited_for_in_full_and_a_little_more() -> None:
    limited = Tried(0, Outcome(kind=K.RATE_LIMITED, retry_after_s=2.0))
    assert move_after(limited, dice=0.5) == Send(0, 2.1, "rate_limited: the same model again", 1.0)


def test_a_long_retry_after_moves_on_at_once() -> None:
    limited = Tried(0, Outcome(kind=K.RATE_LIMITED, retry_after_s=30.0))
    assert move_after(limited) == Send(1, 0.0, "rate_limited: middle is next", 1.0)


@pytest.mark.parametrize("kind", sorted(THROTTLED))
def test_a_rate_limit_without_a_time_is_waited_for_only_when_there_is_no_other_model(kind: OutcomeKind) -> None:
    limited = Tried(0, Outcome(kind=kind))
    assert move_after(limited) == Send(1, 0.0, f"{kind.value}: middle is next", 1.0)
    assert move_after(limited, rungs=1, dice=0.5) == Send(0, 0.5, f"{kind.value}: the same model again", 1.0)
    assert isinstance(move_after(limited, limited, rungs=1), Stop)


def test_a_retry_after_that_does_not_fit_the_deadline_is_not_waited_for() -> None:
    limited = Tried(0, Outcome(kind=K.RATE_LIMITED, retry_after_s=2.0))
    assert isinstance(move_after(limited, rungs=1, left_s=1.0), Stop)


@pytest.mark.parametrize("kind", [K.SPEND_LIMITED, K.BILLING, K.AUTHENTICATION, K.PERMISSION])
def test_what_no_call_can_mend_is_never_waited_for(kind: OutcomeKind) -> None:
    hopeless = move_after(Tried(0, Outcome(kind=kind, retry_after_s=0.1, should_retry=True)))
    assert isinstance(hopeless, Stop)
    assert hopeless.then == ("stale", "canned")


def test_a_server_error_is_tried_again_once_and_then_moves_on() -> None:
    error = Outcome(kind=K.SERVER_ERROR)
    first = move_after(Tried(0, error), dice=0.5)
    second = move_after(Tried(0, error), Tried(0, error))
    assert (first, second) == (
        Send(0, 0.025, "server_error: the same model again", 1.0),
        Send(1, 0.0, "server_error: middle is next", 1.0),
    )


def test_a_call_that_was_sent_and_never_answered_costs_the_next_one_double() -> None:
    lost = move_after(Tried(0, Outcome(kind=K.CONNECTION_LOST, billed=Billed.UNKNOWN)))
    assert isinstance(lost, Send)
    assert lost.cost == 2.0


def test_where_a_gate_was_shut_nothing_was_sent_and_the_next_call_is_the_first() -> None:
    shut = [Tried(rung, Outcome(kind=K.BREAKER_OPEN)) for rung in (0, 1)]
    assert move_after(*shut) == Send(2, 0.0, "breaker_open: large is next", 0.0)
    assert isinstance(move_after(*shut, Tried(2, Outcome(kind=K.HELD_BACK))), Stop)


@pytest.mark.parametrize("kind", sorted(SLOW))
def test_a_timeout_moves_on_only_while_two_fifths_of_the_deadline_are_left(kind: OutcomeKind) -> None:
    slow = Tried(0, Outcome(kind=kind))
    assert isinstance(move_after(slow, left_s=25.0), Send)
    assert isinstance(move_after(slow, left_s=23.0), Stop)


def test_each_action_looks_in_its_own_direction() -> None:
    middle = Tried(1, Outcome(kind=K.OVERLOADED))
    to = {}
    for action in ("up", "down", "next", "sibling", "escalate"):
        move = move_after(middle, terms=after(K.OVERLOADED, action))
        to[action] = move.rung if isinstance(move, Send) else None
    assert to == {"up": 2, "down": 0, "next": 0, "sibling": None, "escalate": 2}


def test_the_nearest_word_of_the_policy_counts() -> None:
    near: Reactions = {"overloaded": ("fail",)}
    far: Reactions = {"overloaded": ("next",), "refused": ("up", "serve")}
    terms = Terms(rules=RULES, on=(near, far))
    assert isinstance(move_after(Tried(0, Outcome(kind=K.OVERLOADED)), terms=terms), Stop)
    assert isinstance(move_after(Tried(0, Outcome(kind=K.REFUSED)), terms=terms), Send)


def test_under_pressure_a_request_that_nobody_waits_for_is_put_off_before_anything_stands_in() -> None:
    terms = Terms(rules=RULES, puts_off=True)
    assert move_after(Tried(0, Outcome(kind=K.OVERLOADED)), rungs=1, terms=terms) == Stop(
        "overloaded, and nothing is left to try", ("defer", "stale", "canned")
    )
    refused = move_after(Tried(0, Outcome(kind=K.SPEND_LIMITED)), rungs=1, terms=terms)
    assert isinstance(refused, Stop)
    assert "defer" not in refused.then


def test_a_caller_who_asks_to_be_put_off_is_before_he_gets_a_canned_reply() -> None:
    terms = Terms(rules=RULES, asks_to_put_off=True)
    stopped = move_after(Tried(0, Outcome(kind=K.SERVER_ERROR)), rungs=1, left_s=0.0, terms=terms)
    assert isinstance(stopped, Stop)
    assert stopped.then == ("stale", "defer", "canned")


def test_a_model_may_take_half_of_the_time_while_another_could_still_answer() -> None:
    tried = (Tried(0, Outcome(kind=K.TIMED_OUT)),)
    assert patience_s((), RUNGS, TERMS, Spell(60.0, 60.0)) == 30.0
    assert patience_s(tried, RUNGS, TERMS, Spell(55.0, 60.0)) == 27.5
    assert patience_s(tried, RUNGS, TERMS, Spell(30.0, 60.0)) == 30.0, "too little would be left for a third"
    assert patience_s((), RUNGS[:1], TERMS, Spell(60.0, 60.0)) == 60.0
    assert patience_s((*tried, *tried), RUNGS, TERMS, Spell(10.0, 60.0)) == 10.0, (
        "the last attempt has all the time there is"
    )


def test_every_outcome_but_the_good_one_has_a_reaction_and_a_name_in_the_policy() -> None:
    assert set(REACTIONS) == set(OutcomeKind) - {K.ANSWERED}
    ours = {K.ANSWERED.value, K.CALLER_GONE.value, K.DRAINING.value}
    assert set(get_args(OutcomeName)) == {kind.value for kind in OutcomeKind} - ours


def test_the_table_in_the_docs_is_the_table_in_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fallbacks.md").read_text()
    documented = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] in set(OutcomeKind):
            documented[cells[0]] = tuple(cells[2].split(", "))
    assert documented == {kind.value: actions for kind, actions in REACTIONS.items()}


def tiers(choice: Choice, facts: Facts = Facts(), words: Words = Words()) -> list[str | None]:
    return [rung.tier for rung in ladder(choice, facts, words, default_rules())]


SONNET = Choice(tier="sonnet", model="claude-sonnet-5-5", task="general", reason="")


def test_the_ladder_climbs_to_the_ceiling_and_then_goes_down() -> None:
    assert tiers(SONNET) == ["sonnet", "opus", "haiku"]


def test_a_running_conversation_only_climbs() -> None:
    assert tiers(SONNET, Facts(turns=3)) == ["sonnet", "opus"]


def test_a_named_model_stands_alone() -> None:
    named = Choice(tier="sonnet", model="claude-sonnet-5-5", task="general", reason="", named_by_caller=True)
    assert tiers(named) == ["sonnet"]


@pytest.mark.parametrize("fallback", ["same", "off"])
def test_a_caller_may_ask_for_one_model_only(fallback: str) -> None:
    assert tiers(SONNET, words=Words(fallback=fallback)) == ["sonnet"]
