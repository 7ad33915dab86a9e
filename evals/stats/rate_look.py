"""One planned look at a pass rate, held against a bar.

Rule: pure numbers. It accepts where the bound that it shows reaches the bar, and nowhere else.
"""

from __future__ import annotations

from math import ceil, sqrt

from .intervals import wilson
from .nouns import Design, Look, LookState
from .planning import cases_needed
from .quantiles import share_at_least

SLACK = 1 + 1e-9  # so that a bound which is the bar is not missed by rounding
ROUNDING = 1e-12


def look_at_rate(design: Design, look_index: int, passed: int, cases: int, effect: float = 1.0) -> Look:
    """`effect`: so many cases of a cluster count as one (clusters.py)."""
    if not 0 <= passed <= cases or not cases:
        raise ValueError(f"{passed} of {cases} cases cannot have passed")
    rate, at_least = passed / cases, surely(design, look_index, passed / effect, cases / effect)
    low, high = wilson(passed / effect, cases / effect)
    state = _state(design, look_index, (rate, at_least, high), effect)
    more = None if state == "accept" else _more(design, look_index, (passed, cases), (state, effect))
    return Look(
        state=state,
        estimate=rate,
        low=low,
        high=high,
        at_least=at_least,
        more_cases=more,
        words=f"{passed} of {cases} passed ({rate:.1%}), at least {at_least:.1%}{counted(cases, effect)}: "
        + _in_words(state, design, high, more),
    )


def surely(design: Design, look_index: int, passed: float, cases: float) -> float:
    """The lower bound of a pass rate that holds over all looks."""
    return share_at_least(passed, cases, design.levels[look_index] * SLACK)


def counted(cases: int, effect: float) -> str:
    """What the reader must know of clusters."""
    return "" if effect <= 1 else f" (cases come in clusters, and count as {cases / effect:.0f})"


def beyond(design: Design, look_index: int, cases: int, needed: int | None) -> int:
    """Cases still to come of this test that it may take to decide, as far as one can tell."""
    nearest, farthest = design.looks[look_index + 1] - cases, design.looks[-1] - cases
    return nearest if needed is None else min(max(needed - cases, nearest), farthest)


def percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _state(design: Design, look_index: int, seen: tuple[float, float, float], effect: float) -> LookState:
    bar, (rate, at_least, high) = design.claim.value, seen
    if at_least >= bar:
        return "accept"
    if look_index == len(design.looks) - 1:
        return "reject" if high < bar else "undecided"
    # With clusters the rate strays further from the truth than the stops were made for.
    if bar + (rate - bar) / sqrt(effect) > design.stops[look_index] + ROUNDING:
        return "go on"
    return "reject" if rate < bar else "undecided"


def _more(design: Design, look_index: int, seen: tuple[int, int], how: tuple[LookState, float]) -> int | None:
    (passed, cases), (state, effect) = seen, how
    needed = cases_needed(design.claim, passed / cases)
    needed = None if needed is None else ceil(needed * effect)
    if state == "go on":
        return beyond(design, look_index, cases, needed)
    return None if needed is None else max(1, needed - cases)


def _in_words(state: LookState, design: Design, high: float, more: int | None) -> str:
    bar = percent(design.claim.value)
    if state == "accept":
        return f"it clears the bar of {bar}"
    if state == "go on":
        return f"not decided yet whether it clears the bar of {bar}"
    if state == "reject":
        below = f"it is below the bar of {bar}" if high < design.claim.value else ""
        return below or f"hope is gone that these cases show the bar of {bar}"
    if more is None:
        return f"not enough evidence for the bar of {bar}, and more cases would not give it, were the truth as observed"
    return f"not enough evidence for the bar of {bar}; about {more:,} more cases would decide"
