"""What to do next when an attempt ended: serve it, try again, move on, or stop.

`next_move` is a pure step function over the story so far; `dispatch.py` makes the move and comes
back. REACTIONS is the machine: one row for each outcome, in the words of the policy, which may say
otherwise. docs/fallbacks.md is drawn from it.
Rule: no clock, no dice: the seconds left and one throw of the dice are arguments.
"""

from __future__ import annotations

import msgspec

from ..vocabulary import ANSWERS, UNSENT, Billed, Outcome, OutcomeKind
from .ladder import Rung
from .policy import Action, Fallbacks, Reactions


class Tried(msgspec.Struct, frozen=True):
    """A step of the story: which rung, and how it ended. Where a gate was shut, nothing was sent."""

    rung: int
    outcome: Outcome


class Send(msgspec.Struct, frozen=True, tag=True):
    rung: int
    wait_s: float
    reason: str
    cost: float = 0.0  # in the retry budget of the model that is asked


class Serve(msgspec.Struct, frozen=True, tag=True):
    """An attempt's answer is the answer: which one, counted among those that were sent."""

    attempt: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    reason: str
    then: tuple[Action, ...] = ()  # what may stand in for an answer, in this order; where nothing can, it fails
    serves: int | None = None  # the attempt whose answer `serve` means, counted as in Serve


Move = Send | Serve | Stop
K = OutcomeKind

_KEPT: tuple[Action, ...] = ("stale", "canned")
_MOVE_ON: tuple[Action, ...] = ("next", *_KEPT)
_ONCE_MORE: tuple[Action, ...] = ("retry", *_MOVE_ON)
_LIMITED: tuple[Action, ...] = ("wait", "next", "retry", *_KEPT)
_SERVE: tuple[Action, ...] = ("serve",)
_FAIL: tuple[Action, ...] = ("fail",)

REACTIONS: dict[OutcomeKind, tuple[Action, ...]] = {
    K.RATE_LIMITED: _LIMITED,
    K.RAMP_LIMITED: _LIMITED,
    K.SPEND_LIMITED: _KEPT,
    K.BILLING: _KEPT,
    K.AUTHENTICATION: _KEPT,
    K.PERMISSION: _KEPT,
    K.REDIRECTED: _KEPT,
    K.OVERLOADED: _MOVE_ON,
    K.HELD_BACK: _MOVE_ON,
    K.BREAKER_OPEN: _MOVE_ON,
    K.SERVER_ERROR: _ONCE_MORE,
    K.CONNECT_FAILED: _ONCE_MORE,
    K.CONNECTION_LOST: _ONCE_MORE,
    K.CONFLICT: _ONCE_MORE,
    K.UPSTREAM_TIMEOUT: _MOVE_ON,
    K.TIMED_OUT: _MOVE_ON,
    K.STALLED: _MOVE_ON,
    K.CUT: _MOVE_ON,
    K.STREAM_ERROR: _MOVE_ON,
    K.BAD_ANSWER: _MOVE_ON,
    K.TOO_BIG: _MOVE_ON,
    K.NOT_FOUND: _MOVE_ON,
    K.BAD_REQUEST: _FAIL,
    K.TOO_LARGE: _FAIL,
    K.CALLER_GONE: _FAIL,
    K.DEADLINE: _KEPT,
    K.DRAINING: _KEPT,
    K.REFUSED: _SERVE,
    K.CUT_AT_MAX_TOKENS: _SERVE,
    K.CONTEXT_EXCEEDED: _SERVE,
    K.EMPTY: _SERVE,
    K.BROKEN_CONTRACT: ("escalate", "serve"),
    K.DISAGREED: ("escalate", "serve"),
}
# Under pressure a request that nobody waits for is put off before anything else stands in for it.
PUT_OFF: frozenset[OutcomeKind] = frozenset({K.RATE_LIMITED, K.RAMP_LIMITED, K.OVERLOADED, K.HELD_BACK, K.BREAKER_OPEN})
# After these, so much of the whole time must be left to go on: the next model needs time too.
SLOW = frozenset({K.UPSTREAM_TIMEOUT, K.TIMED_OUT, K.STALLED})
SLOW_SHARE = 0.4
THROTTLED = frozenset({K.RATE_LIMITED, K.RAMP_LIMITED})
CALLS: frozenset[Action] = frozenset({"retry", "wait", "sibling", "up", "down", "next", "escalate"})
# Of the time that is left, what a model may take to begin while another one could still be asked.
PATIENCE = 0.5


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one request: the policy's rules, and its reactions from the nearest to the farthest."""

    rules: Fallbacks
    on: tuple[Reactions, ...] = ()
    puts_off: bool = False  # nobody waits for it, and it can be put off
    asks_to_put_off: bool = False  # its caller would rather wait for an answer than get none

    def actions(self, kind: OutcomeKind) -> tuple[Action, ...]:
        usual = REACTIONS[kind] if kind is not K.ANSWERED else _SERVE
        said = next((reactions[kind.value] for reactions in self.on if kind.value in reactions), None)
        if said is None and self.puts_off and kind in PUT_OFF:
            return (*(action for action in usual if action in CALLS), "defer", *_KEPT)
        actions = usual if said is None else said
        if self.asks_to_put_off and "canned" in usual and "defer" not in actions:
            return _before_canned(actions)
        return actions


