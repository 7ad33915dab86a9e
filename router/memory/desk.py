"""The desk before one model: who gets a pass now, who waits for one, and who is sent on.

Rule: every change happens in one synchronous step, so that nobody sees half of it; only `wait` awaits. What the
numbers mean is decided in decide/breaker.py, pace.py, crowd.py and retrying.py.
"""

from __future__ import annotations

import asyncio
from math import inf

from ..decide.pace import Pace
from ..decide.policy import Rulebook
from ..ports import Pass, Want
from ..vocabulary import Outcome, OutcomeKind
from .leave import Around, Known, Leave
from .line import LENGTH_MAX, Waiter, rank_of

# Beside interactive calls that do not fill a model, one other call a second goes where it would have to stay free.
DRIP_S = 1.0
TIMER_S_LEAST = 0.001  # a timer that is early by a rounding error must not spin
WAIT_S = {"interactive": 1.0, "background": 30.0, "batch": 120.0}  # what the policy leaves out
SPENT = "the retry budget of the model is spent"
TOO_LATE = "its turn at the model would come too late"
TOO_LONG_A_LINE = "too many wait for the model"
LEFT_ALONE = "the model failed and is left alone for a while"
KEY_LEFT_ALONE = "the API refuses our key; it is tried once in a while"


class Desk(Known):
    """Of one model."""

    def __init__(self, model: str, around: Around, shared: tuple[Pace, list[Known]], rules: Rulebook) -> None:
        super().__init__(model, around, shared, rules)
        self.asked_s = -inf
        self._timer: asyncio.TimerHandle | None = None
        self._low_s = -inf  # when the last call went that is not interactive

    def unused(self, now_s: float) -> bool:
        """Nobody is there, and the API asked for nothing that must be kept."""
        return not (self.crowd.in_flight or len(self.line) or self.pace.told_wait_s(now_s))

    def try_now(self, want: Want, rules: Rulebook, now_s: float) -> Leave | Outcome | None:
        """None: he has to wait."""
        self.rules, self.asked_s = rules, now_s
        refused = self._refused(want, rules, now_s)
        if refused is not None:
            return refused
        if (len(self.line) and self.line.anybody(rank_of(want))) or self._wait_s(want, rules, now_s) > 0:
            return None
        return self._grant(want, rules, now_s, 0.0)

    async def wait(self, want: Want, rules: Rulebook, now_s: float) -> Pass | Outcome:
        """In line, for as long as the caller and the policy allow; not at all where that is known to be in vain."""
        rank = rank_of(want)
        chosen_s = {str(name): seconds for name, seconds in rules.policy.pacing.wait_s.items()}
        patience_s = min(want.within_s, chosen_s.get(want.workload, WAIT_S[want.workload]))
        known_s = self.pace.wait_s(want.input_tokens, 0.0, now_s, self.line.ahead(rank))
        if known_s == inf:  # a probe is out: soon it will be known
            known_s = 0.0
        if want.workload == "interactive" and want.elsewhere and self.pace.recovery.refused_again:
            patience_s = 0.0
        if patience_s <= 0 or known_s > patience_s:
            return self._held_back(TOO_LATE, known_s)
        if len(self.line) >= LENGTH_MAX:
            return self._held_back(TOO_LONG_A_LINE, known_s)
        loop = asyncio.get_running_loop()
        waiter = Waiter(want, rules, now_s, now_s + patience_s, loop.create_future(), rank)
        self.line.add(waiter)
        too_late = loop.call_later(patience_s, self._too_late, waiter)
        self.serve()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            self._left(waiter)
            raise
        finally:
            too_late.cancel()

    def serve(self) -> None:
        """Whoever may go goes, in order; whoever waits in vain is told so; a timer is set for the others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self.around.clock.monotonic()
        while (waiter := self.line.first()) is not None:
            if waiter.turn.done():  # cancelled, and not yet gone
                self.line.remove(waiter)
                continue
            answer = self._turn_of(waiter, now_s)
            if isinstance(answer, float):
                if answer < inf:
                    self._timer = asyncio.get_running_loop().call_later(max(answer, TIMER_S_LEAST), self.serve)
                return
            self.line.remove(waiter)
            waiter.turn.set_result(answer)

    def _turn_of(self, waiter: Waiter, now_s: float) -> Leave | Outcome | float:
        """A pass, a refusal, or how long he has to wait at least: `inf` until a call ends."""
        want, rules = waiter.want, waiter.rules
        refused = self._refused(want, rules, now_s)
        if refused is not None:
            return refused
        wait_s = self._wait_s(want, rules, now_s)
        if wait_s <= 0:
            return self._grant(want, rules, now_s, now_s - waiter.since_s)
        known_s = wait_s if wait_s < inf else self.pace.told_wait_s(now_s)
        if now_s + known_s > waiter.until_s:
            return self._held_back(TOO_LATE, known_s)
        return wait_s

    def _too_late(self, waiter: Waiter) -> None:
        """His patience is at its end. A timer may be early by a rounding error; that is late enough."""
        if self.line.remove(waiter) and not waiter.turn.done():
            now_s = self.around.clock.monotonic()
            known_s = self.pace.wait_s(waiter.want.input_tokens, 0.0, now_s)
            waiter.turn.set_result(self._held_back(TOO_LATE, known_s))
            self.serve()

    def _left(self, waiter: Waiter) -> None:
        """The caller went. What he was given in the same moment is given back."""
        if self.line.remove(waiter):
            self.serve()
        elif waiter.turn.done() and not waiter.turn.cancelled():
            answer = waiter.turn.result()
            if isinstance(answer, Leave):
                answer.ended(None)

    def _refused(self, want: Want, rules: Rulebook, now_s: float) -> Outcome | None:
        """What no short wait would change."""
        if rules.policy.breaker.enabled:
            key = self.around.credential
            if key.shut and key.wait_s(now_s) > 0:
                return Outcome(kind=OutcomeKind.BREAKER_OPEN, retry_after_s=key.wait_s(now_s), detail=KEY_LEFT_ALONE)
            if not self.circuit.lets(now_s):
                hurried = self.around.none_answers(now_s)
                if not self.circuit.lets(now_s, hurried):
                    again_s = self.circuit.open_for_s(now_s, hurried)
                    return Outcome(kind=OutcomeKind.BREAKER_OPEN, retry_after_s=again_s, detail=LEFT_ALONE)
        if want.cost:
            short_s = self.payer(want).short_for_s(want.cost, now_s, rules.policy.retries)
            if short_s > 0:
                return self._held_back(SPENT, short_s)
        return None

    def _held_back(self, why: str, known_s: float) -> Outcome:
        self.around.events.count("held_back", self.model)
        return Outcome(kind=OutcomeKind.HELD_BACK, retry_after_s=known_s if 0 < known_s < inf else None, detail=why)

    def _wait_s(self, want: Want, rules: Rulebook, now_s: float) -> float:
        """0: he may go. `inf`: until a call ends."""
        pacing = rules.policy.pacing
        if not pacing.enabled:
            return self.pace.told_wait_s(now_s)  # what the API asked for is kept all the same
        if want.workload == "interactive":
            has_room = self.crowd.has_guest_room(pacing) if want.stands_in else self.crowd.has_room(pacing)
            return self.pace.wait_s(want.input_tokens, 0.0, now_s) if has_room else inf
        drips = now_s - self._low_s >= DRIP_S
        drip_s = inf if drips else self._low_s + DRIP_S - now_s
        if not self.crowd.has_low_room(pacing, drips):
            return drip_s
        wait_s = self.pace.wait_s(want.input_tokens, 0.0 if drips else pacing.keep_free, now_s)
        return min(wait_s, max(drip_s, self.pace.told_wait_s(now_s)))

    def _grant(self, want: Want, rules: Rulebook, now_s: float, waited_s: float) -> Leave:
        if want.workload != "interactive":
            self._low_s = now_s
        return Leave(self, want, rules, (now_s, waited_s))
