"""When a model is left alone: closed, open, or half-open with one probe; and the same for the key behind all models.

COUNTS is the table: what each outcome says of the model. A `Circuit` is the machine of one model, a `Credential`
that of the key: a burst of refused keys is an outage, a single one is nothing.
Rule: pure: the time and one throw of the dice are arguments. Calls are counted when they are sent: counting them
when they end would hide an overload, and would take fast failures beside slow answers for an outage.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from math import inf
from typing import Literal

import msgspec

from ..vocabulary import Outcome, OutcomeKind
from .policy.failing import Breaker
from .window import Window

State = Literal["closed", "open", "half_open"]
MISSING_S = 60.0  # a model that the API does not know is left alone for so long
KNOWN_S = 600.0  # a model that answered so lately is known: what was not found is something else
HURRIED_S = 1.0  # where nothing else answers, a model is left alone no longer than this
SHUT_OUT_CALLS, SHUT_OUT_S = 5, 10.0  # so many refused keys in so short a time are an outage
FORBIDDING_MODELS = 2
KEY_PROBE_S = 5.0
PROBE = -1  # the slot of a probe, which is in no window
DOUBLINGS_MAX = 20


class Sign(Enum):
    """What an outcome says of the model."""

    ANSWERED = "answered"
    FAILED = "failed"
    NOTHING = "nothing"
    MISSING = "missing"
    SHUT_OUT = "shut_out"  # of the key, not of the model
    FORBIDDEN = "forbidden"  # of the key, or of this model or request alone


K = OutcomeKind
COUNTS: dict[OutcomeKind, Sign] = {
    K.ANSWERED: Sign.ANSWERED,
    K.REFUSED: Sign.ANSWERED,
    K.CUT_AT_MAX_TOKENS: Sign.ANSWERED,
    K.CONTEXT_EXCEEDED: Sign.ANSWERED,
    K.EMPTY: Sign.ANSWERED,
    K.BROKEN_CONTRACT: Sign.ANSWERED,
    K.DISAGREED: Sign.ANSWERED,
    K.OVERLOADED: Sign.FAILED,
    K.SERVER_ERROR: Sign.FAILED,
    K.UPSTREAM_TIMEOUT: Sign.FAILED,
    K.CONNECT_FAILED: Sign.FAILED,
    K.CONNECTION_LOST: Sign.FAILED,
    K.TIMED_OUT: Sign.FAILED,
    K.STALLED: Sign.FAILED,
    K.CUT: Sign.FAILED,
    K.STREAM_ERROR: Sign.FAILED,
    K.BAD_ANSWER: Sign.FAILED,
    K.TOO_BIG: Sign.FAILED,
    K.REDIRECTED: Sign.FAILED,
    K.NOT_FOUND: Sign.MISSING,
    K.AUTHENTICATION: Sign.SHUT_OUT,
    K.PERMISSION: Sign.FORBIDDEN,
    K.BILLING: Sign.SHUT_OUT,
    # Limits are pace.py's; what is wrong with one request says nothing of the model; the rest is our own doing.
    K.RATE_LIMITED: Sign.NOTHING,
    K.RAMP_LIMITED: Sign.NOTHING,
    K.SPEND_LIMITED: Sign.NOTHING,
    K.BAD_REQUEST: Sign.NOTHING,
    K.TOO_LARGE: Sign.NOTHING,
    K.CONFLICT: Sign.NOTHING,
    K.HELD_BACK: Sign.NOTHING,
    K.BREAKER_OPEN: Sign.NOTHING,
    K.CALLER_GONE: Sign.NOTHING,
    K.DEADLINE: Sign.NOTHING,
    K.DRAINING: Sign.NOTHING,
}


def sign_of(outcome: Outcome | None) -> Sign:
    """An overload without a status is our own pool of connections: nothing was sent."""
    if outcome is None or (outcome.kind is K.OVERLOADED and not outcome.status):
        return Sign.NOTHING
    return COUNTS[outcome.kind]


class Entered(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A call that was let through: in which turn of the machine, and in which slot of its window."""

    turn: int
    slot: int


