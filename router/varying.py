"""A head that is another one in each call is found and told: which block, about where in it, and what it costs a day.

Rule: trunk. Of the text only digests of short slices are kept, of one call, to find the slice that changed.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from .decide.budget import usd
from .decide.policy import PriceBook
from .ports import Clock, Events
from .vocabulary import Path, Scope
from .wire.prefix import SLICE_BYTES, slices

STREAMS_MAX = 1_000
SURE = 3  # calls; within one conversation the first one is enough
TELL_EVERY_S = 3_600.0
DAY_S = 86_400.0
TOO_SOON_S = 60.0  # to say what a day will cost


class Head(msgspec.Struct):
    """One feature's head, as far as it was seen to vary."""

    began_s: float
    calls: int = 0
    lost_tokens: int = 0
    slices: tuple[int, ...] = ()
    near_byte: int | None = None
    told_s: float | None = None
    told_byte: int | None = None


class Varying:
    """Of one process."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._heads: OrderedDict[tuple[str, ...], Head] = OrderedDict()

    def changed(self, scope: Scope, path: Path, at: str, lost_tokens: int, block: bytes, book: PriceBook) -> None:
        """A call came with another block there than the call before it."""
        now_s, key = self._clock.monotonic(), (scope.tenant, scope.feature, scope.model, path.shape, at)
        head = self._heads.setdefault(key, Head(began_s=now_s))
        self._heads.move_to_end(key)
        if len(self._heads) > STREAMS_MAX:
            self._heads.popitem(last=False)
        head.calls += 1
        head.lost_tokens += lost_tokens
        found = slices(block)
        if head.slices:
            head.near_byte = _first_difference(head.slices, found, head.near_byte)
        head.slices = found
        if head.calls < SURE and not any(spot.turn > 0 for spot in path.spots):
            return  # another prompt of the same feature, perhaps: nobody need know
        if head.told_s is None or head.told_byte != head.near_byte or now_s - head.told_s >= TELL_EVERY_S:
            self._tell(scope, at, head, now_s, book)

    def _tell(self, scope: Scope, at: str, head: Head, now_s: float, book: PriceBook) -> None:
        head.told_s, head.told_byte = now_s, head.near_byte
        rates = book.by_model[scope.model][0].rates
        burnt_pico = head.lost_tokens * (rates.input - rates.read)
        lasted_s = now_s - head.began_s
        self._events.say(
            "varying_prefix",
            feature=scope.feature,
            model=scope.model,
            block=at,
            near_byte=head.near_byte,
            calls=head.calls,
            usd_so_far=usd(burnt_pico),
            usd_a_day=usd(round(burnt_pico * DAY_S / lasted_s)) if lasted_s >= TOO_SOON_S else None,
            cure="move what varies to the end of the prompt, or name it in cache.varying",
        )


def _first_difference(before: tuple[int, ...], now: tuple[int, ...], known: int | None) -> int | None:
    """The first byte of the first slice that is another one; the smallest ever seen."""
    from_here = next((at for at, (old, new) in enumerate(zip(before, now, strict=False)) if old != new), None)
    if from_here is None:
        return known
    return from_here * SLICE_BYTES if known is None else min(known, from_here * SLICE_BYTES)
