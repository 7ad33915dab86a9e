"""After a refusal that said for how long: one call goes first, and the others only when it is answered.

Rule: pure. Without it all who waited go at once, are refused at once, and each pays for a fallback of its own.
"""

from __future__ import annotations

from ..vocabulary import Outcome, OutcomeKind

REFUSED = frozenset({OutcomeKind.RATE_LIMITED, OutcomeKind.RAMP_LIMITED})


class Recovery:
    """Of one group of models."""

    __slots__ = ("_probe", "on", "refused_again")

    def __init__(self) -> None:
        self.on = False
        self.refused_again = False  # the last probe was refused too: nobody need wait for the next one
        self._probe: object = None

    @property
    def probing(self) -> bool:
        """The others wait for one that is under way."""
        return self.on and self._probe is not None

    def blocked(self) -> None:
        self.on = True

    def is_probe(self, call: object) -> bool:
        return call is self._probe

    def sent(self, call: object) -> None:
        if self.on and self._probe is None:
            self._probe = call

    def answers(self, call: object) -> None:
        """The call runs on: it was let in."""
        if call is self._probe:
            self.on = self.refused_again = False
            self._probe = None

    def ended(self, call: object, outcome: Outcome | None) -> None:
        if call is not self._probe:
            return
        self._probe = None
        if outcome is None:
            return
        self.refused_again = outcome.kind in REFUSED
        if not self.refused_again and outcome.status == 200:
            self.on = False
