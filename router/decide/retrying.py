"""How many calls beyond a request's first one a model may still be asked for: an outage must not multiply traffic.

Rule: pure; the time is an argument. What is saved up is bounded, and a little comes back with time alone, so that
a model nobody asks is not given up for ever.
"""

from __future__ import annotations

from .policy.failing import RetryBudget

FLOOR_PER_S = 0.5


class RetryTokens:
    """Of one model; starts full."""

    __slots__ = ("_at_s", "_left")

    def __init__(self, now_s: float, rules: RetryBudget) -> None:
        self._left = float(rules.burst)
        self._at_s = now_s

    def left(self, now_s: float, rules: RetryBudget) -> float:
        self._left = min(self._left + (now_s - self._at_s) * FLOOR_PER_S, rules.burst)
        self._at_s = now_s
        return self._left

    def short_for_s(self, cost: float, now_s: float, rules: RetryBudget) -> float:
        """How long until so much is there at the latest; 0: it is there."""
        return max(0.0, cost - self.left(now_s, rules)) / FLOOR_PER_S

    def sent(self, cost: float, rules: RetryBudget) -> None:
        """A call goes: a request's first one adds its share, a further one takes its cost."""
        self._left = min(self._left + (-cost if cost else rules.share), rules.burst)

    def answered(self, rules: RetryBudget) -> None:
        self._left = min(self._left + rules.answered, rules.burst)

    def give_back(self, cost: float, rules: RetryBudget) -> None:
        """The call was never made."""
        self._left = min(self._left + (cost or -rules.share), rules.burst)
