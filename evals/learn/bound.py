"""Up to which risk may be answered, so that of the answers no more than alpha are wrong: fixed-sequence testing with
the exact bound of Clopper and Pearson.

Rule: which thresholds are tried, and in which order, is settled before any outcome is looked at: from the least risk
up, at fixed places in the order of the risks, and no further after the first that fails. The first of them lets in
at least `min_cases`. So the bound holds with the stated confidence, whatever the model is worth.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import ceil

from router.decide.gate_file import Lane
from router.decide.interval import cases_to_prove, share_between
from router.vocabulary.noun import Noun

OWN_FIRST = 2 / 3  # of a task's cases are below the first threshold, where that is min_cases or more
SHARED_FIRST = 1 / 3  # of many tasks' cases: some are all safe, others not at all
STEPS = 6  # thresholds from there, evenly up to the last
EVERYTHING = 1.0  # as a risk


class Asked(Noun, frozen=True, kw_only=True):
    """The bound that is wanted."""

    alpha: float = 0.10
    confidence: float = 0.90
    min_cases: int = 50


class Seen(Noun, frozen=True, kw_only=True):
    """Cases that calibrate: their risk, and whether to answer would have been wrong; `novel` ones never are."""

    judged: tuple[tuple[float, bool], ...]
    novel: int = 0

    @property
    def cases(self) -> int:
        return len(self.judged) + self.novel


def upper(bad: int, cases: int, confidence: float) -> float:
    """One-sided."""
    return share_between(bad, cases, 2 * (1 - confidence))[1] if cases else 1.0


def lane_of(seen: Seen, asked: Asked, together: Sequence[str] = ()) -> Lane | None:
    """The highest threshold that was reached; None where even the first one failed, or could not be tried."""
    best = None
    first = max(asked.min_cases, ceil((SHARED_FIRST if together else OWN_FIRST) * len(seen.judged)))
    for risk_max, cases, bad in _thresholds(seen.judged, first, asked.min_cases):
        bound = upper(bad, cases, asked.confidence)
        if bound > asked.alpha:
            break
        best = Lane(
            risk_max=risk_max,
            cases=cases,
            bad=bad,
            calibrated_on=seen.cases,
            coverage=cases / seen.cases,
            bound=bound,
            together=tuple(together),
        )
    return best


def _thresholds(judged: Sequence[tuple[float, bool]], first: int, min_cases: int) -> Iterator[tuple[float, int, int]]:
    """Risk, cases below it, and how many of them are bad. The case that sets a threshold does not count below it:
    only then are those below it a fair sample of what will be."""
    ordered = sorted(judged)
    risks = [risk for risk, _ in ordered]
    bad_below = list(accumulate((bad for _, bad in ordered), initial=0))
    for step in range(STEPS):
        at = first + (len(ordered) - first) * step // STEPS
        if first <= at < len(ordered):
            cases = bisect_left(risks, risks[at])  # equal ones are not below it
            if cases >= min_cases:
                yield risks[at], cases, bad_below[cases]
    if len(ordered) >= first:
        yield EVERYTHING, len(ordered), bad_below[-1]


def missing(seen: Seen, asked: Asked) -> str:
    """What stands in the way of a bound, in words. Half of all labels calibrate."""
    have = len(seen.judged)
    if have < asked.min_cases:
        return f"not enough labels: about {2 * (asked.min_cases - have):,} more"
    first = max(asked.min_cases, ceil(OWN_FIRST * have))
    bad = sum(one for _, one in sorted(seen.judged)[:first])
    enough = cases_to_prove(asked.alpha, bad / first, 2 * (1 - asked.confidence))
    if enough is None:
        return f"of the {first:,} likeliest to go well {bad:,} went wrong, which is {asked.alpha:.0%} or more"
    more = max(2, ceil(2 * have * (enough / first - 1)))
    return f"not enough labels: about {more:,} more, if they go as those so far"
