"""The cheapest tier that is measured to do a task well enough, and what the numbers are.

Rule: pure. The bar is held against the lower end of an interval, never against the rate itself: a lucky run of few
cases is no evidence. The numbers are weighed once, when a policy is loaded (`prepared`); a request only looks them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

from .estimates import Estimate, shrunken
from .policy import Measured, Routes, RouteVerdict, Rulebook

Z = 1.6448536269514722  # one-sided 95 %

Table = dict[str, dict[str, Measured]]  # by task, then by tier


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


class Evidence(Measured, frozen=True, kw_only=True):
    """A measurement that counts for the policy at hand, weighed."""

    weighed: Weighed
    estimate: Estimate
    named: str = ""  # where the evals named this tier: why, in words


def prepared(
    routes: Mapping[str, Mapping[str, Measured]], verdicts: Mapping[str, RouteVerdict], wanted: Routes
) -> Table:
    """The measurements, weighed against what the policy wants: what a Rulebook holds."""
    return {
        task: {
            tier: Evidence(
                **{name: getattr(one, name) for name in Measured.__struct_fields__},
                weighed=_weigh(tier, one, wanted),
                estimate=shrunken(task, tier, routes, wanted.prior_cases),
                named=_named(task, tier, verdicts),
            )
            for tier, one in tiers.items()
        }
        for task, tiers in routes.items()
    }


def weighed(task: str, rules: Rulebook) -> tuple[Weighed, ...]:
    """Every tier that was measured on the task with enough cases, cheapest first."""
    fewest = rules.policy.routes.min_cases
    return tuple(one.weighed for one in evidence(task, rules) if one.cases >= fewest)


def evidence(task: str, rules: Rulebook) -> list[Evidence]:
    """Every measurement of the task that counts, however few its cases, cheapest tier first."""
    table = rules.routes.get(task)
    if not table or not rules.policy.routes.enabled:
        return []
    return [one for tier in rules.tier_order if isinstance(one := table.get(tier), Evidence)]


def pick(task: str, cap: str | None, rules: Rulebook) -> Picked | None:
    """The cheapest tier up to the cap that clears the bar, else the best one measured; None without evidence.

    Where the policy leaves it to the evals, the tier that they named goes first; where it takes estimates, these
    stand in for evidence that is not there.
    """
    found = evidence(task, rules)
    if not found:
        return None
    wanted, open_to = rules.policy.routes, _open_to(cap, rules)
    allowed = [one for one in found if one.weighed.tier in open_to]
    if wanted.by == "verdict":
        for one in allowed:
            if one.named:
                return Picked(tier=one.weighed.tier, reason=one.named)
    sure = [one for one in allowed if one.cases >= wanted.min_cases or one.mark]
    if any(one.cases >= wanted.min_cases for one in sure):
        return _by_bar(task, sure)
    return _by_estimate(task, allowed, wanted) if wanted.without == "estimate" else None


def lower_bound(passed: int, cases: int) -> float:
    """The lower end of Wilson's one-sided 95 % interval."""
    if cases == 0:
        return 0.0
    rate = passed / cases
    middle = rate + Z * Z / (2 * cases)
    spread = Z * sqrt(rate * (1 - rate) / cases + Z * Z / (4 * cases * cases))
    return max(0.0, (middle - spread) / (1 + Z * Z / cases))


def _open_to(cap: str | None, rules: Rulebook) -> list[str]:
    """The tiers that a measurement may lead to, cheapest first."""
    top = len(rules.tier_order) - 1 if cap is None else rules.tier_order.index(cap)
    return [tier for tier in rules.tier_order[: top + 1] if not rules.policy.tiers[tier].only_by_name]


def _by_bar(task: str, sure: Sequence[Evidence]) -> Picked:
    for one in sure:
        if one.weighed.clears:
            tier = one.weighed.tier
            return Picked(tier=tier, reason=f"{task}: {tier} is the cheapest that {one.weighed.words}")
    # The first of equals, which is the cheapest.
    best = max(sure, key=lambda one: (one.mark, one.weighed.at_least)).weighed
    return Picked(tier=best.tier, reason=f"{task}: no tier clears the bar; {best.tier} comes nearest, it {best.words}")


def _by_estimate(task: str, allowed: Sequence[Evidence], wanted: Routes) -> Picked | None:
    """The cheapest tier whose shrunken rate clears the bar, else the best; None where all have too few cases."""
    known = [one for one in allowed if one.estimate.cases >= wanted.min_estimate_cases]
    if not known:
        return None
    clearing = [one for one in known if one.estimate.rate >= wanted.bar]
    one = clearing[0] if clearing else max(known, key=lambda one: one.estimate.rate)
    tier, estimate = one.weighed.tier, one.estimate
    what = f"the cheapest of which {wanted.bar:.0%} is to be expected" if clearing else "the best estimate there is"
    numbers = f"{estimate.rate:.1%} from {estimate.cases:g} cases and its {estimate.prior:.1%} elsewhere"
    return Picked(tier=tier, reason=f"{task}: too few cases to be sure; {tier} is {what} ({numbers})")


def _named(task: str, tier: str, verdicts: Mapping[str, RouteVerdict]) -> str:
    verdict = verdicts.get(task)
    if verdict is None or verdict.winner != tier:
        return ""
    return f"{task}: the evals of {verdict.decided} named {tier}: it {verdict.claim} ({verdict.run})"


def _weigh(tier: str, one: Measured, wanted: Routes) -> Weighed:
    at_least = lower_bound(one.passed, one.cases) if one.at_least is None else one.at_least
    numbers = f"{one.passed}/{one.cases} passed, at least {at_least:.1%}"
    if at_least >= wanted.bar:
        words, clears = f"clears the bar of {wanted.bar:.0%} ({numbers})", True
    elif wanted.margin is not None and one.below_best is not None and one.below_best <= wanted.margin:
        words, clears = f"is at most {one.below_best:.1%} below the best tier ({numbers})", True
    elif one.mark:
        known = f" ({numbers})" if one.cases else ""
        words, clears = f"is what the others were held against{known}", wanted.margin is not None
    else:
        words, clears = f"stays below the bar of {wanted.bar:.0%} ({numbers})", False
    rate = one.passed / one.cases if one.cases else 0.0
    return Weighed(tier=tier, rate=rate, at_least=at_least, cases=one.cases, clears=clears, words=words)
