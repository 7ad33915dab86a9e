"""Which prefixes of prompts come back, and which entries the API's prompt cache should hold now.

Rule: an edge over plain dicts with a bound each; digests, counts and times, never text. Nothing of one tenant
is seen by another.
"""

from __future__ import annotations

from collections import OrderedDict

from ..ports import Clock
from ..vocabulary import Counts, Known, Path, Scope, Seen, Spot, Usage
from .returns import LONG_S, SHORT_S, Prefix, Stream

MARGIN_S = 5.0  # an entry that ends within it may be gone before the call arrives
KEPT = frozenset({"tools", "system", "head", "part", "document", "history", "end:first", "end:tool", "end:later"})
RECENT = 0.2  # the weight of the newest figure in a running mean
NOTHING = Seen()
NO_STREAM = Stream()  # of a feature that is asked about and has sent nothing yet


class MemoryPrefixes:
    """Of one process; implements ports.Prefixes."""

    def __init__(self, clock: Clock, prefixes: int = 100_000, streams: int = 5_000) -> None:
        self._clock = clock
        self._prefixes_max, self._streams_max = prefixes, streams
        self._prefixes: OrderedDict[int, Prefix] = OrderedDict()
        self._streams: OrderedDict[tuple[str, ...], Stream] = OrderedDict()
        self._models: OrderedDict[int, str] = OrderedDict()  # where a prompt was answered last
        self._young: OrderedDict[int, float] = OrderedDict()  # awaited, and when they were sent
        self._old: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._prefixes)

    def look(self, scope: Scope, path: Path) -> Known:
        """What is known, without remembering that it was asked for."""
        now_s = self._clock.monotonic()
        stream = self._streams.get(_stream_key(scope, path)) or NO_STREAM
        likes: dict[str, Seen] = {}
        seen = tuple(self._seen(scope, spot, stream, likes, now_s) for spot in path.spots)
        varies, same = _difference(stream.head, path.head)
        is_warm = any(one.warm for one in seen)
        return Known(
            spots=seen,
            tokens_per_byte=stream.tokens_per_byte,
            output_tokens=stream.output_tokens,
            elsewhere=None if is_warm else self._elsewhere(scope, path),
            varies=varies,
            stable_after=same,
        )

    def was_on(self, tenant: str, path: Path) -> frozenset[str]:
        """The models that the longer prefixes of a prompt were sent to last."""
        found = (self._models.get(hash((tenant, spot.digest))) for spot in path.spots if spot.kind in KEPT)
        return frozenset(model for model in found if model is not None)

    def sent(self, scope: Scope, path: Path) -> None:
        """The prompt is sent: what came back is counted, and its own prefixes are awaited from now on."""
        now_s = self._clock.monotonic()
        self._give_up(now_s)
        stream = self._stream(scope, path)
        stream.head = path.head
        deepest = True
        for spot in reversed(path.spots):
            key = _key(scope, spot)
            found = self._prefixes.get(key)
            if spot.kind not in KEPT:  # an earlier turn: the newest of those that were its prompt's end
                if found is not None and deepest:
                    found.closed(now_s)
                deepest = deepest and found is None
                continue
            if found is None:
                found = self._prefixes[key] = Prefix(stream.tally(spot.kind), now_s)
            else:
                found.closed(now_s)
                self._prefixes.move_to_end(key)
            found.opened(now_s)
            self._old.pop(key, None)
            self._young[key] = now_s
            self._young.move_to_end(key)
        self._trim()

    def began(self, scope: Scope, path: Path, marked: tuple[tuple[int, str], ...], sent_s: float) -> None:
        """The answer began: from now on the entries exist, aged from when the call was sent."""
        for at, ttl in marked:
            spot = path.spots[at]
            found = self._prefixes.get(_key(scope, spot))
            if found is None:
                found = self._prefixes[_key(scope, spot)] = Prefix(self._stream(scope, path).tally(spot.kind), sent_s)
            if found.until_s <= sent_s:
                found.ttl = ttl
            found.until_s = max(found.until_s, sent_s + (LONG_S if found.ttl == "1h" else SHORT_S))
            self._models[_anywhere(scope, spot)] = scope.model
            self._models.move_to_end(_anywhere(scope, spot))
        while len(self._models) > self._prefixes_max:
            self._models.popitem(last=False)

    def settled(self, scope: Scope, path: Path, marked: tuple[tuple[int, str], ...], usage: Usage) -> None:
        """What the API counted."""
        stream = self._stream(scope, path)
        if path.spots and usage.prompt_tokens:
            last = path.spots[-1]
            density = max(0.05, min(1.0, (usage.prompt_tokens - last.media_tokens) / max(1, last.text_bytes)))
            stream.tokens_per_byte = _mean(stream.tokens_per_byte, density)
            stream.output_tokens = _mean(stream.output_tokens, float(usage.output_tokens))
        cached = usage.prompt_tokens - usage.input_tokens
        known = [found for at, _ in marked if (found := self._prefixes.get(_key(scope, path.spots[at])))]
        if cached and known:
            known[-1].tokens = cached
        elif known:
            for found in known:  # too short to be cached, or not taken
                found.until_s = 0.0

    def dropped(self, scope: Scope, path: Path) -> None:
        """What should have been there was not: none of it is counted on any more."""
        for spot in path.spots:
            found = self._prefixes.get(_key(scope, spot))
            if found is not None:
                found.until_s = 0.0

    def _seen(self, scope: Scope, spot: Spot, stream: Stream, likes: dict[str, Seen], now_s: float) -> Seen:
        like = likes.get(spot.kind)
        if like is None:
            tally = stream.tallies.get(spot.kind)
            like = likes[spot.kind] = Seen(like=tally.counts(now_s)) if tally is not None else NOTHING
        found = self._prefixes.get(_key(scope, spot))
        if found is None:
            return like
        left_s, gap_s = found.until_s - now_s, now_s - found.seen_s
        back = found.open  # it comes back with this very request
        return Seen(
            own=Counts(
                within_5m=found.within_5m + (back and gap_s <= SHORT_S),
                within_1h=found.within_1h + (back and SHORT_S < gap_s <= LONG_S),
                later=found.later + (back and gap_s > LONG_S),
            ),
            like=like.like,
            since_s=gap_s,
            warm=found.ttl if left_s > MARGIN_S else None,
            warm_left_s=max(0.0, left_s),
            tokens=found.tokens,
        )

    def _elsewhere(self, scope: Scope, path: Path) -> int | None:
        for at in range(len(path.spots) - 1, -1, -1):
            model = self._models.get(_anywhere(scope, path.spots[at]))
            if model is not None and model != scope.model:
                return at
        return None

    def _stream(self, scope: Scope, path: Path) -> Stream:
        key = _stream_key(scope, path)
        found = self._streams.get(key)
        if found is None:
            found = self._streams[key] = Stream()
            if len(self._streams) > self._streams_max:
                self._streams.popitem(last=False)
        else:
            self._streams.move_to_end(key)
        return found

    def _give_up(self, now_s: float) -> None:
        """What nobody sent again within a lifetime is counted as lost for it."""
        for waiting, limit_s in ((self._young, SHORT_S), (self._old, LONG_S)):
            while waiting:
                key, seen_s = next(iter(waiting.items()))
                if now_s - seen_s <= limit_s:
                    break
                del waiting[key]
                found = self._prefixes.get(key)
                if found is None or not found.open:
                    continue
                if waiting is self._old:
                    found.closed(now_s)
                else:
                    found.aged()
                    self._old[key] = seen_s

    def _trim(self) -> None:
        while len(self._prefixes) > self._prefixes_max:
            key, oldest = self._prefixes.popitem(last=False)
            self._young.pop(key, None)
            self._old.pop(key, None)
            if oldest.open:
                oldest.closed(oldest.seen_s + LONG_S + 1)


def _key(scope: Scope, spot: Spot) -> int:
    settings = scope.head if spot.turn < 0 else scope.turns
    return hash((scope.tenant, scope.model, settings, spot.digest))


def _anywhere(scope: Scope, spot: Spot) -> int:
    return hash((scope.tenant, spot.digest))


def _stream_key(scope: Scope, path: Path) -> tuple[str, ...]:
    return scope.tenant, scope.feature, scope.model, path.shape


def _difference(before: tuple[int, ...], now: tuple[int, ...]) -> tuple[int | None, int]:
    """The first block that is another one, and how many after it are the same again."""
    if not before or before == now:
        return None, 0
    first = next((at for at, (old, new) in enumerate(zip(before, now, strict=False)) if old != new), None)
    if first is None:
        return None, 0
    pairs = zip(before[first + 1 :], now[first + 1 :], strict=False)
    return first, sum(1 for old, new in pairs if old == new)


def _mean(before: float | None, now: float) -> float:
    return now if before is None else before + RECENT * (now - before)
