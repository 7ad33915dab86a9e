"""The planned looks of a test: may a tier's claim be accepted now, is hope gone, or are more cases due?

    design(claim, cases)         before the first case is asked: at how many cases one looks, and what each look takes
    look_at_rate(design, ...)    of a bar: so many of so many passed
    look_at_pairs(design, ...)   of a margin: two tiers on the same cases, the cheap one asked first

Accepting a tier that lies right on the line has at most the design's chance, all looks together, and that holds even
for one who goes on where a look gave up. A look's bound (`at_least`, `below_top`) and its state never disagree.

Rule: pure numbers. A look depends on the design and its counts alone.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count

from ..vocabulary import LOOKS, Claim
from . import pairs_design, rate_design
from .levels import counted
from .nouns import Design, Look, LookState, Pairs, TooFewCases
from .pairs_look import look_at_pairs
from .planning import CHANCE, cases_needed
from .rate_look import look_at_rate

__all__ = [
    "Design",
    "Look",
    "LookState",
    "Pairs",
    "TooFewCases",
    "cases_needed",
    "design",
    "look_at_pairs",
    "look_at_rate",
]

CHANCE_MAX = 0.5


@lru_cache(maxsize=256)
def design(claim: Claim, cases: int, looks: tuple[float, ...] = LOOKS, chance: float = CHANCE) -> Design:
    """Raises TooFewCases (a ValueError, in words) where no look could accept even if every case passed."""
    _check(claim, looks, chance)
    made = _of_bar if claim.kind == "bar" else _of_margin
    return made(claim, cases, looks, chance)


def _of_bar(claim: Claim, cases: int, looks: tuple[float, ...], chance: float) -> Design:
    counts, least = counted(looks, cases), rate_design.needed(claim.value, chance)
    if counts[-1] < least:
        raise _too_few(claim, cases, next(more for more in count(least) if counted(looks, more)[-1] >= least))
    plan = rate_design.planned(claim.value, counts, chance)
    return Design(
        claim=claim,
        looks=counts,
        chance=chance,
        levels=plan.levels,
        stops=tuple(few / cases for few, cases in zip(plan.stop_at, counts, strict=True)),
        error=plan.error,
        accept_at=plan.accept_at,
        point=plan.point,
        power=plan.power,
    )


def _of_margin(claim: Claim, cases: int, looks: tuple[float, ...], chance: float) -> Design:
    counts = counted(looks, cases)
    plan = pairs_design.planned(claim.value, counts, chance)
    if not pairs_design.possible(plan, claim.value, counts[-1], chance):
        raise _too_few(claim, cases, pairs_design.needed(claim.value, looks, chance, cases))
    stops, error = plan.stops, plan.error
    return Design(claim=claim, looks=counts, chance=chance, levels=plan.levels, stops=stops, error=error)


def _too_few(claim: Claim, cases: int, needed: int) -> TooFewCases:
    words = f"not enough evidence is possible: with {cases} cases nothing can show that a tier {claim.words}, even if"
    words += f" it passed them all; it takes {needed} cases at least, {needed - cases} more"
    return TooFewCases(words, needed=needed)


def _check(claim: Claim, looks: tuple[float, ...], chance: float) -> None:
    if claim.kind not in {"bar", "margin"} or not 0 < claim.value < 1:
        raise ValueError(f"a {claim.kind} of {claim.value:g} can never be shown: a bar or a margin is between 0 and 1")
    if not looks or min(looks) <= 0 or max(looks) > 1:
        raise ValueError(f"looks are parts of the cases, above 0 and at most 1: got {looks}")
    if not 0 < chance < CHANCE_MAX:
        raise ValueError(f"the chance of a false accept must be between 0 and {CHANCE_MAX:g}: got {chance:g}")
