"""How likely a prefix is sent again while its cache entry lives, and what marking it is then worth.

Rule: pure. What was counted decides; where nothing was counted yet, the structure of the prompt does: a system
prompt comes back, a running conversation goes on, a lone question does not.
"""

from __future__ import annotations

import math

import msgspec

from ..vocabulary import Counts, Seen
from .policy import Rates

LIFETIME_S = {"5m": 300.0, "1h": 3600.0}
# The chance to be sent again within five minutes, and within an hour, before anything was counted.
PRIORS = {
    "tools": (0.55, 0.58),
    "system": (0.6, 0.63),
    "part": (0.3, 0.33),
    "document": (0.3, 0.33),
    "end:first": (0.2, 0.22),
    "end:tool": (0.9, 0.91),
    "end:later": (0.7, 0.72),
}
NONE = (0.0, 0.0)
PRIOR_WEIGHT = 2.0
LATE_WEIGHT = 4.0  # of the prior for what comes back late: an hour's writes need more than one pause to speak for them
KIND_WEIGHT = 15.0  # what is known of its kind counts for so many returns of a prefix, at most
# So many unproven prefixes of a kind are written on trust; then the kind has to show that it comes back.
TRUSTED = {"tools": 1, "system": 1}
TRUSTED_ELSE = 4
BRANCHES = 3  # an earlier turn that came back so often is where conversations part
VISITS_MAX = 30.0  # that are counted on, at most
SHORT_S, LONG_S = LIFETIME_S["5m"], LIFETIME_S["1h"]


class Terms(msgspec.Struct, frozen=True):
    """What caching costs on a model, with a plain input token as one."""

    read: float
    write: dict[str, float]  # by lifetime: only those that may be asked for


def terms(rates: Rates, longest: str) -> Terms:
    plain = rates.input or 1
    write = {"5m": rates.write_5m / plain}
    if longest == "1h":
        write["1h"] = rates.write_1h / plain
    return Terms(rates.read / plain, write)


def chances(seen: Seen, kind: str, by_structure: bool = True) -> tuple[float, float]:
    """To be sent again within five minutes, and within an hour."""
    own, like = seen.own, seen.like
    prior_5m, prior_1h = PRIORS.get(kind, NONE) if by_structure else NONE
    known = own.within_5m + own.within_1h + own.later
    if kind == "turn" and known < BRANCHES:
        return NONE  # it came back with the conversation that it is part of: the end's chance is its own
    proven = like.within_5m + like.within_1h
    if not known and not proven and like.young + like.old >= TRUSTED.get(kind, TRUSTED_ELSE):
        return NONE
    soon = _soon(like, prior_5m)
    late = _late(like, (prior_1h - prior_5m) / (1 - prior_5m))
    if known:
        weight = 1 + min(KIND_WEIGHT, (proven + like.later) / 4)
        soon = (own.within_5m + weight * soon) / (known + weight)
        weight = 1 + min(KIND_WEIGHT, (like.within_1h + like.later) / 4)
        late = (own.within_1h + weight * late) / (own.within_1h + own.later + weight)
    return soon, soon + (1 - soon) * late


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """The tokens between one mark and the next."""

    cold: float  # to be written
    warm: float = 0.0  # read now
    lasting: float = 0.0  # of the warm: by an entry for an hour, which stays
    growth: float = 0.0  # what each visit to come adds to the conversation


def worth(terms: Terms, ttl: str, chance: tuple[float, float], stretch: Stretch) -> float:
    """What a mark saves against none, in plain input tokens, over the visits to be expected."""
    soon, late = chance
    visits = min(VISITS_MAX, late / max(1 - late, 1e-6))
    slow = 1 - soon / late if late else 0.0  # of the visits to come, those that five minutes are too short for
    extra = terms.write["5m"] - 1
    tokens = stretch.cold + stretch.warm
    short = visits * ((1 - slow) * (1 - terms.read) - slow * extra) * tokens - extra * stretch.cold
    if ttl == "5m":
        return short
    # An hour's entry covers all that leads up to it, and only what is new is written at its price: a running
    # conversation can have one at any turn, so that one now spares what hangs on five minutes only until the next.
    exposed = tokens - stretch.lasting
    spared = visits
    if stretch.growth:
        spared = min(visits, max(1.0, exposed / (2 * stretch.growth)))
    rewriting = slow * (terms.write["5m"] - terms.read)
    dearer = (terms.write["1h"] - terms.write["5m"]) * stretch.cold
    return short + rewriting * (spared * exposed + visits * stretch.lasting) - dearer


def worth_keeping(uses_a_second: float, ttl: str, terms: Terms) -> bool:
    """Is reading a prefix for nobody cheaper than what its next user would pay to write it anew?"""
    soon = 1 - math.exp(-uses_a_second * LIFETIME_S[ttl])
    return soon * (terms.write[ttl] - terms.read) > terms.read


def _soon(like: Counts, prior: float) -> float:
    """Of those seen, how many came back within five minutes; one that is awaited is lost by the share of its time."""
    awaited = like.old + like.young * min(1.0, like.young_age_s / SHORT_S)
    seen = like.within_5m + like.within_1h + like.later + awaited
    return (like.within_5m + PRIOR_WEIGHT * prior) / (seen + PRIOR_WEIGHT)


def _late(like: Counts, prior: float) -> float:
    """Of those that did not, how many came back within the hour."""
    awaited = like.old * min(1.0, max(0.0, like.old_age_s - SHORT_S) / (LONG_S - SHORT_S))
    return (like.within_1h + LATE_WEIGHT * prior) / (like.within_1h + like.later + awaited + LATE_WEIGHT)
