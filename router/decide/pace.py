"""How fast a group of models may be called: the API's own buckets, kept in step with what its answers say.

Rule: pure; the time is an argument. What is not known holds nothing back. An answer lowers a level at once; only
refilling raises it. After a `retry-after` nothing goes before it has passed; without one, calls go slower for a while.
"""

from __future__ import annotations

from math import inf

import msgspec

from ..vocabulary import Outcome, OutcomeKind, Usage
from .ratelimits import Figures, Said
from .recovery import Recovery

LIMITED = frozenset({OutcomeKind.RATE_LIMITED, OutcomeKind.RAMP_LIMITED, OutcomeKind.SPEND_LIMITED})
ROUNDED_TO = 1000  # figures of tokens
SLOWER, SLOWEST, RECOVERS_PER_S = 0.7, 0.05, 0.02
SLOWER_EVERY_S = 1.0
# A refill that differs from a minute's worth a minute is believed when so much is missing, and so clearly.
TELLING_SHARE, CLEARLY = 0.05, 1.25
OUTPUT_WEIGHT = 0.05  # of one answer in the moving average
OUTPUT_AT_FIRST = 500.0  # tokens
NOBODY = (0, 0)  # calls and input tokens that go first


class Bucket:
    """Holds what may be spent in a minute, and refills evenly. Without a limit it holds nothing back."""

    __slots__ = ("_at_s", "level", "limit", "rate")

    def __init__(self) -> None:
        self.limit = 0
        self.level = 0.0
        self.rate = 0.0  # a second
        self._at_s = 0.0

    def refill(self, now_s: float) -> None:
        level = self.level + (now_s - self._at_s) * self.rate
        self.level = level if level < self.limit else float(self.limit)
        self._at_s = now_s

    def wait_s(self, wanted: float, ahead: float, keep: float, now_s: float) -> float:
        """How long until so much is there behind what goes first; a wish above the limit waits for a full bucket."""
        self.refill(now_s)
        kept = self.limit * keep
        short = ahead + min(wanted + kept, self.limit) - self.level
        return short / self.rate if short > 1e-6 else 0.0

    def take(self, amount: float) -> None:
        """Below nothing by a minute's worth at most."""
        if self.limit:
            self.level = min(max(self.level - amount, -self.limit), self.limit)

    def learn(self, said: Figures, in_flight: float, rounded_to: int, now_s: float) -> None:
        """Less than we thought is believed at once; more is not: calls under way may not be counted there yet."""
        is_news = not self.limit
        self.refill(now_s)
        self.limit, self.rate = said.limit, _rate(said)
        there = max(said.left - in_flight, -said.limit)
        if is_news or self.level > there + rounded_to / 2:
            self.level = float(there)
        self.level = min(self.level, self.limit)


def _rate(said: Figures) -> float:
    usual = said.limit / 60
    gone = said.limit - said.left
    if not said.full_in_s or gone < said.limit * TELLING_SHARE:
        return usual
    told = gone / said.full_in_s
    return usual if usual / CLEARLY <= told <= usual * CLEARLY else min(told, float(said.limit))


class Throttle:
    """After a refusal that did not say for how long: a share of the rate that there was, growing back to it."""

    __slots__ = ("_at_s", "_base", "_cut_s", "_level", "_share")

    def __init__(self) -> None:
        self._base = 0.0  # calls a second; 0: off
        self._share = 1.0
        self._level = 0.0
        self._at_s = 0.0
        self._cut_s = float("-inf")

    @property
    def on(self) -> bool:
        return self._base > 0

    def cut(self, seen_per_s: float, now_s: float) -> None:
        if now_s - self._cut_s < SLOWER_EVERY_S:
            return  # many calls at once are refused for one reason
        self._turn_to(now_s)
        self._cut_s = now_s
        if not self._base:
            self._base, self._level, self._at_s = max(seen_per_s, 1.0), 0.0, now_s
        self._share = max(self._share * SLOWER, SLOWEST)
        self._level = min(self._level, 0.0)

    def wait_s(self, ahead: int, now_s: float) -> float:
        if not self._base:
            return 0.0
        self._turn_to(now_s)
        short = ahead + 1 - self._level
        return short / (self._base * self._share) if self._base and short > 1e-9 else 0.0

    def take(self) -> None:
        self._level -= 1

    def _turn_to(self, now_s: float) -> None:
        """A second's worth at most is saved up."""
        if not self._base:
            return
        passed_s, self._at_s = now_s - self._at_s, now_s
        rate = self._base * self._share
        self._level = min(self._level + passed_s * rate, max(rate, 1.0))
        self._share += passed_s * RECOVERS_PER_S
        if self._share >= 1.0:
            self._base, self._share = 0.0, 1.0


