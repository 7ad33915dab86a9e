"""Where the prompt cache is marked: up to four marks, each where the reads to come pay for the write.

Rule: pure and total. The caller's own marks are kept and counted; no mark stands below the model's minimum, none
where the API refuses one, and a mark for an hour never comes after one for five minutes. On any doubt nothing is
done, because a wrong mark costs money and a broken body costs an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..vocabulary import Known, Mark, Path, Seen, Spot
from .policy import CacheRules, Model, Rates
from .reuse import Stretch, Terms, chances, terms, worth

MARKS_MAX = 4
REACH = 20  # blocks that the cache looks back from a mark, the mark's own block included
TOKENS_PER_BYTE = 0.4  # about, until the API has counted some
# A token is rarely longer than four bytes: until then no mark is set on a prefix that could be too short.
SURELY = 0.625
CANDIDATES_MAX = 8
UNLIKELY = 0.05
TRIFLE = 1e-9
SAME = 0.01  # chances that differ by less are taken for one
TTLS = ("1h", "5m")  # in the order in which they may follow each other
GROWING = frozenset({"turn", "step", "history", "end:tool", "end:later"})


class Place(msgspec.Struct, frozen=True, gc=False):
    """A spot as a candidate: where it is, how long its prefix is, how likely it comes back."""

    at: int  # among the path's spots
    index: int
    tokens: float
    chance: tuple[float, float]
    warm: str | None = None
    own: str | None = None  # the caller's mark stands here
    came_back: tuple[int, int, int] = (0, 0, 0)


class Laid(msgspec.Struct, frozen=True):
    """Marks that were laid, and all that will stand in the body."""

    marks: tuple[Mark, ...] = ()
    marked: tuple[tuple[int, str], ...] = ()  # (among the spots, lifetime)
    own: tuple[Mark, ...] = ()  # the caller's, as far as they stand at a place that we know
    tokens: int = 0  # of the longest prefix that is marked
    expected_tokens: int = 0  # will be read, if the entries are where they should be


class Outlook(msgspec.Struct, frozen=True):
    """What every mark of one prompt is weighed by."""

    terms: Terms
    read_to: float  # tokens that are warm
    lasts_to: float  # tokens that are warm for an hour
    growth: dict[int, float]  # of the places inside the conversation: what a turn adds


class _Chain(msgspec.Struct, frozen=True, gc=False):
    """Marks up to a place, and what they are worth."""

    value: float
    places: tuple[tuple[Place, str], ...] = ()
    added: int = 0


def lay(path: Path, known: Known, model: Model, rates: Rates, rules: CacheRules) -> Laid:
    """The marks for one call."""
    density = known.tokens_per_byte or TOKENS_PER_BYTE
    places = _places(path, known, density)
    minimum = max(model.cache_minimum, rules.min_tokens or 0)
    free = MARKS_MAX - path.marks
    warm = max((place for place in places if place.warm), key=lambda place: place.tokens, default=None)
    chosen = _fixed(places)
    if rules.marks == "auto" and free > 0 and _in_order(places):
        surely = minimum if known.tokens_per_byte else minimum / SURELY
        able = [place for place in places if place.own or (place.tokens >= surely and path.spots[place.at].markable)]
        lasting = max((place for place in places if place.warm == "1h"), key=lambda place: place.tokens, default=None)
        outlook = Outlook(
            terms(rates, rules.longest),
            0.0 if warm is None else warm.tokens,
            0.0 if lasting is None else lasting.tokens,
            {place.at: _growth(path, density) for place in able if path.spots[place.at].kind in GROWING},
        )
        chosen = _reaching(_best(_likely(able, warm, lasting), free, outlook), able, warm, free)
    return _laid(path, chosen, warm)


def size(path: Path, known: Known) -> int:
    """About how many tokens the whole prompt has."""
    if not path.spots:
        return 0
    last = path.spots[-1]
    return round(last.text_bytes * (known.tokens_per_byte or TOKENS_PER_BYTE) + last.media_tokens)


def _places(path: Path, known: Known, density: float) -> list[Place]:
    by_structure = path.automatic is None and not any(spot.own for spot in path.spots)
    automatic = None
    if path.automatic is not None:  # it stands on the last block that takes one
        automatic = max((at for at, spot in enumerate(path.spots) if spot.markable), default=None)
    places = []
    for at, spot in enumerate(path.spots):
        seen = known.spots[at] if known.spots else Seen()
        tokens = seen.tokens or spot.text_bytes * density + spot.media_tokens
        chance = chances(seen, spot.kind, by_structure)
        own = spot.own or (path.automatic if at == automatic else None)
        came_back = (seen.own.within_5m, seen.own.within_1h, seen.own.later)
        places.append(Place(at, spot.index, tokens, chance, seen.warm, own, came_back))
    return _nested(places)


def _nested(places: list[Place]) -> list[Place]:
    """Whoever sends a prefix again sends each shorter one too: no chance is smaller than a longer one's."""
    nested: list[Place] = []
    longer, came_back = (0.0, 0.0), (0, 0, 0)
    for place in reversed(places):
        mine = place.chance
        if place.came_back != came_back or not any(came_back):  # else the two only ever came together
            soon = _either(mine[0], longer[0])
            longer = (soon, max(soon, _either(mine[1], longer[1])))
        came_back = place.came_back
        nested.append(msgspec.structs.replace(place, chance=longer))
    nested.reverse()
    return nested


