"""The cheapest tier that is measured to do a task well enough, and what the numbers are.

Rule: pure. The bar is held against the lower end of Wilson's interval, never against the rate itself: a
lucky run of few cases is no evidence.
"""

from __future__ import annotations

from math import sqrt

import msgspec

from .policy import Measured, Routes, Rulebook

Z = 1.6448536269514722  # one-sided 95 %


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """One tier's measurement against the bar."""

    tier: str
    rate: float
    at_least: float  # with 95 % confidence
    cases: int
    clears: bool
    words: str


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    tier: str
    reason: str


def weighed(task: str, rules: Rulebook) -> tuple[Weighed, ...]:
    """Every tier that was measured on the task with enough cases, cheapest first."""
    wanted = rules.policy.routes
    measured = rules.routes.get(task)
    if not measured or not wanted.enabled:
        return ()
    return tuple(
        _weigh(tier, measured[tier], wanted)
        for tier in rules.tier_order
        if tier in measured and measured[tier].cases >= wanted.min_cases
    )


def pick(task: str, cap: str | None, rules: Rulebook) -> Picked | None:
    """The cheapest tier up to the cap that clears the bar, else the best one measured; None without evidence."""
    table = weighed(task, rules)
    top = len(rules.tier_order) - 1 if cap is None else rules.tier_order.index(cap)
    allowed = [one for one in table if rules.tier_order.index(one.tier) <= top]
    if not allowed:
        return None
    for one in allowed:
        if one.clears:
            return Picked(tier=one.tier, reason=f"{task}: {one.tier} is the cheapest that {one.words}")
    best = max(allowed, key=lambda one: (one.at_least, -rules.tier_order.index(one.tier)))
    return Picked(tier=best.tier, reason=f"{task}: no tier clears the bar; {best.tier} comes nearest, it {best.words}")


def lower_bound(passed: int, cases: int) -> float:
    """The lower end of Wilson's one-sided 95 % interval."""
    if cases == 0:
        return 0.0
    rate = passed / cases
    middle = rate + Z * Z / (2 * cases)
    spread = Z * sqrt(rate * (1 - rate) / cases + Z * Z / (4 * cases * cases))
    return max(0.0, (middle - spread) / (1 + Z * Z / cases))


def _weigh(tier: str, one: Measured, wanted: Routes) -> Weighed:
    at_least = lower_bound(one.passed, one.cases)
    numbers = f"{one.passed}/{one.cases} passed, at least {at_least:.1%}"
    if at_least >= wanted.bar:
        words, clears = f"clears the bar of {wanted.bar:.0%} ({numbers})", True
    elif wanted.margin is not None and one.below_best is not None and one.below_best <= wanted.margin:
        words, clears = f"is at most {one.below_best:.1%} below the best tier ({numbers})", True
    else:
        words, clears = f"stays below the bar of {wanted.bar:.0%} ({numbers})", False
    return Weighed(
        tier=tier, rate=one.passed / one.cases, at_least=at_least, cases=one.cases, clears=clears, words=words
    )