class Rhythm:
    """How many calls a second there are: the fuller one of this second and the one before."""

    __slots__ = ("_before", "_here", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._here = self._before = 0

    def beat(self, now_s: float) -> None:
        self._turn_to(now_s)
        self._here += 1

    def per_s(self, now_s: float) -> float:
        self._turn_to(now_s)
        return float(max(self._here, self._before))

    def _turn_to(self, now_s: float) -> None:
        second = int(now_s)
        if second != self._second:
            self._before = self._here if second == self._second + 1 else 0
            self._second, self._here = second, 0


class Taken(msgspec.Struct, gc=False):
    """One call's share of the buckets, from its leave to its end."""

    input_tokens: int
    began: bool = False  # the head of an answer came: the API counts it now
    synced: bool = False  # and told what is left of the input


class Pace:
    """Of one group of models."""

    def __init__(self) -> None:
        self.requests, self.inputs, self.outputs = Bucket(), Bucket(), Bucket()
        self.blocked_until_s = float("-inf")
        self.in_flight = 0
        self._unheard = 0  # calls of which no head came yet, and their input
        self._unheard_tokens = 0
        self._usual_output = OUTPUT_AT_FIRST
        self.recovery = Recovery()
        self._throttle = Throttle()
        self._rhythm = Rhythm()

    def wait_s(self, input_tokens: int, keep: float, now_s: float, ahead: tuple[int, int] = NOBODY) -> float:
        """How long a call has to wait for the buckets, behind the calls that go first; 0: it may go."""
        calls, tokens = ahead
        told_s = self.blocked_until_s - now_s
        waits_s = [told_s] if told_s > 0 else []
        if self.recovery.probing:
            return inf
        if self._throttle.on:
            waits_s.append(self._throttle.wait_s(calls, now_s))
        if self.requests.limit:
            waits_s.append(self.requests.wait_s(1, calls, keep, now_s))
        if self.inputs.limit:
            waits_s.append(self.inputs.wait_s(input_tokens, tokens, keep, now_s))
        if self.outputs.limit:
            # Of a call under way, half is still to come, as a rule.
            coming = self._usual_output * (calls + self.in_flight / 2)
            waits_s.append(self.outputs.wait_s(self._usual_output, coming, keep, now_s))
        return max(waits_s, default=0.0)

    def runs_on(self, taken: Taken) -> None:
        """It was let in: its answer has begun, or a refusal would have come long ago."""
        self.recovery.answers(taken)

    def told_wait_s(self, now_s: float) -> float:
        """What the API itself asked for."""
        return max(0.0, self.blocked_until_s - now_s)

    def take(self, input_tokens: int, now_s: float) -> Taken:
        self.requests.take(1)
        self.inputs.take(input_tokens)
        if self._throttle.on:
            self._throttle.take()
        self._rhythm.beat(now_s)
        self.in_flight += 1
        self._unheard += 1
        self._unheard_tokens += input_tokens
        taken = Taken(input_tokens)
        self.recovery.sent(taken)
        return taken

    def began(self, taken: Taken, said: Said | None, now_s: float) -> None:
        """The head of its answer came."""
        self._heard(taken)
        if said is not None:
            taken.synced = said.inputs is not None
            self.learn(said, now_s)

    def learn(self, said: Said, now_s: float) -> None:
        if said.requests is not None:
            self.requests.learn(said.requests, self._unheard, 0, now_s)
        if said.inputs is not None:
            self.inputs.learn(said.inputs, self._unheard_tokens, ROUNDED_TO, now_s)
        if said.outputs is not None:
            self.outputs.learn(said.outputs, 0, ROUNDED_TO, now_s)

    def ended(self, taken: Taken, outcome: Outcome | None, usage: Usage | None, now_s: float) -> bool:
        """What a call really took. Whether the API said to stay away for a while."""
        if not taken.began and (outcome is None or outcome.kind is OutcomeKind.CONNECT_FAILED):
            self.requests.take(-1)  # never sent
            self.inputs.take(-taken.input_tokens)
        has_head = taken.began
        self._heard(taken)
        self.in_flight -= 1
        if usage is not None:
            self._settle(taken, usage)
        self.recovery.ended(taken, outcome)
        if outcome is None or outcome.kind not in LIMITED:
            return False
        if outcome.kind is OutcomeKind.SPEND_LIMITED and not outcome.retry_after_s:
            return False  # it ends with the month, or with a person
        if not outcome.retry_after_s:
            self._throttle.cut(self._rhythm.per_s(now_s), now_s)
            return False
        if not (has_head and taken.synced) and self.requests.limit:
            self.requests.refill(now_s)
            self.requests.level = min(self.requests.level, 0.0)
        return self.block(now_s + outcome.retry_after_s)

    def block(self, until_s: float) -> bool:
        """Nothing goes before then. Whether that is news."""
        self.recovery.blocked()
        is_news = until_s > self.blocked_until_s
        self.blocked_until_s = max(self.blocked_until_s, until_s)
        return is_news

    def left(self, now_s: float) -> dict[str, int]:
        """What is in each bucket that is known."""
        known = {"requests": self.requests, "input_tokens": self.inputs, "output_tokens": self.outputs}
        for bucket in known.values():
            bucket.refill(now_s)
        return {name: int(bucket.level) for name, bucket in known.items() if bucket.limit}

    def _heard(self, taken: Taken) -> None:
        if not taken.began:
            taken.began = True
            self._unheard -= 1
            self._unheard_tokens -= taken.input_tokens

    def _settle(self, taken: Taken, usage: Usage) -> None:
        """What is read from the prompt cache does not count. What we took too little of, an answer's head told."""
        counted = usage.input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        if counted < taken.input_tokens or not taken.synced:
            self.inputs.take(counted - taken.input_tokens)
        self.outputs.take(usage.output_tokens)
        self._usual_output += OUTPUT_WEIGHT * (usage.output_tokens - self._usual_output)
