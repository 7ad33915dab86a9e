"""What must be true of all requests together: nobody starves, and an outage does not multiply the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from router.decide.policy import Rulebook

from .weather import Spell, Weather

ENOUGH = 100  # requests of each kind, before their shares say anything
SLACK = 0.05
PATIENT_S = 5.0  # who gives less time than a turn and an answer take is not starved
# Standard errors: there are thousands of seeds. Many of a burst ask the same as the one before and end as he does, in
# rows of 1 / 0.6 on average, which makes the squared error (2 - 0.6) / 0.6 times as large.
SURE = 3.5 * (1.4 / 0.6) ** 0.5
SHORTEST_S = 30.0  # an outage that is one
BEFORE_S = 60.0  # requests that came so long before it may still be asking
FLOOR_PER_S = 0.5  # of the retry budget
CALLS_A_REQUEST = 1.1
NOTICED_S = 15.0  # by then the breakers have seen enough of it
PROBES_EVERY_S = 1.0  # where all models are down, so that none may be left alone for longer
FAST = frozenset({"overloaded", "server_error", "unavailable", "bad_gateway", "connect_failed"})
OUT = FAST | {"lost", "silent"}


class Crowd:
    """Counts, of one simulation."""

    def __init__(self, weather: Weather) -> None:
        self.requests = 0
        self.asked: Counter[str] = Counter()  # in bursts, by workload
        self._answered: Counter[str] = Counter()
        self._outages = tuple(
            (spell.from_s, spell.to_s)
            for spell in weather.spells
            if spell.kind in OUT and not spell.model and spell.rate >= 1.0 and spell.to_s - spell.from_s >= SHORTEST_S
        )
        # Where nothing else is wrong, and each call fails at once: the breakers must have opened soon.
        self._plain = tuple(
            (spell.from_s, spell.to_s)
            for spell in weather.spells
            if spell.kind in FAST and self._is_plain(spell, weather)
        )
        self._probes: Counter[tuple[float, float]] = Counter()
        self._starts: Counter[tuple[float, float]] = Counter()
        self._came: Counter[tuple[float, float]] = Counter()
        self._calls: Counter[tuple[float, float]] = Counter()

    def _is_plain(self, spell: Spell, weather: Weather) -> bool:
        if (spell.from_s, spell.to_s) not in self._outages:
            return False
        return all(
            other is spell or other.to_s <= spell.from_s or spell.to_s <= other.from_s for other in weather.spells
        )

    def started(self, now_s: float) -> None:
        """A new process knows nothing of the outage."""
        for outage in self._plain:
            self._starts[outage] += outage[0] <= now_s < outage[1]

    def came(self, now_s: float) -> None:
        self.requests += 1
        for outage in self._outages:
            self._came[outage] += outage[0] - BEFORE_S <= now_s < outage[1]

    def sent(self, now_s: float) -> None:
        for outage in self._outages:
            self._calls[outage] += outage[0] <= now_s < outage[1]
        for outage in self._plain:
            self._probes[outage] += outage[0] + NOTICED_S <= now_s < outage[1]

    def ended(self, workload: str, within_s: float | None, *, answered: bool) -> None:
        """Of a request that came in a burst."""
        if within_s is not None and within_s < PATIENT_S:
            return
        self.asked[workload] += 1
        self._answered[workload] += answered

    def complaints(self, rules: Rulebook, *, paced: bool) -> Iterator[str]:
        """Without gates nobody goes first and nothing is held back: nothing is promised."""
        if paced:
            yield from self._multiplied(rules)
            yield from self._flooded(rules)
            if _equally_patient(rules):
                yield from self._starved()

    def _multiplied(self, rules: Rulebook) -> Iterator[str]:
        for outage, calls in self._calls.items():
            lasts_s = outage[1] - outage[0]
            saved_up = len(rules.tier_of_model) * (rules.policy.retries.burst + FLOOR_PER_S * lasts_s)
            allowed = CALLS_A_REQUEST * self._came[outage] + saved_up
            if calls > allowed:
                yield f"{calls} calls in an outage of {lasts_s:.0f} s with {self._came[outage]} requests"

    def _flooded(self, rules: Rulebook) -> Iterator[str]:
        """A model that is down is probed."""
        breaker = rules.policy.breaker
        for outage, calls in self._probes.items():
            lasts_s = outage[1] - outage[0]
            each = breaker.min_calls * (1 + self._starts[outage]) + lasts_s / PROBES_EVERY_S
            if calls > each * len(rules.tier_of_model):
                yield f"{calls} calls to models that were down for {lasts_s:.0f} s"

    def _starved(self) -> Iterator[str]:
        if min(self.asked["interactive"], self.asked["background"]) < ENOUGH:
            return
        shares: Mapping[str, float] = {name: self._answered[name] / asked for name, asked in self.asked.items()}
        share = sum(self._answered.values()) / sum(self.asked.values())
        error = (share * (1 - share) * sum(1 / asked for asked in self.asked.values())) ** 0.5
        if shares["interactive"] < shares["background"] - max(SLACK, SURE * error):
            yield "answered in bursts: " + ", ".join(f"{share:.1%} of {name}" for name, share in sorted(shares.items()))


def _equally_patient(rules: Rulebook) -> bool:
    """Who may wait longer is answered more often, and nobody starves for it."""
    waits_s = rules.policy.pacing.wait_s
    same_turn = "interactive" in waits_s and waits_s["interactive"] == waits_s.get("background")
    return same_turn and rules.deadline_s["interactive"] == rules.deadline_s["background"]
