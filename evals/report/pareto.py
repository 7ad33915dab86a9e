"""Which tiers are worth their price: the front of cost and pass rate, and who is beaten by whom.

Rule: pure; it compares what was observed, so a tier that is beaten by a hair is beaten. The intervals stand beside.
"""

from __future__ import annotations

from ..vocabulary import Finding, TierFinding
from .words import rate


def placed(finding: Finding) -> tuple[TierFinding, ...]:
    """The tiers that have both a pass rate and a cost, cheapest first."""
    return tuple(sorted((one for one in finding.tiers if one.cases and one.cost_pico), key=lambda one: one.cost_pico))


def beaten_by(one: TierFinding, tiers: tuple[TierFinding, ...]) -> TierFinding | None:
    """The cheapest tier that costs no more and passes no less, and is better in one of the two."""
    for other in tiers:
        no_worse = other.cost_pico <= one.cost_pico and rate(other) >= rate(one)
        better = other.cost_pico < one.cost_pico or rate(other) > rate(one)
        if other is not one and no_worse and better:
            return other
    return None


def front(tiers: tuple[TierFinding, ...]) -> tuple[TierFinding, ...]:
    """Those that nobody beats, cheapest first."""
    return tuple(one for one in tiers if beaten_by(one, tiers) is None)
