"""A tier's figures as a row of routes.yaml.

Rule: pure. What is rounded is rounded to the careful side: a lower bound down, an upper bound up.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from math import ceil, floor

import msgspec

from router.decide.evidence import lower_bound
from router.decide.policy import Measured
from router.vocabulary import PICO_PER_USD

from ..vocabulary import Finding, TierFinding

PLACES = 10_000  # of a share: a hundredth of a point
COST_DIGITS = 3  # that count, of what a case costs


def rows_of(findings: Sequence[Finding], day: str) -> dict[str, Measured]:
    """By tier. Of several suites of a task the one that the tier does worst is its row; a tier that one of them never
    ran has none, because nothing is known of it there."""
    tiers = dict.fromkeys(one.tier for finding in findings for one in finding.tiers)
    found = {}
    for tier in tiers:
        rows = [_row(finding, one, day) for finding in findings for one in finding.tiers if one.tier == tier]
        if len(rows) == len(findings) and all(row.cases or row.mark for row in rows):
            found[tier] = _weakest(rows)
    return found


def _weakest(rows: Sequence[Measured]) -> Measured:
    """What a policy holds against its bar or its margin must hold for every suite."""
    worst = min([row for row in rows if row.cases] or rows, key=_bound)
    below = [row.below_best for row in rows if row.below_best is not None]
    return msgspec.structs.replace(
        worst, below_best=max(below) if len(below) == len(rows) else None, mark=all(row.mark for row in rows)
    )


def _bound(row: Measured) -> float:
    return lower_bound(row.passed, row.cases) if row.at_least is None else row.at_least


def _row(finding: Finding, one: TierFinding, day: str) -> Measured:
    mark = finding.claim.kind == "margin" and one.tier == finding.tiers[-1].tier
    seen = one.cases > 0
    row = Measured(
        model=one.model,
        cases=one.cases,
        passed=one.passed,
        measured=day,
        at_least=_down(one.at_least) if seen and one.at_least > 0 else None,
        low=_down(one.low) if seen else None,
        high=_up(one.high) if seen else None,
        below_best=_below(one, mark),
        mark=mark,
        state=one.state.value,
        suite=finding.suite,
        suite_hash=finding.suite_hash,
        judged=finding.judged,
    )
    if not seen:
        return row  # what a case costs where only the hard ones were asked is no mean
    return msgspec.structs.replace(
        row,
        cost_usd=_usd(one.cost_pico) if one.cost_pico else None,
        latency_ms=one.latency_ms or None,
        latency_p95_ms=one.latency_p95_ms or None,
    )


def _below(one: TierFinding, mark: bool) -> float | None:
    if mark:
        return 0.0
    return None if one.below_top is None else ceil(one.below_top * PLACES) / PLACES


def _down(share: float) -> float:
    return max(0.0, floor(share * PLACES) / PLACES)


def _up(share: float) -> float:
    return min(1.0, ceil(share * PLACES) / PLACES)


def _usd(pico: int) -> str:
    """A few digits that count, as a decimal without an exponent."""
    amount = Decimal(pico) / PICO_PER_USD
    step = Decimal(1).scaleb(amount.adjusted() - COST_DIGITS + 1)
    return format(amount.quantize(step, ROUND_HALF_EVEN).normalize(), "f")
