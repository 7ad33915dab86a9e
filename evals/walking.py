"""What to ask next, so that the verdict costs no more than it must: tiers from the top down, each in planned looks.

Rule: pure. A walk says what it needs, its driver asks and puts the answers into `Seen`; nothing is decided from
answers that were not asked for by the plan. The order of tests is fixed, and the first tier that does not clear ends
it: so no correction for many tiers is due (docs/evals.md).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from itertools import pairwise, product

from router.vocabulary.noun import Noun

from .stats.clusters import effect_of
from .stats.looks import Design, Look, Pairs, design, look_at_pairs, look_at_rate
from .vocabulary import Case, State, Suite, Tried

REPEATS = 2  # further askings of a case on which two tiers differ
REPEATED_MAX = 12  # cases of one pair of tiers

STATES = {"accept": State.CLEARS, "reject": State.FAILS, "undecided": State.UNDECIDED, "go on": State.OPEN}


class Need(Noun, frozen=True, kw_only=True):
    """These cases must be asked of this tier before anything more can be said."""

    tier: str
    cases: tuple[Case, ...]
    epoch: int = 0
    look: int = 0  # from 1; 0: no look, a repeat
    looks: int = 0


Steps = Generator[Need, None, None]


class Seen:
    """Every answer so far, by tier, case and asking."""

    def __init__(self, tried: Iterable[Tried] = ()) -> None:
        self._tried: dict[tuple[str, str, int], Tried] = {}
        self.add(tried)

    def add(self, tried: Iterable[Tried]) -> None:
        self._tried.update({(one.tier, one.case, one.epoch): one for one in tried})

    def of(self, tier: str, case: str, epoch: int = 0) -> Tried | None:
        return self._tried.get((tier, case, epoch))

    def missing(self, tier: str, cases: Iterable[Case], epoch: int = 0) -> tuple[Case, ...]:
        return tuple(case for case in cases if (tier, case.id, epoch) not in self._tried)

    def passed(self, tier: str, case: Case) -> bool:
        return self._tried[tier, case.id, 0].grade.passed

    def all(self) -> tuple[Tried, ...]:
        return tuple(self._tried.values())


class Judged(Noun, frozen=True, kw_only=True):
    """How far one tier's test came."""

    tier: str
    look: Look | None = None  # None: the first look was never complete; or the top tier of a margin, which is the mark
    taken: int = 0  # looks
    cases: int = 0  # that the last look was of

    @property
    def state(self) -> State:
        return State.OPEN if self.look is None else STATES[self.look.state]


class Walk:
    """One suite's test. `judged` grows from the top tier down while the steps are taken."""

    def __init__(self, suite: Suite, tiers: Sequence[str], seen: Seen) -> None:
        """`tiers` cheapest first. Raises ValueError, in words, where the cases are too few for any look to accept."""
        self.suite = suite
        self.tiers = tuple(tiers)
        self.seen = seen
        self.design: Design = design(suite.claim, len(suite.cases), suite.looks)
        self.judged: list[Judged] = []

    def steps(self) -> Steps:
        """Every need in turn; over when nothing more could change the verdict."""
        for tier in reversed(self.tiers):
            if self.suite.claim.kind == "margin" and tier == self.tiers[-1]:
                continue  # the top tier is what the others are held against
            self.judged.append(Judged(tier=tier))
            yield from self._looks(tier)
            if self.judged[-1].state is not State.CLEARS:
                break
        yield from self._again()

    def _looks(self, tier: str) -> Steps:
        for number, upto in enumerate(self.design.looks):
            cases = self.suite.cases[:upto]
            yield from self._need(tier, cases, number)
            look = yield from self._look(tier, cases, number)
            self.judged[-1] = Judged(tier=tier, look=look, taken=number + 1, cases=upto)
            if look.state != "go on":
                return

    def _look(self, tier: str, cases: tuple[Case, ...], number: int) -> Generator[Need, None, Look]:
        if self.suite.claim.kind == "bar":
            return self._of_rate(tier, cases, number)
        top, passed = self.tiers[-1], self.seen.passed
        # Where the cheap tier is right the top one cannot be better: it is asked about the others first.
        yield from self._need(top, [case for case in cases if not passed(tier, case)], number)
        look = self._of_pairs(tier, cases, number)
        if look.ask_rest:
            yield from self._need(top, cases, number)
            look = self._of_pairs(tier, cases, number)
        return look

    def _of_rate(self, tier: str, cases: Sequence[Case], number: int) -> Look:
        passed = [self.seen.passed(tier, case) for case in cases]
        effect = effect_of(passed, [case.cluster for case in cases])
        return look_at_rate(self.design, number, sum(passed), len(cases), effect)

    def _of_pairs(self, tier: str, cases: Sequence[Case], number: int) -> Look:
        pairs, differences = pairs_of(self.seen, tier, self.tiers[-1], cases)
        effect = effect_of(differences, [case.cluster for case in cases])
        return look_at_pairs(self.design, number, pairs, effect)

    def _need(self, tier: str, cases: Iterable[Case], number: int) -> Steps:
        missing = self.seen.missing(tier, cases)
        if missing:
            yield Need(tier=tier, cases=missing, look=number + 1, looks=len(self.design.looks))

    def _again(self) -> Steps:
        """Where two tiers differ, both are asked again: how much of the difference is chance? It changes no verdict,
        because asking only the losers again would flatter them."""
        for pair in compared(self):
            cases = differing(self.seen, *pair, self.suite.cases)[:REPEATED_MAX]
            for epoch, tier in product(range(1, REPEATS + 1), pair):
                missing = self.seen.missing(tier, cases, epoch)
                if missing:
                    yield Need(tier=tier, cases=missing, epoch=epoch)


def pairs_of(seen: Seen, tier: str, top: str, cases: Iterable[Case]) -> tuple[Pairs, list[int]]:
    """How often which of the two was right, and each case's difference (tier - top)."""
    counts = dict.fromkeys(("both", "only_top", "only_cheap", "neither", "unasked"), 0)
    differences = []
    for case in cases:
        here, there = seen.passed(tier, case), seen.of(top, case.id)
        if there is None:
            assert here, "the top tier was asked wherever the cheap one failed"
            counts["unasked"] += 1
            differences.append(0)
            continue
        name = {(True, True): "both", (False, True): "only_top", (True, False): "only_cheap", (False, False): "neither"}
        counts[name[here, there.grade.passed]] += 1
        differences.append(int(here) - int(there.grade.passed))
    return Pairs(**counts), differences


def compared(walk: Walk) -> list[tuple[str, str]]:
    """The pairs of tiers that a reader will hold side by side: neighbours, or each against the top for a margin."""
    tested = [one.tier for one in reversed(walk.judged) if one.look is not None]
    if walk.suite.claim.kind == "margin":
        return [(tier, walk.tiers[-1]) for tier in tested]
    return list(pairwise(tested))


def differing(seen: Seen, lower: str, upper: str, cases: Iterable[Case]) -> tuple[Case, ...]:
    """The cases that both were asked, and only one got right."""
    found = []
    for case in cases:
        one, other = seen.of(lower, case.id), seen.of(upper, case.id)
        if one is not None and other is not None and one.grade.passed != other.grade.passed:
            found.append(case)
    return tuple(found)