def _before_canned(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """To be answered later is better than the policy's own words, and than none."""
    at = next((place for place, action in enumerate(actions) if action in ("canned", "fail")), len(actions))
    return (*actions[:at], "defer", *actions[at:])


class Spell(msgspec.Struct, frozen=True):
    """How much time is left of how much, in seconds."""

    left_s: float
    whole_s: float


def next_move(tried: tuple[Tried, ...], rungs: tuple[Rung, ...], terms: Terms, spell: Spell, dice: float) -> Move:
    """The next step of a request's story."""
    if not tried:
        late = Stop("the deadline passed before the first attempt", terms.actions(K.DEADLINE))
        return Send(0, 0.0, "first attempt") if spell.left_s > 0 else late
    last = tried[-1]
    kind = last.outcome.kind
    if kind is K.ANSWERED:
        return Serve(_sent(tried) - 1)
    actions = terms.actions(kind)
    trouble = _no_more_calls(tried, terms, spell)
    for action in actions:
        if action not in CALLS:
            break
        move = None if trouble else _call(action, tried, rungs, (terms, spell, dice))
        if move is not None:
            return move
    return give_up(tried, terms, trouble or "nothing is left to try")


def patience_s(tried: tuple[Tried, ...], rungs: tuple[Rung, ...], terms: Terms, spell: Spell) -> float:
    """How long the next call may take to begin: all the time that is left, unless another could follow it."""
    left_s = spell.left_s
    asked = {step.rung for step in tried}
    others = len(rungs) - len(asked) - 1
    if others <= 0 or _sent(tried) + 1 >= terms.rules.attempts or not CALLS & set(terms.actions(K.TIMED_OUT)):
        return left_s
    if left_s * (1 - PATIENCE) <= spell.whole_s * SLOW_SHARE:
        return left_s  # too little would be left for another
    return left_s * PATIENCE


def _no_more_calls(tried: tuple[Tried, ...], terms: Terms, spell: Spell) -> str | None:
    if _sent(tried) >= terms.rules.attempts:
        return f"that was the last of {terms.rules.attempts} attempts"
    slow = tried[-1].outcome.kind in SLOW
    if spell.left_s <= (spell.whole_s * SLOW_SHARE if slow else 0.0):
        return "too little time is left to go on"
    return None


def give_up(tried: tuple[Tried, ...], terms: Terms, trouble: str) -> Serve | Stop:
    """No further call: an answer that came before is better than none, unless the policy wants something else."""
    kind = tried[-1].outcome.kind
    answers = [step for step in tried if step.outcome.kind in ANSWERS]
    judged = answers[-1].outcome.kind if answers else kind
    then = tuple(action for action in terms.actions(judged) if action not in CALLS)
    serves = _sent(tried[: tried.index(answers[-1]) + 1]) - 1 if answers else None
    if serves is not None and (not then or then[0] == "serve"):
        return Serve(serves)
    return Stop(f"{kind.value}, and {trouble}", then, serves if "serve" in then else None)


def _call(
    action: Action, tried: tuple[Tried, ...], rungs: tuple[Rung, ...], given: tuple[Terms, Spell, float]
) -> Send | None:
    terms, spell, dice = given
    last = tried[-1]
    kind, cost = last.outcome.kind, cost_of_another(tried)
    if action in ("retry", "wait"):
        wait_s = _wait_s(action, tried, terms, dice)
        if wait_s is None or wait_s >= spell.left_s:
            return None
        return Send(last.rung, wait_s, f"{kind.value}: the same model again", cost)
    found = _other(action, tried, rungs)
    return None if found is None else Send(found, 0.0, f"{kind.value}: {rungs[found].model} is next", cost)


def _wait_s(action: Action, tried: tuple[Tried, ...], terms: Terms, dice: float) -> float | None:
    """How long to wait before the same model is asked again; None: it is not."""
    last, rules = tried[-1].outcome, terms.rules
    asked = sum(1 for step in tried if step.rung == tried[-1].rung and step.outcome.kind not in UNSENT)
    allowed = sum(1 for one in terms.actions(last.kind) if one in ("retry", "wait"))
    # Two words for one throttled call, waiting as told or by our own guess, are not two calls.
    allowed = min(allowed, 1) if last.kind in THROTTLED else allowed
    if asked > allowed or last.should_retry is False or last.kind in UNSENT:
        return None
    told_s = last.retry_after_s
    if told_s is not None:
        # Full jitter on top of what was told, never below it: retrying earlier fails.
        return None if told_s > rules.wait_max_s else told_s + dice * min(1.0, told_s / 10)
    if action == "wait":
        return None
    base_ms = rules.throttle_backoff_ms if last.kind in THROTTLED else rules.backoff_ms
    return dice * min(float(base_ms) * 2.0 ** (asked - 1), rules.backoff_max_ms) / 1000


def _other(action: Action, tried: tuple[Tried, ...], rungs: tuple[Rung, ...]) -> int | None:
    """The first rung that was not asked yet and lies where the action looks."""
    asked = {step.rung for step in tried}
    here = rungs[tried[-1].rung]
    for place, rung in enumerate(rungs):
        if place not in asked and _lies(action, rung, here):
            return place
    return None


def _lies(action: Action, rung: Rung, here: Rung) -> bool:
    if action == "sibling":
        return rung.rank == here.rank
    if action in ("up", "escalate"):
        return rung.rank > here.rank
    return action == "next" or rung.rank < here.rank


def cost_of_another(tried: tuple[Tried, ...]) -> float:
    """What one more call costs in the retry budget: double after one that was sent and may still be running."""
    last = next((step.outcome for step in reversed(tried) if step.outcome.kind not in UNSENT), None)
    if last is None or last.kind in ANSWERS:
        return 0.0
    return 2.0 if last.billed is Billed.UNKNOWN else 1.0


def _sent(tried: tuple[Tried, ...]) -> int:
    return sum(1 for step in tried if step.outcome.kind not in UNSENT)
