"""How many calls at once a model is given: more while it answers, fewer when it is too much for it.

Rule: pure; the time is an argument. The signal is the time to the first byte: how long an answer takes says how long
the answer is, not how busy the model is.
"""

from __future__ import annotations

from math import inf

from ..vocabulary import Outcome, OutcomeKind
from .policy.failing import Pacing

K = OutcomeKind
# "It was too much for it." An overload without a status is our own pool of connections.
LOSSES = frozenset({K.RATE_LIMITED, K.RAMP_LIMITED, K.OVERLOADED, K.TIMED_OUT, K.UPSTREAM_TIMEOUT, K.STALLED})
SHRINK, SHRINK_EVERY_S = 0.9, 1.0
WEIGHT = 1 / 16  # of one answer in the short average
SETTLED_AFTER = 16  # answers: before, the average is no more than its first figures
LOW_FOR_S = 300.0  # what was low is forgotten after one to two of these
SLOW = 2.0  # times the low: it grows no further
LET_IN_S, LET_IN = 0.5, 2.0  # a call that is refused is refused sooner, and sooner than so many times the low


def is_loss(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.kind in LOSSES and (outcome.status > 0 or outcome.kind is not K.OVERLOADED)


class FirstBytes:
    """The short average of the time to the first byte, and the lowest that it has been for a long while."""

    __slots__ = ("_low_s", "_next_low_s", "_seen", "_since_s", "average_s")

    def __init__(self) -> None:
        self.average_s = 0.0
        self._seen = 0
        self._low_s = self._next_low_s = inf
        self._since_s = -inf

    @property
    def slow(self) -> bool:
        return self.average_s > SLOW * self._low_s

    @property
    def let_in_s(self) -> float:
        """What runs for so long without a refusal was let in."""
        return max(LET_IN_S, LET_IN * self._low_s) if self._low_s < inf else LET_IN_S

    def saw(self, took_s: float, now_s: float) -> None:
        self._seen += 1
        weight = max(WEIGHT, 1 / self._seen)
        self.average_s += weight * (took_s - self.average_s)
        if self._seen < SETTLED_AFTER:
            return
        if now_s - self._since_s >= LOW_FOR_S:
            self._low_s, self._next_low_s, self._since_s = self._next_low_s, inf, now_s
        self._next_low_s = min(self._next_low_s, self.average_s)
        self._low_s = min(self._low_s, self._next_low_s)


class Crowd:
    """Of one model."""

    __slots__ = ("_limit", "_lost", "_shrunk_s", "first_bytes", "in_flight", "low_in_flight")

    def __init__(self, rules: Pacing) -> None:
        self.in_flight = 0
        self.low_in_flight = 0  # of these, not interactive
        self.first_bytes = FirstBytes()
        self._limit = float(rules.start)
        self._lost = False
        self._shrunk_s = -inf

    def limit(self, rules: Pacing) -> int:
        """A policy that was loaded anew may have other bounds. `least` wins over `most`."""
        return int(max(min(self._limit, rules.most), rules.least))

    def has_room(self, rules: Pacing) -> bool:
        return self.in_flight < self.limit(rules)

    def has_guest_room(self, rules: Pacing) -> bool:
        """For who comes from another model that failed: what is kept free stays free for this model's own."""
        return self.in_flight < self._share(rules)

    def has_low_room(self, rules: Pacing, drips: bool) -> bool:
        """For what is not interactive: its own share, and what is kept free stays free.

        `drips`: it waited long beside interactive calls that do not fill the model, so one may go all the same.
        """
        share = self._share(rules)
        return self.low_in_flight < share and self.in_flight < (self.limit(rules) if drips else share)

    def enter(self, low: bool, rules: Pacing) -> bool:
        """A call goes. Was at least half the limit in use? Only then does its answer say that more would fit."""
        self.in_flight += 1
        self.low_in_flight += low
        return self.in_flight * 2 >= self.limit(rules)

    def left(self, low: bool) -> None:
        self.in_flight -= 1
        self.low_in_flight -= low
        assert self.in_flight >= self.low_in_flight >= 0, "what leaves had entered"

    def answered(self, busy: bool, rules: Pacing) -> None:
        """One more for each answer, which doubles it with every round, until the first loss; then one a round."""
        if not busy or self.first_bytes.slow:
            return
        self._limit = min(self._limit + (1 / self._limit if self._lost else 1), float(rules.most))

    def lost(self, now_s: float, rules: Pacing) -> None:
        self._lost = True
        if now_s - self._shrunk_s < SHRINK_EVERY_S:
            return  # many calls at once are lost to one overload
        self._shrunk_s = now_s
        self._limit = max(min(self._limit, rules.most) * SHRINK, float(rules.least))

    def _share(self, rules: Pacing) -> int:
        return max(1, int(self.limit(rules) * (1 - rules.keep_free)))
