"""The planned looks at two tiers on the same cases: is the cheap one at most a margin below the top one?

The score of paired.py is held against heights that spend the chance of error hardly at all early. How it errs depends
on how often the tiers differ, which nobody knows before: the heights are raised until the error, counted exactly,
stays below the chance at every discordance of a list.

Rule: pure numbers; nothing of this depends on what is seen later.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.vocabulary.noun import Noun

from . import levels, rate_design, walks
from .paired import score
from .quantiles import normal_above, normal_beyond

DISCORDANCES = (0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4)  # beyond the margin itself, which is the least
CAREFUL = (1.0, 0.985, 0.97, 0.955, 0.94, 0.92, 0.9, 0.86, 0.8, 0.7, 0.5, 0.2)  # of the chance, tried in turn
BETWEEN = 0.99  # of the chance is allowed on the list, for what lies between its entries


class PairsPlan(Noun, frozen=True, kw_only=True):
    levels: tuple[float, ...]
    stops: tuple[float, ...]  # scores
    error: float


def planned(margin: float, looks: tuple[int, ...], chance: float) -> PairsPlan:
    parts = tuple(cases / looks[-1] for cases in looks)
    for share in CAREFUL:
        heights = levels.heights(parts, share * chance)
        error = worst_error(margin, looks, heights)
        if error <= BETWEEN * chance:
            break
    return PairsPlan(
        levels=tuple(float(one) for one in normal_beyond(np.array(heights))),
        stops=levels.stops(parts, heights),
        error=error,
    )


def possible(plan: PairsPlan, margin: float, cases: int, chance: float) -> bool:
    """Does it accept two tiers that pass every case, and keep its promise?"""
    return plan.error <= chance and score(0.0, 0.0, cases, margin) >= normal_above(plan.levels[-1])


def needed(margin: float, looks: tuple[float, ...], chance: float, beyond: int) -> int:
    """The fewest cases, more than `beyond`, with which a plan is possible. `looks`: as parts of all cases."""
    cases = max(beyond + 1, rate_design.needed(1 - margin, chance))  # fewer could not even rule out so many losses
    while True:
        counts = levels.counted(looks, cases)
        if possible(planned(margin, counts, chance), margin, counts[-1], chance):
            return cases
        cases += 1


def worst_error(margin: float, looks: tuple[int, ...], heights: Sequence[float]) -> float:
    """The highest chance to accept a tier that is exactly the margin below, had the stops not been kept to."""
    nothing = (walks.NEVER,) * len(looks)
    found = []
    for beyond in DISCORDANCES:
        discordance = min(margin + beyond, 1.0)
        shares = ((discordance + margin) / 2, (discordance - margin) / 2)
        found.append(walks.of_pairs(looks, shares, margin, heights, nothing).power)
    return max(found)
