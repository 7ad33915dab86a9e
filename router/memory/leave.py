"""One model as it is known here, and a pass for one call to it: what the call says of the model is counted.

Rule: every change happens in one synchronous step, so that nobody sees half of it. What the numbers mean is decided
in decide/breaker.py, pace.py, crowd.py and retrying.py.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import inf

from ..decide.breaker import Circuit, Credential, Entered, Sign, sign_of
from ..decide.crowd import Crowd, is_loss
from ..decide.pace import Pace
from ..decide.policy import Rulebook
from ..decide.ratelimits import Said, said_in
from ..decide.retrying import RetryTokens
from ..ports import Clock, Events, Want
from ..vocabulary import Outcome, Usage
from .line import Line
from .told import EVERY_MODEL, SPAN_S_MAX, Told

TOLD_EVERY_S = 0.1
GOOD = 200


class Around:
    """What all desks of a process share."""

    def __init__(self, clock: Clock, events: Events) -> None:
        self.clock = clock
        self.events = events
        self.credential = Credential()
        self.on_change: Callable[[Told], None] | None = None
        self.flush: Callable[[], None] = lambda: None  # serve all desks: the key changed its state
        self.budget_of: Callable[[str], RetryTokens | None] = lambda _model: None
        self.none_answers: Callable[[float], bool] = lambda _now_s: False  # every model that is asked is left alone

    def tell(self, told: Told) -> None:
        if self.on_change is not None:
            self.on_change(told)

    def report(self, model: str, state: str, for_s: float | None = None) -> None:
        name = model or "every_model"
        self.events.count("breaker", f"{name}:{state}")
        self.events.say("breaker", model=name, state=state, for_s=None if for_s is None else round(for_s, 3))


class Known(ABC):
    """One model, as it is known here. `sharing` are those with the same pace, itself too."""

    def __init__(self, model: str, around: Around, shared: tuple[Pace, list[Known]], rules: Rulebook) -> None:
        policy = rules.policy
        self.model = model
        self.around = around
        self.rules = rules  # the last that were asked under
        self.circuit = Circuit()
        self.pace, self.sharing = shared
        self.crowd = Crowd(policy.pacing)
        self.retries = RetryTokens(around.clock.monotonic(), policy.retries)
        self.line = Line()
        self._told_s = -inf

    @abstractmethod
    def serve(self) -> None:
        """Whoever waits and may go now goes."""

    def serve_all(self) -> None:
        """What one call says of a pace is said to all who share it."""
        for one in self.sharing:
            if len(one.line):
                one.serve()

    def payer(self, want: Want) -> RetryTokens:
        """Whose budget pays: the model's that failed, for a healthy one must not starve of another's failures."""
        return (self.around.budget_of(want.charge) if want.cost and want.charge else None) or self.retries

    def tell_what_it_said(self, said: Said, now_s: float) -> None:
        """Every answer says it; the other processes are told now and then."""
        if self.around.on_change is not None and now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            self.around.on_change(Told(about="said", model=self.model, said=said))

    def changed(self, now_s: float) -> None:
        """The breaker opened or closed."""
        for_s = min(self.circuit.open_for_s(now_s) or 0.0, SPAN_S_MAX)
        self.around.report(self.model, self.circuit.state, for_s)
        self.around.tell(Told(about="open" if for_s else "closed", model=self.model, for_s=for_s))


class Leave:
    """Implements ports.Pass."""

    def __init__(self, desk: Known, want: Want, rules: Rulebook, at: tuple[float, float]) -> None:
        now_s, self.waited_s = at
        policy = rules.policy
        self._desk, self._want, self._rules = desk, want, rules
        self._sent_s = now_s
        self._took_s: float | None = None  # to the first byte
        self._done = False
        self._let_in: asyncio.TimerHandle | None = None
        self._entered: Entered | None = None
        self._key_probe = False
        if policy.breaker.enabled:
            was_open = desk.circuit.state == "open"
            self._entered = desk.circuit.enter(now_s, policy.breaker)
            self._key_probe = desk.around.credential.shut and desk.around.credential.enter(now_s)
            if was_open:
                desk.around.report(desk.model, "half_open")
        self._busy = desk.crowd.enter(want.workload != "interactive", policy.pacing)
        self._taken = desk.pace.take(want.input_tokens, now_s)
        desk.payer(want).sent(want.cost, policy.retries)
        if desk.pace.recovery.is_probe(self._taken):
            # A whole answer begins at its end: the others need not wait for it, for a refusal comes sooner.
            loop = asyncio.get_running_loop()
            self._let_in = loop.call_later(desk.crowd.first_bytes.let_in_s, self._runs_on)

    def began(self, headers: Mapping[str, str], status: int = GOOD) -> None:
        """The head of an answer came, of whatever status."""
        desk = self._desk
        now_s = desk.around.clock.monotonic()
        if self._took_s is None:
            self._took_s = now_s - self._sent_s
        said = said_in(headers)
        desk.pace.began(self._taken, said, now_s)
        if status == GOOD:
            self._is_good(now_s)
        if said is not None:
            desk.tell_what_it_said(said, now_s)

    def _is_good(self, now_s: float) -> None:
        """The key is good, the model answers, and the call was let in; how the answer ends is another matter."""
        desk = self._desk
        if self._entered is not None:
            if desk.circuit.began(self._entered, now_s, self._rules.policy.breaker):
                desk.changed(now_s)
            if desk.around.credential.answers(self._sent_s, self._key_probe):
                self._tell_of_the_key(now_s)
            self._key_probe = False  # how it ends says nothing of the key as it is by then
        if desk.pace.recovery.is_probe(self._taken):
            self._runs_on()

    def _runs_on(self) -> None:
        self._desk.pace.runs_on(self._taken)
        self._desk.serve_all()

    def ended(self, outcome: Outcome | None, usage: Usage | None = None) -> None:
        """Once, on every exit."""
        assert not self._done, "a pass ends once"
        self._done = True
        if self._let_in is not None:
            self._let_in.cancel()
        desk = self._desk
        now_s = desk.around.clock.monotonic()
        sign = sign_of(outcome)
        self._leave_the_crowd(outcome, sign, now_s)
        if outcome is None and self._took_s is None:
            desk.payer(self._want).give_back(self._want.cost, self._rules.policy.retries)
        if desk.pace.ended(self._taken, outcome, usage, now_s):
            for_s = min(desk.pace.told_wait_s(now_s), SPAN_S_MAX)
            desk.around.tell(Told(about="blocked", model=desk.model, for_s=for_s))
        if self._entered is not None:
            self._tell_the_breaker(self._entered, sign, now_s)
        desk.serve_all()

    def _leave_the_crowd(self, outcome: Outcome | None, sign: Sign, now_s: float) -> None:
        desk, policy = self._desk, self._rules.policy
        desk.crowd.left(self._want.workload != "interactive")
        if sign is Sign.ANSWERED:
            if self._took_s is not None:
                desk.crowd.first_bytes.saw(self._took_s, now_s)
            desk.crowd.answered(self._busy, policy.pacing)
            desk.retries.answered(policy.retries)
        elif is_loss(outcome):
            desk.crowd.lost(now_s, policy.pacing)

    def _tell_the_breaker(self, entered: Entered, sign: Sign, now_s: float) -> None:
        desk, around = self._desk, self._desk.around
        dice = 0.0 if sign is Sign.ANSWERED else around.clock.dice()
        if desk.circuit.ended(entered, sign, now_s, dice, self._rules.policy.breaker):
            desk.changed(now_s)
        key = around.credential
        is_news = key.answers(self._sent_s, self._key_probe) if sign is Sign.ANSWERED else False
        if is_news or key.ended(desk.model, sign, now_s):
            self._tell_of_the_key(now_s)

    def _tell_of_the_key(self, now_s: float) -> None:
        """It was shut, or opened again."""
        around = self._desk.around
        for_s = around.credential.wait_s(now_s)
        around.report(EVERY_MODEL, "open" if for_s else "closed", for_s)
        around.tell(Told(about="open" if for_s else "closed", model=EVERY_MODEL, for_s=for_s))
        around.flush()