class Circuit:
    """Of one model."""

    __slots__ = (
        "_answered", "_answered_s", "_failed_probes", "_left_s", "_probes", "_proved", "_row", "_window",
        "state", "turn", "until_s",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state: State = "closed"
        self.turn = 0  # what entered in an earlier turn says nothing of this one
        self.until_s = 0.0  # how long it stays open
        self._left_s = 0.0  # since when it is left alone, or when the last probe went
        self._failed_probes = 0
        self._probes: list[Entered] = []  # under way, and not yet answered
        self._answered = 0  # probes in a row
        self._answered_s = -inf  # when it last was
        self._proved = True  # closed, and a whole answer came since
        self._row = 0  # failures in a row
        self._window = Window(10.0)

    def lets(self, now_s: float, hurried: bool = False) -> bool:
        """May a call go now? Asking changes nothing. `hurried`: nothing else answers, so one a second may."""
        if self.state == "closed" or (hurried and now_s >= self._left_s + HURRIED_S):
            return True
        return not self._probes and now_s >= self.until_s

    def open_for_s(self, now_s: float, hurried: bool = False) -> float | None:
        """How long until it may be worth asking again; None: as long as the probe under way takes."""
        if self.state == "closed":
            return 0.0
        most_s = max(0.0, self._left_s + HURRIED_S - now_s) if hurried else inf
        if self._probes:
            return most_s if hurried else None
        return min(max(0.0, self.until_s - now_s), most_s)

    def enter(self, now_s: float, rules: Breaker) -> Entered:
        """A call goes: only where `lets` says so. When the time of an open one is up, it is the probe."""
        if self.state == "closed":
            if self._window.window_s != rules.window_s:
                self._begin_turn("closed", rules)
            return Entered(self.turn, self._window.sent(now_s))
        assert self.lets(now_s, hurried=True), "one probe at a time"
        if self.state == "open":
            self.state, self._answered = "half_open", 0
        self._left_s = now_s
        self._probes.append(Entered(self.turn, PROBE))
        return self._probes[-1]

    def began(self, entered: Entered, now_s: float, rules: Breaker) -> bool:
        """A good answer begins: for a probe that is enough. Whether that closed the breaker."""
        self._answered_s = now_s
        return entered in self._probes and self._probed(entered, rules)

    def ended(self, entered: Entered, sign: Sign, now_s: float, dice: float, rules: Breaker) -> bool:
        """How a call ended. Whether that opened or closed the breaker."""
        if sign is Sign.MISSING and now_s - self._answered_s >= KNOWN_S:
            return self._open_until(now_s + MISSING_S, now_s, rules)
        if sign is Sign.ANSWERED:
            self._answered_s = now_s
        if entered.slot == PROBE:
            return self._probe_ended(entered, sign, now_s, dice, rules)
        if entered.turn != self.turn:
            return False
        window = self._window
        window.ended(entered.slot)
        if sign is Sign.ANSWERED:
            self._row, self._proved = 0, True
            return False
        if sign is not Sign.FAILED:
            window.take_back(entered.slot)
            return False
        window.failed_at(now_s)
        self._row += 1
        return self._is_failing(entered.slot, rules) and self._open(now_s, dice, rules)

    def heard_open(self, for_s: float, now_s: float, rules: Breaker) -> bool:
        """Another process opened its own: this one is open for at least as long."""
        return self._open_until(now_s + for_s, now_s, rules)

    def heard_closed(self, now_s: float) -> None:
        """Another process got answers: a probe may go now. It closes only on answers of its own."""
        if self.state == "open":
            self.until_s = min(self.until_s, now_s)

    def _is_failing(self, slot: int, rules: Breaker) -> bool:
        """Where calls are few, failures in a row: of calls that were sent one after the other, whatever ended first."""
        window = self._window
        calls = max(window.calls, window.failed)
        if calls < rules.min_calls:
            return self._row >= rules.in_a_row and not window.waits_for_earlier(slot)
        return window.failed >= calls * rules.failed_share

    def _probe_ended(self, entered: Entered, sign: Sign, now_s: float, dice: float, rules: Breaker) -> bool:
        is_under_way = entered in self._probes
        if sign is Sign.ANSWERED:
            return is_under_way and self._probed(entered, rules)
        if is_under_way:
            self._probes.remove(entered)
        if sign is Sign.FAILED and (is_under_way or self._rests_on(entered)):
            self._failed_probes += 1
            return self._open(now_s, dice, rules)
        return False

    def _rests_on(self, entered: Entered) -> bool:
        """Was it half-open or closed again because that probe's answer had begun, and nothing better came since?"""
        if self.state == "half_open":
            return entered.turn == self.turn
        return self.state == "closed" and not self._proved and entered.turn == self.turn - 1

    def _probed(self, entered: Entered, rules: Breaker) -> bool:
        """A probe is answered."""
        self._probes.remove(entered)
        self._answered += 1
        if self._answered < rules.close_after:
            return False
        self._failed_probes = 0
        self._begin_turn("closed", rules)
        self._proved = False
        return True

    def _open(self, now_s: float, dice: float, rules: Breaker) -> bool:
        """Doubled by each failed probe, and 20 % more or less, so that processes do not probe in step."""
        span_s = min(rules.open_s * 2 ** min(self._failed_probes, DOUBLINGS_MAX), rules.open_max_s)
        return self._open_until(now_s + min(span_s * (0.8 + 0.4 * dice), rules.open_max_s), now_s, rules)

    def _open_until(self, until_s: float, now_s: float, rules: Breaker) -> bool:
        was_open = self.state == "open"
        self._left_s = now_s
        self.until_s = max(self.until_s, until_s) if was_open else until_s
        if not was_open:
            self._begin_turn("open", rules)
        return not was_open

    def _begin_turn(self, state: State, rules: Breaker) -> None:
        self.state = state
        self.turn += 1
        self._probes = []
        self._row = self._answered = 0
        self._window = Window(rules.window_s)


class Credential:
    """Of the key. Shut out, it is tried once in a while, and one answer that begins opens everything again."""

    __slots__ = ("_forbidden_s", "_forbidding", "_probe_s", "_refused_s", "shut")

    def __init__(self) -> None:
        self.shut = False
        self._refused_s: deque[float] = deque(maxlen=SHUT_OUT_CALLS)
        self._forbidden_s: deque[float] = deque(maxlen=SHUT_OUT_CALLS)
        self._forbidding: dict[str, float] = {}  # which models said that something is not permitted, and when
        self._probe_s = 0.0  # not before then

    def wait_s(self, now_s: float) -> float:
        return max(0.0, self._probe_s - now_s) if self.shut else 0.0

    def enter(self, now_s: float) -> bool:
        """A call goes: only where there is no wait. Is it the probe?"""
        if self.shut:
            self._probe_s = now_s + KEY_PROBE_S
        return self.shut

    def answers(self, sent_s: float, is_probe: bool) -> bool:
        """A good answer began, so the key was good when that call was sent. Whether that opened it."""
        said_s = [*self._refused_s, *self._forbidden_s]
        if not is_probe and not (said_s and sent_s > min(said_s)):
            return False
        self._refused_s.clear()
        self._forbidden_s.clear()
        self._forbidding.clear()
        was_shut, self.shut = self.shut, False
        return was_shut

    def ended(self, model: str, sign: Sign, now_s: float) -> bool:
        """How a call ended. Whether that shut it."""
        if sign is Sign.SHUT_OUT:
            self._refused_s.append(now_s)
        elif sign is Sign.FORBIDDEN:
            self._forbidden_s.append(now_s)
            self._forbidding = {one: at_s for one, at_s in self._forbidding.items() if now_s - at_s <= SHUT_OUT_S}
            self._forbidding[model] = now_s
        else:
            return False
        return self._is_burst(now_s) and not self.shut and self.shut_for(KEY_PROBE_S, now_s)

    def _is_burst(self, now_s: float) -> bool:
        """What one model alone does not permit is a matter of that model, or of one caller's requests."""
        since_s = now_s - SHUT_OUT_S
        said_s = [*self._refused_s]
        if sum(at_s >= since_s for at_s in self._forbidding.values()) >= FORBIDDING_MODELS:
            said_s += self._forbidden_s
        return sum(at_s >= since_s for at_s in said_s) >= SHUT_OUT_CALLS

    def shut_for(self, seconds: float, now_s: float) -> bool:
        """Whether it was open until now."""
        was_open = not self.shut
        self.shut = True
        self._probe_s = max(self._probe_s, now_s + seconds)
        return was_open

    def heard_open(self, now_s: float) -> None:
        self._probe_s = min(self._probe_s, now_s)
