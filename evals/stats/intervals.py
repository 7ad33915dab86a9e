"""Intervals and tests of one look at cases that were all counted: rates, paired differences, ratios, many claims.

Rule: pure numbers. Who looks again and again takes looks.py; who has clusters shrinks the counts first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from router.decide.interval import share_between

from .nouns import Pairs
from .paired import difference_at_least, difference_at_most
from .quantiles import normal_above, passes_at_least, student_above

CHANCE = 0.05  # that an interval misses, both sides together
DRAWS = 2_000


def wilson(passed: float, cases: float, chance: float = CHANCE) -> tuple[float, float]:
    """The interval of a pass rate for tables and plots. Counts may be fractions: what clusters leave of them."""
    if cases <= 0:
        return 0.0, 1.0
    height = normal_above(chance / 2)
    rate, extra = passed / cases, height * height / cases
    middle = (rate + extra / 2) / (1 + extra)
    spread = height * sqrt(rate * (1 - rate) / cases + extra / (4 * cases)) / (1 + extra)
    # At the ends rounding would leave 0.9999999999999999 of what is 1.
    low = 0.0 if passed <= 0 else max(0.0, middle - spread)
    return low, 1.0 if passed >= cases else min(1.0, middle + spread)


def exact(passed: int, cases: int, chance: float = CHANCE) -> tuple[float, float]:
    """Clopper and Pearson's: never wrong more often than it says, and wider for it."""
    return share_between(passed, cases, chance) if cases else (0.0, 1.0)


def paired_difference(pairs: Pairs, chance: float = CHANCE, effect: float = 1.0) -> tuple[float, float]:
    """The interval of top - cheap, by Tango's score (paired.py says why his)."""
    if pairs.unasked:
        raise ValueError(f"{pairs.unasked} cases were asked of one tier only: ask both, or give the pairs without them")
    if not pairs.cases:
        return -1.0, 1.0
    losses, wins, cases = pairs.only_top / effect, pairs.only_cheap / effect, pairs.cases / effect
    height = normal_above(chance / 2)
    return difference_at_least(losses, wins, cases, height), difference_at_most(losses, wins, cases, height)


def mcnemar_worse(only_before: int, only_after: int) -> float:
    """The chance of a fall like this or a harder one, were both equally good (exact, one-sided)."""
    return passes_at_least(only_before, only_before + only_after, 0.5)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The same p-values, corrected for being many: any below `chance` may be claimed, all together wrong at most
    with that chance."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, p_values[at] * (len(order) - rank)))
        adjusted[at] = highest
    return tuple(adjusted)


def paired_ratio(
    one: Sequence[float],
    other: Sequence[float],
    dice: np.random.Generator,
    chance: float = CHANCE,
) -> tuple[float, float, float]:
    """How many times `other` is `one`, of the same cases (cost, latency): the ratio of the sums, and its interval.

    Cases are drawn again with their pair; the interval is of the logarithm with Student's factor, because the plain
    percentiles of few cases are too narrow.
    """
    upper, lower = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if len(upper) != len(lower) or not len(upper):
        raise ValueError(f"a ratio needs the same cases of both, at least one: got {len(upper)} and {len(lower)}")
    if upper.min() < 0 or lower.min() < 0 or not upper.sum() or not lower.sum():
        raise ValueError("a ratio needs amounts that are not negative and not all zero")
    ratio = float(upper.sum() / lower.sum())
    drawn = dice.integers(len(upper), size=(DRAWS, len(upper)))
    above, below = upper[drawn].sum(axis=1), lower[drawn].sum(axis=1)
    usable = (above > 0) & (below > 0)
    logs = np.log(above[usable] / below[usable]) - np.log(ratio)
    low, high = np.quantile(logs * _widened(len(upper), chance), (chance / 2, 1 - chance / 2))
    return ratio, float(ratio * np.exp(low)), float(ratio * np.exp(high))


def _widened(cases: int, chance: float) -> float:
    """What drawing again leaves out with few cases."""
    freedom = max(1, cases - 1)
    return sqrt(cases / freedom) * student_above(chance / 2, freedom) / normal_above(chance / 2)
