"""How high a score must stand at each planned look, and how low it may fall before hope is gone.

A chance of error is spent in parts, hardly any of it early, as O'Brien and Fleming did. Scores are taken as normal,
with increments that are independent from look to look; the designs hold what comes of it against exact counts.

Rule: pure numbers. `parts` are the looks as parts of all cases, growing to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf, sqrt

import numpy as np

from router.vocabulary.noun import Noun

from .quantiles import Array, normal_beyond

NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
FAR = 9.0  # standard deviations
HALVINGS = 50
SPENDINGS = 20
STEEPNESS = 4.0  # of the spending: 1 is even, 3 is much like O'Brien and Fleming's; tuned (docs/evals.md)
POWER = 0.82  # of the design without stops, at the truth that the stops are made for
COST = 0.01  # of that power, at most, is given up for stopping where hope is gone


class _Inside(Noun, frozen=True, kw_only=True):
    """What has not ended by a look: where the walks are, and how likely each place is."""

    part: float
    places: Array
    masses: Array


START = _Inside(part=0.0, places=np.zeros(1), masses=np.ones(1))


def counted(looks: Sequence[float], cases: int) -> tuple[int, ...]:
    """The cases in all at each look. With very few cases some looks fall together."""
    return tuple(sorted({max(1, round(part * cases)) for part in looks}))


@lru_cache(maxsize=256)
def heights(parts: tuple[float, ...], chance: float) -> tuple[float, ...]:
    """The scores that accept, by look: under a truth on the line one of them is reached with this chance."""
    inside, found = START, []
    for part in parts:
        room = chance * (part**STEEPNESS - inside.part**STEEPNESS)
        end = _place_below(inside, part, room, 0.0)
        found.append(end / sqrt(part))
        inside = _kept(inside, part, (-inf, end), 0.0)
    return tuple(found)


@lru_cache(maxsize=256)
def stops(parts: tuple[float, ...], reach: tuple[float, ...]) -> tuple[float, ...]:
    """The scores at or below which hope is gone, by look, for those that accept; the last look has none."""
    best = (-inf,) * len(parts)
    drift = _drift(parts, reach)
    few, many = 0.0, 1.0
    for _ in range(SPENDINGS):
        middle = (few + many) / 2
        tried = _stopping(parts, reach, drift, middle)
        if _power(parts, reach, tried, drift) >= POWER - COST:
            few, best = middle, tried
        else:
            many = middle
    return best


def _drift(parts: Sequence[float], reach: Sequence[float]) -> float:
    """The score's mean at the last look that the design without stops has its power at."""
    low, high, nothing = 0.0, FAR, (-inf,) * len(parts)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _power(parts, reach, nothing, middle) < POWER:
            low = middle
        else:
            high = middle
    return high


def _stopping(parts: Sequence[float], reach: Sequence[float], drift: float, spend: float) -> tuple[float, ...]:
    """Stops that give up a tier which drifts so with the chance `spend`, evenly over the looks."""
    inside, found = START, []
    for part, height in zip(parts[:-1], reach[:-1], strict=True):
        room = float(inside.masses.sum()) - spend * (part - inside.part)
        low, end = _place_below(inside, part, room, drift), height * sqrt(part)
        found.append(min(low, end) / sqrt(part))
        inside = _kept(inside, part, (min(low, end), end), drift)
    return (*found, -inf)


def _power(parts: Sequence[float], reach: Sequence[float], low: Sequence[float], drift: float) -> float:
    """How often a tier is accepted whose score drifts so."""
    inside, accepted = START, 0.0
    for part, height, floor in zip(parts, reach, low, strict=True):
        accepted += _above(inside, part, height * sqrt(part), drift)
        inside = _kept(inside, part, (floor * sqrt(part), height * sqrt(part)), drift)
    return accepted


def _place_below(inside: _Inside, part: float, room: float, drift: float) -> float:
    """The place that so much of what is inside will be above at the next look."""
    low, high = drift * part - FAR, drift * part + FAR
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _above(inside, part, middle, drift) > room:
            low = middle
        else:
            high = middle
    return high


def _above(inside: _Inside, part: float, place: float, drift: float) -> float:
    """The chance to be inside so far, and above the place at the next look."""
    apart = (place - _moved(inside, part, drift)) / sqrt(part - inside.part)
    return float(inside.masses @ normal_beyond(apart))


def _kept(inside: _Inside, part: float, between: tuple[float, float], drift: float) -> _Inside:
    """What is between the ends at the next look, at Gauss and Legendre's places."""
    low = max(between[0], drift * part - FAR * sqrt(part))
    high = max(low, min(between[1], drift * part + FAR * sqrt(part)))
    places = low + (high - low) * (NODES + 1) / 2
    width = sqrt(part - inside.part)
    apart = (places[:, None] - _moved(inside, part, drift)[None, :]) / width
    density = np.exp(-apart * apart / 2) / (width * sqrt(2 * np.pi))
    return _Inside(part=part, places=places, masses=(high - low) / 2 * WEIGHTS * (density @ inside.masses))


def _moved(inside: _Inside, part: float, drift: float) -> Array:
    return inside.places + drift * (part - inside.part)
