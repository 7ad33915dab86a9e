"""What to do next when an attempt ended: serve it, try again, move on, or stop.

`next_move` is a pure step function over the story so far; `dispatch.py` makes the move and comes
back. REACTIONS is the machine: one row for each outcome. docs/fallbacks.md is drawn from it.
Rule: no clock, no dice: the seconds left and one throw of the dice are arguments.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..vocabulary import ANSWERS, Choice, Facts, Outcome, OutcomeKind, Words
from .policy import Fallbacks, Rulebook
from .shape import fits
from .tier import tiers_from


class Rung(msgspec.Struct, frozen=True):
    """A model that may be asked, and the tier it stands for."""

    model: str
    tier: str | None


class Tried(msgspec.Struct, frozen=True):
    """An attempt in the story: which rung, and how it ended."""

    rung: int
    outcome: Outcome


class Send(msgspec.Struct, frozen=True, tag=True):
    rung: int
    wait_s: float
    reason: str


class Serve(msgspec.Struct, frozen=True, tag=True):
    """The last attempt's answer is the answer."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    reason: str
    canned: bool  # may a canned reply stand in? Not where the caller must change the request


Move = Send | Serve | Stop


class Reaction(NamedTuple):
    same: int  # how often the same model may be asked again
    throttled: bool  # which backoff: the long one after a rate limit
    other: bool  # may the next rung be asked
    canned: bool
    share_left: float = 0.0  # of the whole deadline that must be left to go on


K = OutcomeKind
_SLOW = Reaction(same=0, throttled=False, other=True, canned=True, share_left=0.4)
_MOVE_ON = Reaction(same=0, throttled=False, other=True, canned=True)
_ONCE_MORE = Reaction(same=1, throttled=False, other=True, canned=True)
_LIMITED = Reaction(same=1, throttled=True, other=True, canned=True)
_HOPELESS = Reaction(same=0, throttled=False, other=False, canned=True)
_CALLERS = Reaction(same=0, throttled=False, other=False, canned=False)

REACTIONS: dict[OutcomeKind, Reaction] = {
    K.RATE_LIMITED: _LIMITED,
    K.RAMP_LIMITED: _LIMITED,
    K.SPEND_LIMITED: _HOPELESS,
    K.BILLING: _HOPELESS,
    K.AUTHENTICATION: _HOPELESS,
    K.PERMISSION: _HOPELESS,
    K.REDIRECTED: _HOPELESS,
    K.OVERLOADED: _MOVE_ON,
    K.SERVER_ERROR: _ONCE_MORE,
    K.CONNECT_FAILED: _ONCE_MORE,
    K.CONNECTION_LOST: _ONCE_MORE,
    K.CONFLICT: _ONCE_MORE,
    K.UPSTREAM_TIMEOUT: _SLOW,
    K.TIMED_OUT: _SLOW,
    K.STALLED: _SLOW,
    K.CUT: _MOVE_ON,
    K.STREAM_ERROR: _MOVE_ON,
    K.BAD_ANSWER: _MOVE_ON,
    K.TOO_BIG: _MOVE_ON,
    K.NOT_FOUND: _MOVE_ON,
    K.BAD_REQUEST: _CALLERS,
    K.TOO_LARGE: _CALLERS,
    K.CALLER_GONE: _CALLERS,
    K.DEADLINE: _HOPELESS,
    K.DRAINING: _HOPELESS,
}


def ladder(choice: Choice, facts: Facts, words: Words, rules: Rulebook) -> tuple[Rung, ...]:
    """The models that may be asked, in order: the chosen one, its siblings, the tiers above it, those below it.

    A model that the caller named is never swapped. A running conversation only climbs: a model
    below could not read the thinking that the history carries.
    """
    first = Rung(choice.model, choice.tier)
    if choice.named_by_caller or choice.tier is None or words.fallback != "auto":
        return (first,)
    order = rules.tier_order
    ceiling = rules.policy.fallbacks.ceiling
    top = len(order) - 1 if ceiling is None else max(order.index(ceiling), order.index(choice.tier))
    lowest = order.index(choice.tier) if facts.turns > 1 or facts.has_thinking_blocks else 0
    others = (
        tier
        for tier in tiers_from(choice.tier, rules)[1:]
        if lowest <= order.index(tier) <= top and not rules.policy.tiers[tier].only_by_name
    )
    rungs = [rung for tier in (choice.tier, *others) for rung in _rungs_of(tier, rules)]
    # The choice may be a sibling already, or a model that a rule named: it is asked first, and once.
    fitting = (rung for rung in rungs if rung.model != first.model and fits(facts, rung.model, rules) is None)
    return (first, *fitting)


def _rungs_of(tier: str, rules: Rulebook) -> tuple[Rung, ...]:
    """The tier's own model, then its siblings."""
    part = rules.policy.tiers[tier]
    return tuple(Rung(rules.ids[name], tier) for name in (part.model, *part.siblings))


def next_move(
    tried: tuple[Tried, ...], rungs: int, rules: Fallbacks, left_s: float, whole_s: float, dice: float
) -> Move:
    """The next step of a request's story. `left_s` of `whole_s` seconds are left to its deadline."""
    if not tried:
        return (
            Send(0, 0.0, "first attempt") if left_s > 0 else Stop("the deadline passed before the first attempt", True)
        )
    last = tried[-1]
    kind = last.outcome.kind
    if kind in ANSWERS:
        return Serve()
    reaction = REACTIONS[kind]
    if len(tried) >= rules.attempts:
        return Stop(f"{kind.value} on the last of {rules.attempts} attempts", reaction.canned)
    if left_s <= whole_s * reaction.share_left:
        return Stop(f"{kind.value}, and too little time is left to go on", reaction.canned)
    again = _same_rung(tried, reaction, rules, left_s, dice)
    if again is not None and (rungs == last.rung + 1 or _is_worth_waiting(last.outcome, rules)):
        return again
    if reaction.other and last.rung + 1 < rungs:
        return Send(last.rung + 1, 0.0, f"{kind.value}: the next model")
    return Stop(f"{kind.value}, and nothing is left to try", reaction.canned)


def _same_rung(
    tried: tuple[Tried, ...], reaction: Reaction, rules: Fallbacks, left_s: float, dice: float
) -> Send | None:
    last = tried[-1]
    asked = sum(1 for attempt in tried if attempt.rung == last.rung)
    if asked > reaction.same or last.outcome.should_retry is False:
        return None
    told_s = last.outcome.retry_after_s
    if told_s is not None:
        # Full jitter on top of what was told, never below it: retrying earlier fails.
        wait_s = told_s + dice * min(1.0, told_s / 10)
        told_too_long = told_s > rules.wait_max_s
    else:
        base_ms = rules.throttle_backoff_ms if reaction.throttled else rules.backoff_ms
        wait_s = dice * min(base_ms * 2 ** (asked - 1), rules.backoff_max_ms) / 1000
        told_too_long = False
    if told_too_long or wait_s >= left_s:
        return None
    return Send(last.rung, wait_s, f"{last.outcome.kind.value}: the same model again")


def _is_worth_waiting(outcome: Outcome, rules: Fallbacks) -> bool:
    """With another rung in reach, a rate limit is only waited for when the API said how long."""
    if outcome.kind in (K.RATE_LIMITED, K.RAMP_LIMITED):
        return outcome.retry_after_s is not None and outcome.retry_after_s <= rules.wait_max_s
    return True
