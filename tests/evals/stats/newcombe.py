"""Newcombe's method 10 for a paired difference, counted over every outcome: what Tango's score is held against."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy  # type: ignore[import-untyped]

from evals.stats.quantiles import Array, normal_above

HEIGHT = normal_above(0.025)


def covered(cases: int, both: float, shares: tuple[float, float]) -> float:
    """How often the interval holds the truth; `shares` of the cases that only one or only the other passed."""
    table = np.indices((cases + 1,) * 3).reshape(3, -1).astype(float)
    table = table[:, table.sum(axis=0) <= cases]
    counts = np.vstack([table, cases - table.sum(axis=0)])  # both, only the one, only the other, neither
    truth = np.array([both, *shares, max(0.0, 1 - both - sum(shares))])[:, None]
    chances = np.exp(gammaln(cases + 1) - gammaln(counts + 1).sum(axis=0) + xlogy(counts, truth).sum(axis=0))
    low, high = _interval(counts, cases)
    difference = shares[0] - shares[1]
    return float(chances[(low <= difference) & (difference <= high)].sum())


def _interval(counts: Array, cases: int) -> tuple[Array, Array]:
    both, one, other, neither = counts
    rates = (both + one) / cases, (both + other) / cases
    (low_one, high_one), (low_other, high_other) = (_wilson(rate, cases) for rate in rates)
    product = (both + one) * (other + neither) * (both + other) * (one + neither)
    together = both * neither - one * other
    together = np.where(together > cases / 2, together - cases / 2, np.minimum(together, 0.0))
    phi = np.where(product > 0, together / np.sqrt(np.maximum(product, 1.0)), 0.0)
    below = _reach(rates[0] - low_one, high_other - rates[1], phi)
    above = _reach(rates[1] - low_other, high_one - rates[0], phi)
    return rates[0] - rates[1] - below, rates[0] - rates[1] + above


def _reach(one: Array, other: Array, phi: Array) -> Array:
    reach: Array = np.sqrt(np.maximum(one * one - 2 * phi * one * other + other * other, 0.0))
    return reach


def _wilson(rate: Array, cases: int) -> tuple[Array, Array]:
    extra = HEIGHT * HEIGHT / cases
    middle = (rate + extra / 2) / (1 + extra)
    spread = HEIGHT * np.sqrt(rate * (1 - rate) / cases + extra / (4 * cases)) / (1 + extra)
    return middle - spread, middle + spread
