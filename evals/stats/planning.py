"""How many cases a claim takes: for planning a suite, and for saying how many more would decide.

Rule: pure numbers, of one look at the end. Planned looks take up to 5 % more cases at the most, and far fewer on
average.
"""

from __future__ import annotations

from math import ceil

from ..vocabulary import Claim
from . import rate_design
from .quantiles import normal_above

POWER = 0.8
CHANCE = 0.05
CASES_MAX = 1_000_000


def cases_needed(claim: Claim, observed: float, power: float = POWER, difference: float = 0.0) -> int | None:
    """Cases with which a tier's claim is shown with this power; None where no number would do.

    `observed`: the true pass rate for a bar; for a margin the share of cases on which the tiers differ, where
    `difference` (top - cheap) may be more than none.
    """
    if claim.kind == "bar":
        return _for_bar(claim.value, observed, power)
    return _for_margin(claim.value, max(observed, abs(difference)), difference, power)


def _for_bar(bar: float, rate: float, power: float) -> int | None:
    """Exact, but for the last few cases: the power of whole cases goes up in a saw."""
    if rate <= bar:
        return None
    few, enough = 0, rate_design.needed(bar, CHANCE)
    while rate_design.fixed_power(bar, enough, rate, CHANCE) < power:
        few, enough = enough, 2 * enough
        if enough > CASES_MAX:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        if rate_design.fixed_power(bar, middle, rate, CHANCE) >= power:
            enough = middle
        else:
            few = middle
    return enough


def _for_margin(margin: float, discordance: float, difference: float, power: float) -> int | None:
    """By the normal curve, but never fewer than it takes where the tiers never differ."""
    room = margin - difference
    if room <= 0:
        return None
    least = normal_above(CHANCE) ** 2 * (1 - margin) / margin
    spread = (normal_above(CHANCE) + normal_above(1 - power)) ** 2 * (discordance - difference * difference)
    needed = ceil(max(least, spread / (room * room)))
    return needed if needed <= CASES_MAX else None
