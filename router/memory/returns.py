"""How often prefixes come back, and how soon: counted for each prefix, for its kind, and for its feature.

Rule: plain counters; digests, counts and times, never text. memory/prefixes.py holds them within its bounds.
"""

from __future__ import annotations

from ..vocabulary import Counts

SHORT_S, LONG_S = 300.0, 3600.0
TALLY_MAX = 1_000  # of a kind, beyond which what was counted is halved: the new outweighs the old


class Tally:
    """Counts of a kind of prefix."""

    __slots__ = ("later", "old", "old_since", "within_1h", "within_5m", "young", "young_since")

    def __init__(self) -> None:
        self.within_5m = self.within_1h = self.later = self.young = self.old = 0
        self.young_since = self.old_since = 0.0  # sums of the times at which they were sent

    def opened(self, now_s: float) -> None:
        self.young += 1
        self.young_since += now_s

    def aged(self, since_s: float) -> None:
        self.young -= 1
        self.young_since -= since_s
        self.old += 1
        self.old_since += since_s

    def closed(self, since_s: float, gap_s: float, is_old: bool) -> None:
        if is_old:
            self.old -= 1
            self.old_since -= since_s
        else:
            self.young -= 1
            self.young_since -= since_s
        _count(self, gap_s)
        if self.within_5m + self.within_1h + self.later > TALLY_MAX:
            self.within_5m, self.within_1h, self.later = self.within_5m // 2, self.within_1h // 2, self.later // 2

    def counts(self, now_s: float) -> Counts:
        return Counts(
            within_5m=self.within_5m,
            within_1h=self.within_1h,
            later=self.later,
            young=self.young,
            young_age_s=now_s - self.young_since / self.young if self.young > 0 else 0.0,
            old=self.old,
            old_age_s=now_s - self.old_since / self.old if self.old > 0 else 0.0,
        )


class Prefix:
    """One prefix on one model."""

    __slots__ = ("is_old", "later", "open", "seen_s", "tally", "tokens", "ttl", "until_s", "within_1h", "within_5m")

    def __init__(self, tally: Tally, now_s: float) -> None:
        self.tally = tally
        self.seen_s = now_s
        self.open = self.is_old = False
        self.within_5m = self.within_1h = self.later = 0
        self.ttl = ""  # of its entry
        self.until_s = 0.0
        self.tokens: int | None = None

    def closed(self, now_s: float) -> None:
        """It was sent again, or is given up: counted once."""
        if not self.open:
            return
        gap_s = now_s - self.seen_s
        _count(self, gap_s)
        self.open = False
        self.tally.closed(self.seen_s, gap_s, self.is_old)

    def opened(self, now_s: float) -> None:
        self.seen_s = now_s
        self.open, self.is_old = True, False
        self.tally.opened(now_s)

    def aged(self) -> None:
        if self.open and not self.is_old:
            self.is_old = True
            self.tally.aged(self.seen_s)


class Stream:
    """What is known of one feature of one tenant on one model, and one shape of tools and system."""

    __slots__ = ("head", "output_tokens", "tallies", "tokens_per_byte")

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.head: tuple[int, ...] = ()
        self.tokens_per_byte: float | None = None
        self.output_tokens: float | None = None

    def tally(self, kind: str) -> Tally:
        found = self.tallies.get(kind)
        if found is None:
            found = self.tallies[kind] = Tally()
        return found


def _count(counts: Tally | Prefix, gap_s: float) -> None:
    """One more that came back so late."""
    if gap_s <= SHORT_S:
        counts.within_5m += 1
    elif gap_s <= LONG_S:
        counts.within_1h += 1
    else:
        counts.later += 1
