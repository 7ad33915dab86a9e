"""Why this tier, in one line that a reviewer of the change can check against the figures.

Rule: pure; every figure in it stands in the finding.
"""

from __future__ import annotations

from ..vocabulary import Finding, State, TierFinding
from .words import UNKNOWN, a_case, bound, points, rate, seconds, tier_of


def reason(finding: Finding, winner: str | None) -> str:
    """The winner with its figures, and what the next tier would give for its price."""
    one = tier_of(finding, winner)
    if one is None:
        return _nobody(finding)
    if not one.cases:
        return f"{one.tier}, which the others are held against{_failed_below(finding, one)}"
    figures = f"{one.tier}, {one.passed}/{one.cases}, {bound(one, finding)}{_price(one)}"
    dearer = next((other for other in _above(finding, one) if other.cases), None)
    if dearer is None:
        return f"{figures}{_failed_below(finding, one)}"
    return f"{figures}; {dearer.tier} {_costs(dearer, one)} for {points(rate(dearer) - rate(one))}"


def _nobody(finding: Finding) -> str:
    """No tier is shown to do: is that so, or is it not known?"""
    if finding.decided:
        return f"no tier is shown to do; {_best(finding)}"
    more = [one for one in finding.tiers if one.state is State.UNDECIDED and one.more_cases]
    would = "".join(f", about {one.more_cases:,} more cases would decide {one.tier}" for one in more[-1:])
    return f"not enough evidence{would}; {_best(finding)}"


def _best(finding: Finding) -> str:
    tried = [one for one in finding.tiers if one.cases]
    if not tried:
        return "no tier was tried"
    best = max(tried, key=rate)
    return f"the best is {best.tier}, {best.passed}/{best.cases}, {bound(best, finding)}"


def _above(finding: Finding, one: TierFinding) -> tuple[TierFinding, ...]:
    return finding.tiers[finding.tiers.index(one) + 1 :]


def _failed_below(finding: Finding, one: TierFinding) -> str:
    """The nearest cheaper tier that was tried, and what is known of it."""
    cheaper = [other for other in finding.tiers[: finding.tiers.index(one)] if other.cases]
    if not cheaper:
        return ""
    next_one = cheaper[-1]
    known = {State.FAILS: "fails", State.UNDECIDED: "is not decided"}.get(next_one.state, "was not tested to the end")
    times = f", {one.cost_pico / next_one.cost_pico:.1f}x cheaper," if next_one.cost_pico and one.cost_pico else ""
    return f"; {next_one.tier}{times} {known} ({next_one.passed}/{next_one.cases}, {bound(next_one, finding)})"


def _price(one: TierFinding) -> str:
    known = [text for text in (a_case(one.cost_pico), seconds(one.latency_ms)) if text != UNKNOWN]
    return f", {' and '.join(known)} a case" if known else ""


def _costs(dearer: TierFinding, one: TierFinding) -> str:
    if not (dearer.cost_pico and one.cost_pico):
        return "stands"
    return f"costs {dearer.cost_pico / one.cost_pico:.1f}x as much"
