"""Worlds in which the truth is known: what the designs are held against.

Rule: exact by counting every outcome; what must be drawn is drawn in test_clusters.py, seeded.
"""

from __future__ import annotations

from functools import lru_cache

from evals.stats import rate_design, walks
from evals.stats.looks import Design, design
from evals.stats.quantiles import normal_above
from evals.vocabulary import Claim

HEIGHT = normal_above(0.05)


def bar(value: float) -> Claim:
    return Claim(kind="bar", value=value)


def margin(value: float) -> Claim:
    return Claim(kind="margin", value=value)


def of_rate(made: Design, rate: float, *, stopping: bool = True) -> walks.Prospect:
    """What becomes of a bar's test where the tier passes with this rate."""
    stops = [round(stop * cases) for stop, cases in zip(made.stops, made.looks, strict=True)]
    return walks.of_rate(made.looks, rate, made.accept_at, stops if stopping else walks.never(made.looks))


def of_pairs(made: Design, discordance: float, difference: float, *, stopping: bool = True) -> walks.Prospect:
    """What becomes of a margin's test where the tiers differ on so many cases, and top - cheap is so much."""
    shares = (discordance + difference) / 2, (discordance - difference) / 2
    heights = [normal_above(level) for level in made.levels]
    stops = made.stops if stopping else (walks.NEVER,) * len(made.looks)
    return walks.of_pairs(made.looks, shares, made.claim.value, heights, stops)


def fixed_pairs(cases: int, line: float, discordance: float, difference: float) -> float:
    """How often the test without looks accepts: the same score, once, with all of the chance."""
    shares = (discordance + difference) / 2, (discordance - difference) / 2
    return walks.of_pairs((cases,), shares, line, (HEIGHT,), (walks.NEVER,)).power


@lru_cache(maxsize=512)
def fixed_difference(cases: int, line: float, discordance: float, power: float) -> float:
    """The true top - cheap that the test without looks accepts with this power."""
    good, bad = 1e-6 - discordance, line
    for _ in range(25):
        middle = (good + bad) / 2
        if fixed_pairs(cases, line, discordance, middle) >= power:
            good = middle
        else:
            bad = middle
    return good


def fixed_rate(cases: int, line: float, power: float) -> float:
    """The true pass rate that the test without looks accepts with this power."""
    low, high = line, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if rate_design.fixed_power(line, cases, middle, 0.05) >= power:
            high = middle
        else:
            low = middle
    return high


def made(claim: Claim, cases: int) -> Design | None:
    """None where the cases are too few for the claim."""
    try:
        return design(claim, cases)
    except ValueError:
        return None
