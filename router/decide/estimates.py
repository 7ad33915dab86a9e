"""How often a tier probably does a task, where the cases are too few to be sure: its own rate, drawn towards the
tier's rate on the other tasks.

Rule: pure. An estimate is no bound: it decides only where the policy asks for estimates, and only from a stated
number of cases on, because how a tier does other tasks says next to nothing about one that nobody measured.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .policy import Measured

# A graded request of production counts half a case. Its grade (the answer agrees with the top tier's) sees fewer faults
# than an expected answer does: two tiers can err alike, and every fault that is missed makes the lower one look better.
SAMPLE_WEIGHT = 0.5
# More requests do not mend such an error, so samples never weigh more than the cases of the suite; where there are
# few or none, no more than so many cases.
SAMPLES_ALONE = 50.0
UNKNOWN_RATE = 0.5  # of a tier of which nothing is known


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """The cases of a suite and the graded samples, added up."""

    passed: float
    cases: float


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A shrunken pass rate, and what it is made of."""

    rate: float
    cases: float  # samples at their weight
    prior: float  # the tier's rate on the other tasks


def counted(one: Measured) -> Counted:
    """What the measurement weighs, samples at their own weight and within their limit."""
    weight = min(SAMPLE_WEIGHT * one.sampled_cases, max(float(one.cases), SAMPLES_ALONE))
    sampled_rate = one.sampled_passed / one.sampled_cases if one.sampled_cases else 0.0
    return Counted(passed=one.passed + weight * sampled_rate, cases=one.cases + weight)


def shrunken(task: str, tier: str, table: Mapping[str, Mapping[str, Measured]], prior_cases: float) -> Estimate:
    """The tier's rate on the task, as if `prior_cases` more had gone as the tier's cases on all other tasks did."""
    own = counted(table[task][tier])
    prior = _elsewhere(task, tier, table)
    whole = own.cases + prior_cases
    rate = (own.passed + prior_cases * prior) / whole if whole else prior
    return Estimate(rate=rate, cases=own.cases, prior=prior)


def _elsewhere(task: str, tier: str, table: Mapping[str, Mapping[str, Measured]]) -> float:
    """The pooled rate of the tier over the other tasks. What a model graded is left out: it flatters."""
    others = [
        counted(tiers[tier])
        for name, tiers in table.items()
        if name != task and tier in tiers and not tiers[tier].judged
    ]
    cases = sum(one.cases for one in others)
    return sum(one.passed for one in others) / cases if cases else UNKNOWN_RATE
