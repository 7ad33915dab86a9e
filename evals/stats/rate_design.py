"""The planned looks at a pass rate that must clear a bar, exact: every boundary is worked out from the binomial.

The chance to accept a tier that lies right on the bar is spent look by look; what the steps of whole cases leave
unspent is carried on. Then stops are put in, as high as the power allows: the design still accepts with POWER a tier
so good that a test without looks, of as many cases, would accept it with FIXED_POWER. Of several ways to spend, the
one that takes the fewest cases is kept. Nothing of this depends on what is seen later.

Rule: pure numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

import numpy as np
from msgspec.structs import replace

from router.vocabulary.noun import Noun

from . import walks
from .quantiles import binomial, passes_at_least, share_at_least

FIXED_POWER = 0.81
POWER = 0.80
STEEPNESSES = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)  # of the spending: the steeper, the less is spent early
SPENDINGS = 12
ROUNDING = 1e-12
BETWEEN = 0.98  # of the chance is allowed at these truths, for what lies between them
TRUTHS = tuple(float(truth) for truth in np.linspace(0.3, 0.98, 35))  # that the bounds are held against


class RatePlan(Noun, frozen=True, kw_only=True):
    accept_at: tuple[int, ...]  # so many passes accept; more than the cases: none can
    stop_at: tuple[int, ...]  # with so few passes hope is gone
    levels: tuple[float, ...] = ()
    error: float
    point: float  # the true pass rate that the design has `power` at
    power: float
    mean_share: float  # of all cases, over MEANT truths


def planned(bar: float, looks: tuple[int, ...], chance: float) -> RatePlan:
    """Needs as many cases as could show the bar if all passed: `needed`."""
    point = _point(bar, looks[-1], chance)
    plans = [_plan(bar, looks, chance, point, steepness) for steepness in STEEPNESSES]
    strong = [plan for plan in plans if plan.power >= POWER]
    # With unusual looks none may be strong enough: then power comes before cases.
    best = min(strong, key=lambda plan: plan.mean_share) if strong else max(plans, key=lambda plan: plan.power)
    return replace(best, levels=_levels(bar, looks, best.accept_at, chance))


def needed(bar: float, chance: float) -> int:
    """Cases that show the bar if all of them pass."""
    return max(1, ceil(log(chance) / log(bar) - ROUNDING))


def meant(bar: float, point: float) -> tuple[float, float, float]:
    """The truths that the mean number of cases is taken over: clearly good, at the design's point, clearly bad."""
    return (point + 1) / 2, point, max(0.0, bar - 2 * (point - bar))


def fixed_accepts_at(bar: float, cases: int, chance: float) -> int:
    """The passes that the test without looks accepts from on."""
    low, high = 0, cases + 1
    while high - low > 1:
        middle = (low + high) // 2
        if passes_at_least(middle, cases, bar) <= chance:
            high = middle
        else:
            low = middle
    return high


def fixed_power(bar: float, cases: int, rate: float, chance: float) -> float:
    return passes_at_least(fixed_accepts_at(bar, cases, chance), cases, rate)


def _point(bar: float, cases: int, chance: float) -> float:
    """The pass rate that the test without looks accepts with FIXED_POWER."""
    enough = fixed_accepts_at(bar, cases, chance)
    return share_at_least(enough, cases, FIXED_POWER)


def _plan(bar: float, looks: tuple[int, ...], chance: float, point: float, steepness: float) -> RatePlan:
    accept_at, error = _accepting(bar, looks, chance, steepness)
    stop_at = _stopping(looks, point, accept_at)
    means = [walks.of_rate(looks, rate, accept_at, stop_at).mean_cases for rate in meant(bar, point)]
    return RatePlan(
        accept_at=accept_at,
        stop_at=stop_at,
        error=error,
        point=point,
        power=walks.of_rate(looks, point, accept_at, stop_at).power,
        mean_share=sum(means) / len(means) / looks[-1],
    )


def _accepting(bar: float, looks: Sequence[int], chance: float, steepness: float) -> tuple[tuple[int, ...], float]:
    """The passes that accept, and what chance of error they spend together."""
    state, last, spent, accept_at = np.ones(1), 0, 0.0, []
    for cases in looks:
        state = np.convolve(state, binomial(cases - last, bar))
        allowed = chance * (cases / looks[-1]) ** steepness
        above = np.cumsum(state[::-1])[::-1]  # of those that were not accepted before
        enough = int(np.count_nonzero(above > allowed - spent + ROUNDING))
        spent += float(state[enough:].sum())
        state[enough:] = 0.0
        accept_at.append(enough)
        last = cases
    return tuple(accept_at), spent


def _levels(bar: float, looks: tuple[int, ...], accept_at: tuple[int, ...], chance: float) -> tuple[float, ...]:
    """The level of each look's bound: such that bound and passes agree, and where no number of passes accepts, as
    much as keeps the bounds true together, whatever the pass rate is."""
    shown = [passes_at_least(enough, cases, bar) for cases, enough in zip(looks, accept_at, strict=True)]
    levels: tuple[float, ...] = ()
    for steepness in STEEPNESSES:
        spared = [min(bar**cases, chance * (cases / looks[-1]) ** steepness) / 2 for cases in looks]
        levels = tuple(one or other for one, other in zip(shown, spared, strict=True))
        if max(missed(looks, levels, truth) for truth in TRUTHS) <= BETWEEN * chance:
            break
    return levels


def missed(looks: tuple[int, ...], levels: tuple[float, ...], truth: float) -> float:
    """The chance that any look's bound is above the true pass rate."""
    wrong_at = [fixed_accepts_at(truth, cases, level) for cases, level in zip(looks, levels, strict=True)]
    return walks.of_rate(looks, truth, wrong_at, walks.never(looks)).power


def _stopping(looks: tuple[int, ...], point: float, accept_at: tuple[int, ...]) -> tuple[int, ...]:
    """The highest stops that leave the power, spent evenly over the looks; the last look needs none."""
    few, many, best = 0.0, 1.0, walks.never(looks)
    for _ in range(SPENDINGS):
        middle = (few + many) / 2
        tried = _spent_stops(looks, point, accept_at, middle)
        if walks.of_rate(looks, point, accept_at, tried).power >= POWER:
            few, best = middle, tried
        else:
            many = middle
    return best


def _spent_stops(looks: tuple[int, ...], point: float, accept_at: tuple[int, ...], spend: float) -> tuple[int, ...]:
    state, last, spent, stop_at = np.ones(1), 0, 0.0, []
    for cases, enough in zip(looks[:-1], accept_at, strict=False):
        state = np.convolve(state, binomial(cases - last, point))
        room = spend * cases / looks[-1] - spent + ROUNDING
        few = min(enough - 1, int(np.count_nonzero(np.cumsum(state) <= room)) - 1)
        spent += float(state[: few + 1].sum())
        state[: few + 1] = 0.0
        state[enough:] = 0.0
        stop_at.append(few)
        last = cases
    return (*stop_at, -1)
