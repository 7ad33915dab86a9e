"""What a share may be, after a fixed number of cases: the exact interval of Clopper and Pearson.

Rule: pure numbers. It holds for one look at cases that were all counted; who looks again and again needs
sequential.py.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, lgamma, log, log1p

HALVINGS = 60
NEGLIGIBLE = 1e-17


def share_between(bad: int, cases: int, chance: float) -> tuple[float, float]:
    """The interval that misses the true share with at most this chance, half of it on either side."""
    low = 0.0 if bad == 0 else _solved(lambda share: _at_least(bad, cases, share) > chance / 2)
    high = 1.0 if bad == cases else _solved(lambda share: _at_most(bad, cases, share) <= chance / 2)
    return low, high


def cases_to_prove(below: float, rate: float, chance: float, enough_max: int = 1_000_000) -> int | None:
    """How many cases of which `rate` go bad would prove that less than `below` do; None for too many."""
    if rate >= below:
        return None
    few, enough = 0, 1
    while not _proves(below, ceil(rate * enough), enough, chance):
        few, enough = enough, 2 * enough
        if few > enough_max:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        if _proves(below, ceil(rate * middle), middle, chance):
            enough = middle
        else:
            few = middle
    return enough


def _proves(below: float, bad: int, cases: int, chance: float) -> bool:
    """Is the upper end of the interval below it?"""
    return bad < cases and _at_most(bad, cases, below) < chance / 2


def _solved(is_above: Callable[[float], bool]) -> float:
    """The share from which on it is true."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if is_above(middle):
            high = middle
        else:
            low = middle
    return high


def _at_most(bad: int, cases: int, share: float) -> float:
    """The chance of so many or fewer, each going bad with this share."""
    return _tail(bad, cases, share) if bad <= share * cases else 1 - _tail(cases - bad - 1, cases, 1 - share)


def _at_least(bad: int, cases: int, share: float) -> float:
    return _at_most(cases - bad, cases, 1 - share)


def _tail(bad: int, cases: int, share: float) -> float:
    """The sum from `bad` down, which lies below the middle: each term is smaller than the one before."""
    if bad < 0 or share >= 1:
        return 0.0
    if share <= 0:
        return 1.0
    logarithm = lgamma(cases + 1) - lgamma(bad + 1) - lgamma(cases - bad + 1)
    term = exp(logarithm + bad * log(share) + (cases - bad) * log1p(-share))
    odds = (1 - share) / share
    total = 0.0
    while bad >= 0 and term > NEGLIGIBLE * total:
        total += term
        term *= bad / (cases - bad + 1) * odds
        bad -= 1
    return min(1.0, total)
