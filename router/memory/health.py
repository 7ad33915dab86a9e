"""The gates before the models: breakers, rate limits, calls at once and the retry budget, of one process.

Rule: an edge without a wire: what other processes learnt comes in through `heard`, what this one learnt goes out
through `on_change`. A call that need not wait awaits nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

from ..decide.pace import Pace
from ..decide.policy import Rulebook
from ..decide.ratelimits import group_of
from ..decide.retrying import RetryTokens
from ..ports import Clock, Events, Pass, Want
from ..vocabulary import Outcome
from .desk import Desk
from .leave import Around, Known
from .told import EVERY_MODEL, Told, aged

MODELS_MAX = 200
ASKED_S = 60.0
OTHERS = "others"  # past the bound, models share one desk
EARLY_MAX = 1_000
STATES = {"closed": 0, "half_open": 1, "open": 2}
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_GAUGES = (
    ("in_flight", "Calls under way."),
    ("limit", "Calls at once that the model is given now."),
    ("waiting", "Requests that wait for their turn."),
    ("breaker", "0 closed, 1 half-open, 2 open."),
    ("retry_budget", "Calls beyond a request's first one that are left."),
)


class Health:
    """Implements ports.Gates."""

    def __init__(self, clock: Clock, events: Events) -> None:
        self._clock = clock
        self._around = Around(clock, events)
        self._around.flush = self._serve_all
        self._around.budget_of = self._budget_of
        self._around.none_answers = self._none_answers
        self._desks: dict[str, Desk] = {}
        self._paces: dict[str, tuple[Pace, list[Known]]] = {}  # and the desks that share it
        self._rules: Rulebook | None = None
        self._early: dict[tuple[str, str], tuple[Told, float]] = {}  # heard before there was a policy

    @property
    def on_change(self) -> Callable[[Told], None] | None:
        """Told of what this process learnt: never of what it heard."""
        return self._around.on_change

    @on_change.setter
    def on_change(self, tell: Callable[[Told], None] | None) -> None:
        self._around.on_change = tell

    async def enter(self, want: Want, rules: Rulebook) -> Pass | Outcome:
        now_s = self._clock.monotonic()
        self._rules = rules
        if self._early:
            self._apply_early(now_s)
        desk = self._desks.get(want.model) or self._desk(want.model, rules)
        answer = desk.try_now(want, rules, now_s)
        return answer if answer is not None else await desk.wait(want, rules, now_s)

    def heard(self, told: Told) -> None:
        """What another process learnt. It never goes back out."""
        now_s = self._clock.monotonic()
        if self._rules is None:
            if len(self._early) < EARLY_MAX:
                self._early[told.about, told.model] = (told, now_s)
            return
        if told.model == EVERY_MODEL:
            self._heard_of_key(told, now_s)
        else:
            self._heard_of(self._desk(told.model, self._rules), told, now_s)

    def standing(self) -> dict[str, dict[str, object]]:
        """Of each model: for /health/ready."""
        now_s = self._clock.monotonic()
        return {model: self._standing(desk, now_s) for model, desk in self._desks.items()}

    def metrics(self) -> bytes:
        """As Prometheus reads it."""
        now_s = self._clock.monotonic()
        rows = [(model.translate(_ESCAPED), self._figures(desk, now_s)) for model, desk in self._desks.items()]
        lines = []
        for place, (name, what) in enumerate(_GAUGES):
            lines.append(f"# HELP tierwise_model_{name} {what}")
            lines.append(f"# TYPE tierwise_model_{name} gauge")
            lines += [f'tierwise_model_{name}{{model="{model}"}} {figures[place]:g}' for model, figures in rows]
        return ("\n".join(lines) + "\n").encode()

    def _standing(self, desk: Desk, now_s: float) -> dict[str, object]:
        in_flight, limit, waiting, _, retries = self._figures(desk, now_s)
        state, open_for_s = self._breaker(desk, now_s)
        told_s = desk.pace.told_wait_s(now_s)
        return {
            "breaker": state,
            "open_for_s": None if open_for_s is None else round(open_for_s, 3),
            "in_flight": in_flight,
            "limit": limit,
            "waiting": waiting,
            "retry_budget": round(retries, 1),
            "told_to_wait_s": round(told_s, 3),
            "left": desk.pace.left(now_s),
        }

    def _figures(self, desk: Desk, now_s: float) -> tuple[int, int, int, int, float]:
        policy = desk.rules.policy
        state, _ = self._breaker(desk, now_s)
        retries = desk.retries.left(now_s, policy.retries)
        return desk.crowd.in_flight, desk.crowd.limit(policy.pacing), len(desk.line), STATES[state], retries

    def _breaker(self, desk: Desk, now_s: float) -> tuple[str, float | None]:
        """A key that is refused leaves every model alone."""
        if not desk.rules.policy.breaker.enabled:
            return "closed", 0.0
        if self._around.credential.shut:
            return "open", max(self._around.credential.wait_s(now_s), desk.circuit.open_for_s(now_s) or 0.0)
        state, open_for_s = desk.circuit.state, desk.circuit.open_for_s(now_s)
        # Its time is up, and nobody has asked for it since: the next call probes.
        return ("half_open" if state == "open" and open_for_s == 0.0 else state), open_for_s

    def _apply_early(self, now_s: float) -> None:
        early, self._early = self._early, {}
        for told, at_s in early.values():
            later = aged(told, now_s - at_s)
            if later is not None:
                self.heard(later)

    def _heard_of_key(self, told: Told, now_s: float) -> None:
        key = self._around.credential
        if told.about == "closed":
            key.heard_open(now_s)
        elif told.about == "open" and key.shut_for(told.for_s, now_s):
            self._around.report(EVERY_MODEL, "open", told.for_s)
        self._serve_all()

    def _heard_of(self, desk: Desk, told: Told, now_s: float) -> None:
        if told.about == "open":
            if desk.circuit.heard_open(told.for_s, now_s, desk.rules.policy.breaker):
                self._around.report(desk.model, "open", told.for_s)
        elif told.about == "closed":
            desk.circuit.heard_closed(now_s)
        elif told.about == "blocked":
            desk.pace.block(now_s + told.for_s)
        elif told.said is not None:
            desk.pace.learn(told.said, now_s)
        desk.serve_all()

    def _none_answers(self, now_s: float) -> bool:
        """Is every model left alone that somebody asked for lately?"""
        asked = [desk for desk in self._desks.values() if now_s - desk.asked_s <= ASKED_S]
        return all(desk.circuit.state != "closed" for desk in asked)

    def _budget_of(self, model: str) -> RetryTokens | None:
        desk = self._desks.get(model)
        return None if desk is None else desk.retries

    def _serve_all(self) -> None:
        for desk in self._desks.values():
            if len(desk.line):
                desk.serve()

    def _desk(self, model: str, rules: Rulebook) -> Desk:
        """Of a model, made on first use; there are never more than the bound and one."""
        found = self._desks.get(model)
        if found is not None:
            return found
        if len(self._desks) >= MODELS_MAX and not self._make_room(rules):
            model = OTHERS
            found = self._desks.get(OTHERS)
            if found is not None:
                return found
        shared = self._paces.setdefault(group_of(model), (Pace(), []))
        desk = self._desks[model] = Desk(model, self._around, shared, rules)
        shared[1].append(desk)
        return desk

    def _make_room(self, rules: Rulebook) -> bool:
        """The least missed of those where nobody is: a model that the policy does not know, with nothing learnt."""
        now_s = self._clock.monotonic()
        unused = [desk for desk in self._desks.values() if desk.unused(now_s)]
        if not unused:
            return False
        gone = min(unused, key=lambda desk: (desk.model in rules.models, desk.circuit.state != "closed"))
        del self._desks[gone.model]
        gone.sharing.remove(gone)
        if not gone.sharing:
            del self._paces[group_of(gone.model)]
        return True
