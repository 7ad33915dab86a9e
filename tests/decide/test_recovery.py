"""After a refusal that said for how long, one call goes first."""

from __future__ import annotations

import pytest

from router.decide.recovery import Recovery
from router.vocabulary import Outcome, OutcomeKind

K = OutcomeKind
ANSWERED = Outcome(kind=K.ANSWERED, status=200)
LIMITED = Outcome(kind=K.RATE_LIMITED, status=429)


def blocked() -> Recovery:
    recovery = Recovery()
    recovery.blocked()
    return recovery


def test_nobody_is_a_probe_while_nothing_was_refused() -> None:
    recovery = Recovery()
    recovery.sent("first")
    assert (False, False) == (recovery.on, recovery.probing)


def test_the_first_call_after_it_is_the_probe_and_its_answer_ends_it() -> None:
    recovery = blocked()
    recovery.sent("probe")
    recovery.sent("no probe")
    recovery.ended("no probe", ANSWERED)
    assert recovery.probing
    recovery.ended("probe", ANSWERED)
    assert (False, False) == (recovery.on, recovery.probing)


def test_an_answer_that_runs_on_ends_it_too() -> None:
    recovery = blocked()
    recovery.sent("probe")
    recovery.answers("another")
    assert recovery.on
    recovery.answers("probe")
    assert not recovery.on


def test_a_probe_that_is_refused_is_followed_by_another_and_said() -> None:
    recovery = blocked()
    recovery.sent("probe")
    recovery.ended("probe", LIMITED)
    assert (True, True, False) == (recovery.on, recovery.refused_again, recovery.probing)
    recovery.sent("next")
    recovery.ended("next", ANSWERED)
    assert (False, False) == (recovery.on, recovery.refused_again)


@pytest.mark.parametrize("outcome", [None, Outcome(kind=K.CONNECT_FAILED), Outcome(kind=K.OVERLOADED, status=529)])
def test_a_probe_that_says_nothing_is_followed_by_another(outcome: Outcome | None) -> None:
    recovery = blocked()
    recovery.sent("probe")
    recovery.ended("probe", outcome)
    assert (True, False) == (recovery.on, recovery.probing)