def _either(shorter: float, longer: float) -> float:
    """A guess about the shorter one leaves the longer one's returns out; a count has them in already."""
    if not shorter:
        return longer
    return max(shorter, 1 - (1 - shorter) * (1 - longer)) if shorter < longer else shorter


def _in_order(places: Sequence[Place]) -> bool:
    """The caller's own marks are what the API takes: an hour before five minutes."""
    own = [place.own for place in places if place.own]
    return all(ttl in TTLS for ttl in own) and own == sorted(own, key=lambda ttl: TTLS.index(ttl or "5m"))


def _fixed(places: Sequence[Place]) -> tuple[tuple[Place, str], ...]:
    return tuple((place, place.own) for place in places if place.own)


def _likely(places: list[Place], warm: Place | None, lasting: Place | None) -> list[Place]:
    """The few that are worth comparing: of those that come back equally often the longest, what is warm, and the
    first place after it, where an hour costs least."""
    following = next((place for place in places if warm is not None and place.tokens > warm.tokens), None)
    must = [place for place in places if place.own or place in (warm, lasting, following)]
    kept: list[Place] = []
    for place in reversed(places):
        step = not kept or place.chance[1] > kept[-1].chance[1] + SAME or place.chance[0] > kept[-1].chance[0] + SAME
        if place in must or (step and place.chance[1] > UNLIKELY):
            kept.append(place)
    if len(kept) > CANDIDATES_MAX:
        kept = [*must, *[place for place in kept if place not in must][: max(1, CANDIDATES_MAX - len(must))]]
    return sorted(kept, key=lambda place: place.index)


def _best(places: list[Place], free: int, outlook: Outlook) -> tuple[tuple[Place, str], ...]:
    """The chain of marks that saves most: every one is looked at, place by place."""
    chains: dict[tuple[int, str], _Chain] = {(0, "1h"): _Chain(0.0)}  # by marks of ours, and the last lifetime
    for place in places:
        longer = [
            more
            for (added, last), chain in chains.items()
            for more in _longer(chain, place, last, added < free, outlook)
        ]
        chains = {} if place.own else dict(chains)
        for chain in longer:
            key = (chain.added, chain.places[-1][1])
            if key not in chains or chain.value > chains[key].value:
                chains[key] = chain
    return max(chains.values(), key=lambda chain: (chain.value, -chain.added)).places if chains else _fixed(places)


