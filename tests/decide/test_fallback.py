"""Every story that three models can have, and what `next_move` says at each step of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.decide.fallback import REACTIONS, Move, Send, Serve, Stop, Tried, ladder, next_move
from router.decide.policy import Fallbacks
from router.vocabulary import ANSWERS, Choice, Facts, Outcome, OutcomeKind, Words

from ..rulebooks import default_rules

RULES = Fallbacks()
FAILURES = tuple(kind for kind in OutcomeKind if kind not in ANSWERS)
RETRY_AFTERS_S = (None, 0.5, 2.0, 2.1, 30.0)
WHOLE_S = 60.0


def endings() -> Iterator[Outcome]:
    for kind in FAILURES:
        for retry_after_s in RETRY_AFTERS_S if kind in (OutcomeKind.RATE_LIMITED, OutcomeKind.OVERLOADED) else (None,):
            yield Outcome(kind=kind, retry_after_s=retry_after_s)
    yield Outcome(kind=OutcomeKind.SERVER_ERROR, should_retry=False)


def move_after(tried: tuple[Tried, ...], *, rungs: int = 3, left_s: float = WHOLE_S, dice: float = 1.0) -> Move:
    return next_move(tried, rungs, RULES, left_s, WHOLE_S, dice)


def stories(rungs: int, dice: float) -> Iterator[tuple[tuple[Tried, ...], Send | Stop]]:
    """Every reachable story of failures, with the move that follows it."""
    first = move_after((), rungs=rungs, dice=dice)
    assert isinstance(first, Send)
    open_ends: list[tuple[tuple[Tried, ...], Send]] = [((), first)]
    while open_ends:
        tried, move = open_ends.pop()
        for outcome in endings():
            story = (*tried, Tried(move.rung, outcome))
            following = move_after(story, rungs=rungs, dice=dice)
            assert not isinstance(following, Serve)
            yield story, following
            if isinstance(following, Send):
                open_ends.append((story, following))


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_no_story_of_three_models_breaks_a_promise(dice: float) -> None:
    """At most three calls, never earlier than told, never back down the ladder, never past a hopeless end."""
    seen = 0
    for story, move in stories(3, dice):
        seen += 1
        assert len(story) <= RULES.attempts
        last = story[-1]
        if isinstance(move, Stop):
            assert move.canned == REACTIONS[last.outcome.kind].canned
            continue
        assert len(story) < RULES.attempts
        assert move.rung in (last.rung, last.rung + 1)
        reaction = REACTIONS[last.outcome.kind]
        if move.rung == last.rung:
            assert reaction.same >= sum(1 for tried in story if tried.rung == last.rung)
            assert last.outcome.should_retry is not False
            assert move.wait_s >= (last.outcome.retry_after_s or 0.0)
            assert (last.outcome.retry_after_s or 0.0) <= RULES.wait_max_s
        else:
            assert reaction.other
            assert move.wait_s == 0.0
    assert seen > 5_000


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_an_answer_is_served(kind: OutcomeKind) -> None:
    assert move_after((Tried(0, Outcome(kind=kind)),)) == Serve()


@pytest.mark.parametrize("kind", FAILURES)
def test_nothing_is_sent_after_the_deadline(kind: OutcomeKind) -> None:
    assert isinstance(move_after((Tried(0, Outcome(kind=kind)),), left_s=0.0), Stop)
    assert isinstance(move_after((), left_s=0.0), Stop)


def test_a_short_retry_after_is_waited_for_in_full_and_a_little_more() -> None:
    limited = Tried(0, Outcome(kind=OutcomeKind.RATE_LIMITED, retry_after_s=2.0))
    assert move_after((limited,), dice=0.5) == Send(0, 2.1, "rate_limited: the same model again")


def test_a_long_retry_after_moves_on_at_once() -> None:
    limited = Tried(0, Outcome(kind=OutcomeKind.RATE_LIMITED, retry_after_s=30.0))
    assert move_after((limited,)) == Send(1, 0.0, "rate_limited: the next model")


def test_a_retry_after_that_does_not_fit_the_deadline_is_not_waited_for() -> None:
    limited = Tried(0, Outcome(kind=OutcomeKind.RATE_LIMITED, retry_after_s=2.0))
    assert isinstance(move_after((limited,), rungs=1, left_s=1.0), Stop)


def test_a_server_error_is_tried_again_once_and_then_moves_on() -> None:
    error = Outcome(kind=OutcomeKind.SERVER_ERROR)
    first = move_after((Tried(0, error),), dice=0.5)
    second = move_after((Tried(0, error), Tried(0, error)))
    assert (first, second) == (
        Send(0, 0.025, "server_error: the same model again"),
        Send(1, 0.0, "server_error: the next model"),
    )


def test_a_timeout_moves_on_only_while_two_fifths_of_the_deadline_are_left() -> None:
    slow = (Tried(0, Outcome(kind=OutcomeKind.TIMED_OUT)),)
    assert isinstance(move_after(slow, left_s=25.0), Send)
    assert isinstance(move_after(slow, left_s=23.0), Stop)


def test_every_outcome_that_is_no_answer_has_a_reaction() -> None:
    assert set(REACTIONS) == set(FAILURES)


def test_the_table_in_the_docs_is_the_table_in_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fallbacks.md").read_text()
    documented = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0] in set(OutcomeKind):
            documented[cells[0]] = (cells[2] != "no", cells[3] != "no", cells[4] == "yes")
    coded = {kind.value: (row.same > 0, row.other, row.canned) for kind, row in REACTIONS.items()}
    assert documented == coded


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
