"""One planned look at two tiers on the same cases, held against a margin, with the top tier asked as little as may be.

The cheap tier is asked first, and the top tier at first only where the cheap one failed. So its losses are known, its
wins are not. Every win that is found speaks for the cheap tier: where the losses alone are few enough, the test over
all pairs would accept too, and asking only then costs no error. Otherwise the look says whether asking the rest is
likely to decide something.

Rule: pure numbers. It accepts where the bound that it shows is within the margin, and nowhere else.
"""

from __future__ import annotations

from math import ceil, sqrt

from .nouns import Design, Look, LookState, Pairs
from .paired import difference_at_least, difference_at_most, score
from .planning import cases_needed
from .quantiles import normal_above
from .rate_look import beyond, counted, percent, surely

FOR_PEOPLE = normal_above(0.025)
ENDED = ("reject", "undecided")


def look_at_pairs(design: Design, look_index: int, pairs: Pairs, effect: float = 1.0) -> Look:
    """`effect`: so many cases of a cluster count as one (clusters.py)."""
    if not pairs.cases:
        raise ValueError("a look needs at least one case that was asked")
    table = _Table(design, look_index, pairs, effect)
    state, ask_rest = table.verdict()
    known, cases = pairs.only_cheap, pairs.cases
    below_top, low = table.at_most(known), table.at_least(known + pairs.unasked)
    more = None if state == "accept" else table.more(state)
    return Look(
        state=state,
        estimate=table.difference(known),
        low=low,
        high=table.at_most(known, FOR_PEOPLE),
        at_least=surely(design, look_index, pairs.cheap_passed / effect, cases / effect),
        below_top=below_top,
        more_cases=more,
        words=f"{_counts(pairs)}, {_bound(below_top)}{counted(cases, effect)}: " + _in_words(state, design, low, more),
        ask_rest=ask_rest,
    )


class _Table:
    """The counts of a look, asked what would be if so many wins were among them."""

    def __init__(self, design: Design, look_index: int, pairs: Pairs, effect: float) -> None:
        self._design = design
        self._look_index = look_index
        self._pairs = pairs
        self._effect = effect
        self._height = self._height_at(look_index)
        self._last = look_index == len(design.looks) - 1

    def verdict(self) -> tuple[LookState, bool]:
        """The state, and whether the top tier should be asked about the rest."""
        known, unasked = self._pairs.only_cheap, self._pairs.unasked
        worst, best = self._state(known), self._state(known + unasked)
        if worst == "accept" or not unasked:
            return worst, False
        if best in ENDED:  # even if the top tier failed wherever it was not asked
            return best, False
        # Without a win it would be over, or with as many as may well be found it would be accepted: then asking pays.
        # Where the losses alone should do at the next look, some more cases of the cheap tier cost less.
        may_accept = self._state(known + self._likely()) == "accept" and not self._soon()
        return "go on", self._last or worst in ENDED or may_accept

    def at_most(self, wins: float, height: float | None = None) -> float:
        return difference_at_most(*self._shrunken(wins), self._height if height is None else height)

    def at_least(self, wins: float) -> float:
        return difference_at_least(*self._shrunken(wins), FOR_PEOPLE)

    def difference(self, wins: float) -> float:
        return (self._pairs.only_top - wins) / self._pairs.cases

    def more(self, state: LookState) -> int | None:
        pairs, claim = self._pairs, self._design.claim
        differing = (pairs.only_top + pairs.only_cheap) / pairs.cases
        needed = cases_needed(claim, differing, difference=self.difference(pairs.only_cheap))
        needed = None if needed is None else ceil(needed * self._effect)
        if state == "go on":
            return 0 if self._last else beyond(self._design, self._look_index, pairs.cases, needed)
        return None if needed is None else max(1, needed - pairs.cases)

    def _state(self, wins: float) -> LookState:
        margin = self._design.claim.value
        if self.at_most(wins) <= margin:
            return "accept"
        if self._last:
            return "reject" if self.at_least(wins) > margin else "undecided"
        if score(*self._shrunken(wins), margin) > self._design.stops[self._look_index]:
            return "go on"
        return "reject" if self.difference(wins) >= margin else "undecided"

    def _likely(self) -> float:
        """As many wins as may well be among the unasked.

        Where the top tier was asked about cases that the cheap one passed, it failed some; that share may go on. Else
        it will hardly fail more of them than of those that were too hard for the cheap tier, and the tiers will hardly
        differ more one way than the other.
        """
        pairs = self._pairs
        asked = pairs.both + pairs.only_cheap
        if asked:
            share = (pairs.only_cheap + sqrt(pairs.only_cheap + 1)) / asked
            return min(1.0, share) * pairs.unasked
        share = (pairs.neither + 1) / (pairs.only_top + pairs.neither + 2)
        return min(share * pairs.unasked, pairs.only_top + sqrt(pairs.only_top + 1))

    def _soon(self) -> bool:
        """Would the losses alone be few enough at the next look, if they went on as they do?"""
        if self._last:
            return False
        grown = self._design.looks[self._look_index + 1] / self._pairs.cases
        losses, wins, cases = (grown * count for count in self._shrunken(self._pairs.only_cheap))
        below_top = difference_at_most(losses, wins, cases, self._height_at(self._look_index + 1))
        return below_top <= self._design.claim.value

    def _height_at(self, look_index: int) -> float:
        return normal_above(self._design.levels[look_index])

    def _shrunken(self, wins: float) -> tuple[float, float, float]:
        return self._pairs.only_top / self._effect, wins / self._effect, self._pairs.cases / self._effect


def _counts(pairs: Pairs) -> str:
    if pairs.unasked:
        return f"failed {pairs.only_top} of {pairs.cases} that the top tier passed"
    return f"lost {pairs.only_top} and won {pairs.only_cheap} of {pairs.cases} against the top tier"


def _bound(below_top: float) -> str:
    points = 100 * abs(below_top)
    return f"at most {points:.1f} points below it" if below_top >= 0 else f"at least {points:.1f} points above it"


def _in_words(state: LookState, design: Design, low: float, more: int | None) -> str:
    margin = f"within {percent(design.claim.value)[:-1]} points"
    if state == "accept":
        return f"it is {margin} of the top tier"
    if state == "go on":
        return f"not decided yet whether it is {margin} of the top tier"
    if state == "reject":
        worse = f"it is not {margin} of the top tier" if low > design.claim.value else ""
        return worse or f"hope is gone that these cases show it {margin} of the top tier"
    if more is None:
        return f"not enough evidence that it is {margin}, and more cases would not give it, were the truth as observed"
    return f"not enough evidence that it is {margin} of the top tier; about {more:,} more cases would decide"
