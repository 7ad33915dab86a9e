"""The models that may be asked for one request, in order.

Rule: pure. Who is left out is left out here; what is done with the rest says decide/fallback.py.
"""

from __future__ import annotations

import msgspec

from ..vocabulary import Choice, Facts, Words
from .policy import Rulebook
from .shape import fits
from .tier import tiers_from


class Rung(msgspec.Struct, frozen=True):
    """A model that may be asked, the tier it stands for, and that tier's place from the cheapest on."""

    model: str
    tier: str | None
    rank: int = 0


def ladder(choice: Choice, facts: Facts, words: Words, rules: Rulebook) -> tuple[Rung, ...]:
    """The chosen one, its siblings, the tiers above it, those below it.

    A model that the caller named is never swapped. A running conversation only climbs: a model
    below could not read the thinking that the history carries.
    """
    order = rules.tier_order
    first = Rung(choice.model, choice.tier, order.index(choice.tier) if choice.tier is not None else 0)
    if choice.named_by_caller or choice.tier is None or words.fallback in ("same", "off"):
        return (first,)
    ceiling = rules.policy.fallbacks.ceiling
    top = len(order) - 1 if ceiling is None else max(order.index(ceiling), order.index(choice.tier))
    lowest = order.index(choice.tier) if facts.turns > 1 or facts.has_thinking_blocks else 0
    others = (
        tier
        for tier in tiers_from(choice.tier, rules)[1:]
        if lowest <= order.index(tier) <= top and not rules.policy.tiers[tier].only_by_name
    )
    rungs = [rung for tier in (choice.tier, *others) for rung in _rungs_of(tier, rules)]
    # The choice may be a sibling already, or a model that a rule named: it is asked first, and once.
    fitting = (rung for rung in rungs if rung.model != first.model and fits(facts, rung.model, rules) is None)
    return (first, *fitting)


def _rungs_of(tier: str, rules: Rulebook) -> tuple[Rung, ...]:
    """The tier's own model, then its siblings."""
    part = rules.policy.tiers[tier]
    rank = rules.tier_order.index(tier)
    return tuple(Rung(rules.ids[name], tier, rank) for name in (part.model, *part.siblings))
