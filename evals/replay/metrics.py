"""What a ranking of requests is worth: quality for every share of them that is sent to the strong model.

    PGR      (quality - weak's) / (strong's - weak's)
    APGR     its mean over all shares, as RouteLLM defines it: 0.5 for a router that draws lots
    CPT(x)   the smallest share of strong calls with PGR >= x
    cost@q   the cheapest share of always-strong's cost with quality >= q of the strong one's

Rule: numbers in, numbers out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from router.vocabulary.noun import Noun

from ..learn.vectors import Numbers, Rows

Reached = npt.NDArray[np.bool_]

SHARES = (0.5, 0.8)
QUALITIES = (0.95, 0.98)
NAMES = ("apgr", "cpt50", "cpt80", "cost95", "cost98", "lift_pp")
BETWEEN = (2.5, 97.5)  # percent


class Outcomes(Noun, frozen=True, kw_only=True):
    """How the two models did on the rows that are scored, and what they cost; costs may not be known."""

    weak: Numbers
    strong: Numbers
    weak_usd: Numbers | None = None
    strong_usd: Numbers | None = None


class Scores(Noun, frozen=True, kw_only=True):
    apgr: float
    cpt50: float | None
    cpt80: float | None
    cost95: float | None
    cost98: float | None
    lift_pp: float  # points of quality over drawing lots, where half of the requests go to the strong model


class Spread(Noun, frozen=True, kw_only=True):
    """Of several repeats: the mean, and between which two numbers 95 % of them lie."""

    mean: float
    low: float
    high: float
    repeats: int


def scored(ranking: Numbers, outcomes: Outcomes) -> Scores | None:
    """`ranking`: higher goes to the strong model first. None where the strong model is no better."""
    weak, strong = float(outcomes.weak.mean()), float(outcomes.strong.mean())
    if strong <= weak:
        return None
    order = np.argsort(-ranking, kind="stable")
    count = len(order)
    shares = np.arange(count + 1) / count
    quality = _along(outcomes.weak, outcomes.strong, order)
    gained = (quality - weak) / (strong - weak)
    cpt50, cpt80 = (_first(shares, gained >= share) for share in SHARES)
    cost95, cost98 = (_cheapest(outcomes, order, quality >= part * strong - 1e-12) for part in QUALITIES)
    half = count // 2
    by_lot = weak + shares[half] * (strong - weak)
    return Scores(
        apgr=float(np.trapezoid(gained, shares)),
        cpt50=cpt50,
        cpt80=cpt80,
        cost95=cost95,
        cost98=cost98,
        lift_pp=100 * float(quality[half] - by_lot),
    )


def spread_of(values: Sequence[float]) -> Spread:
    low, high = np.percentile(values, BETWEEN)
    return Spread(mean=float(np.mean(values)), low=float(low), high=float(high), repeats=len(values))


def summed_up(many: Sequence[Scores]) -> dict[str, Spread | None]:
    """Each number over the repeats in which it is known."""
    known = {name: [value for one in many if (value := getattr(one, name)) is not None] for name in NAMES}
    return {name: spread_of(values) if values else None for name, values in known.items()}


def _along(first: Numbers, then: Numbers, order: Rows) -> Numbers:
    """The mean over all rows, as one row after the other changes from the first to the second."""
    changed = np.concatenate([[0.0], np.cumsum((then - first)[order])])
    return np.asarray((first.sum() + changed) / len(order))


def _first(shares: Numbers, reached: Reached) -> float | None:
    return float(shares[np.argmax(reached)]) if reached.any() else None


def _cheapest(outcomes: Outcomes, order: Rows, reached: Reached) -> float | None:
    if outcomes.weak_usd is None or outcomes.strong_usd is None or not reached.any():
        return None
    usd = _along(outcomes.weak_usd, outcomes.strong_usd, order)
    return float(usd[reached].min() / outcomes.strong_usd.mean())