def _longer(chain: _Chain, place: Place, last: str, is_free: bool, outlook: Outlook) -> Iterator[_Chain]:
    """The chain with a mark here; after one for five minutes none is for an hour."""
    if place.own:
        if not (place.own == "1h" and last == "5m"):
            yield _Chain(chain.value, (*chain.places, (place, place.own)), chain.added)
        return
    if not is_free:
        return
    for ttl in TTLS[TTLS.index(last) :]:
        if ttl in outlook.terms.write:
            value = chain.value + _value(chain, place, ttl, outlook)
            yield _Chain(value, (*chain.places, (place, ttl)), chain.added + 1)


def _value(chain: _Chain, place: Place, ttl: str, outlook: Outlook) -> float:
    """Of one mark more: of the stretch between the mark before it and itself."""
    start = chain.places[-1][0].tokens if chain.places else 0.0
    cold = max(0.0, place.tokens - max(start, outlook.read_to))
    lasting = max(0.0, min(outlook.lasts_to, place.tokens) - start)
    growth = outlook.growth.get(place.at, 0.0)
    if place.warm in outlook.terms.write:  # it is read as it is: no mark makes it live longer than it was written for
        stretch = Stretch(0.0, place.tokens - start, lasting, growth)
        return worth(outlook.terms, place.warm, place.chance, stretch) - (0.0 if ttl == place.warm else TRIFLE)
    return worth(outlook.terms, ttl, place.chance, Stretch(cold, place.tokens - start - cold, lasting, growth))


def _growth(path: Path, density: float) -> float:
    """About how much the next turn adds: as much as this one did."""
    ends = [spot for spot in path.spots if spot.turn >= 0 and spot.kind in ("turn", "end:tool", "end:later")]
    if len(ends) < 2:
        return 0.0
    return (ends[-1].text_bytes - ends[-2].text_bytes) * density


def _reaching(
    chosen: tuple[tuple[Place, str], ...], able: list[Place], warm: Place | None, free: int
) -> tuple[tuple[Place, str], ...]:
    """With a mark from which the warm entry is found: without one it would be paid for anew."""
    if warm is None or warm not in able:
        return chosen
    if any(0 <= place.index - warm.index < REACH for place, _ in chosen):
        return chosen
    ours = [pair for pair in chosen if not pair[0].own]
    if len(ours) >= free:
        before = [pair for pair in ours if pair[0].index < warm.index] or ours
        chosen = tuple(pair for pair in chosen if pair is not before[-1])
    after = [ttl for place, ttl in chosen if place.index > warm.index]
    ttl = "1h" if "1h" in after else "5m"
    if ttl == "1h" and any(found == "5m" for place, found in chosen if place.index < warm.index):
        return chosen
    return tuple(sorted((*chosen, (warm, ttl)), key=lambda pair: pair[0].index))


def _laid(path: Path, chosen: tuple[tuple[Place, str], ...], warm: Place | None) -> Laid:
    marks = tuple(_mark(path.spots[place.at], place, ttl) for place, ttl in chosen if not place.own)
    own = tuple(_mark(path.spots[place.at], place, ttl) for place, ttl in chosen if place.own)
    reachable = warm is not None and any(0 <= place.index - warm.index < REACH for place, _ in chosen)
    return Laid(
        marks=marks,
        own=own,
        marked=tuple((place.at, ttl) for place, ttl in chosen),
        tokens=round(max((place.tokens for place, _ in chosen), default=0)),
        expected_tokens=round(warm.tokens) if reachable and warm is not None else 0,
    )


def _mark(spot: Spot, place: Place, ttl: str) -> Mark:
    chance_5m, chance_1h = place.chance
    why = f"read again within 5 minutes with a chance of {chance_5m:.0%}, within an hour {chance_1h:.0%}"
    if place.warm is not None:
        why = f"{why}; it is warm"
    return Mark(
        index=spot.index,
        turn=spot.turn,
        block=spot.block,
        ttl=ttl,
        tokens=round(place.tokens),
        chance_5m=round(chance_5m, 3),
        chance_1h=round(chance_1h, 3),
        why=why,
    )
