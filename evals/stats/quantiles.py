"""The curves that every bound here is read off: normal, Student's t, binomial, beta.

Rule: the only file here that knows scipy; everything it returns has a type.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

Array = NDArray[np.float64]


def normal_above(chance: float) -> float:
    """The height that a standard normal exceeds with this chance. Exact in the far tail too."""
    return -float(special.ndtri(chance))


def normal_beyond(heights: Array) -> Array:
    """The chance that a standard normal exceeds each of these heights."""
    beyond: Array = special.ndtr(-heights)
    return beyond


def student_above(chance: float, freedom: int) -> float:
    return float(special.stdtrit(freedom, 1 - chance))


def binomial(cases: int, share: float) -> Array:
    """The chance of 0, 1, ... `cases` passes."""
    passed = np.arange(cases + 1)
    ways = special.gammaln(cases + 1) - special.gammaln(passed + 1) - special.gammaln(cases - passed + 1)
    chances: Array = np.exp(ways + special.xlogy(passed, share) + special.xlog1py(cases - passed, -share))
    return chances


def trinomial(cases: int, shares: tuple[float, float], upto: tuple[int, int]) -> Array:
    """The chance of so many of the first and so many of the second kind, as a table up to these counts."""
    first = np.arange(upto[0] + 1)[:, None]
    second = np.arange(upto[1] + 1)[None, :]
    rest = cases - first - second
    inside = rest >= 0
    rest = np.maximum(rest, 0)
    ways = special.gammaln(cases + 1) - special.gammaln(first + 1)
    ways = ways - special.gammaln(second + 1) - special.gammaln(rest + 1)
    logarithm = ways + special.xlogy(first, shares[0]) + special.xlogy(second, shares[1])
    logarithm = logarithm + special.xlog1py(rest, -shares[0] - shares[1])
    return np.where(inside, np.exp(logarithm), 0.0)


def nearly_all(cases: int, share: float, beyond: float) -> int:
    """A count that is exceeded with less than this chance."""
    tail = np.cumsum(binomial(cases, share)[::-1])[::-1]
    return min(cases, int(np.count_nonzero(tail >= beyond)))


def passes_at_least(passed: int, cases: int, share: float) -> float:
    """The chance of so many passes or more."""
    if passed <= 0:
        return 1.0
    return 0.0 if passed > cases else float(special.betainc(passed, cases - passed + 1, share))


def share_at_least(passed: float, cases: float, chance: float) -> float:
    """Clopper and Pearson's lower end, one-sided. Counts may be fractions: what clusters leave of them."""
    if passed <= 0:
        return 0.0
    return float(special.betaincinv(min(passed, cases), max(cases - passed, 0.0) + 1, chance))


def share_at_most(passed: float, cases: float, chance: float) -> float:
    """Clopper and Pearson's upper end, one-sided."""
    return 1 - share_at_least(cases - passed, cases, chance)
