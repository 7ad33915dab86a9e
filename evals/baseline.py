"""Did a tier get worse than in an earlier run? The same cases, paired, with McNemar's exact test.

Rule: pure. Holm's correction over all pairs of suite and tier, so that a run of many suites cries wolf no more often
than one of few.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, floor

from router.vocabulary.noun import Noun

from .stats.clusters import effect_of
from .stats.intervals import holm, mcnemar_worse
from .vocabulary import Run, Suite, Tried

CHANCE = 0.05
SMALLEST = 0.001


class Compared(Noun, frozen=True, kw_only=True):
    """One tier on one suite, then and now."""

    suite: str
    tier: str
    cases: int  # that both runs asked
    before: int  # passed
    now: int
    lost: int  # passed then, and not now
    won: int
    known: int = 0  # of the answers, so many are the baseline's own: nothing was asked anew
    p_value: float  # one-sided, corrected
    worse: bool

    @property
    def words(self) -> str:
        moved = f"{self.before}/{self.cases} then, {self.now}/{self.cases} now; {self.lost} lost, {self.won} won"
        verdict = "WORSE" if self.worse else "not shown to be worse"
        if self.known == self.cases:
            own = f"all {self.cases} answers are the baseline's own"
            return f"{self.suite} on {self.tier}: nothing was measured ({own}; --fresh asks anew)"
        known = f"; {self.known} answers are the baseline's own" if self.known else ""
        return f"{self.suite} on {self.tier}: {verdict} ({moved}, {_chance(self.p_value)}{known})"


def _chance(p_value: float) -> str:
    """Never a zero: no number of cases shows that."""
    return f"p = {p_value:.3f}" if p_value >= SMALLEST else f"p < {SMALLEST}"


def wanted(baseline: Run, suite: Suite) -> dict[str, tuple[str, ...]]:
    """By tier: the cases of the baseline that the suite still has, in the suite's order."""
    by_tier: dict[str, set[str]] = {}
    for one in baseline.tried.get(suite.name, ()):
        if not one.epoch:
            by_tier.setdefault(one.tier, set()).add(one.case)
    return {tier: tuple(case.id for case in suite.cases if case.id in ids) for tier, ids in by_tier.items()}


def compare(before: Mapping[str, Iterable[Tried]], now: Mapping[str, Iterable[Tried]],
            clusters: Mapping[str, Mapping[str, str]]) -> tuple[Compared, ...]:  # fmt: skip
    """All by suite; `clusters` of its cases. Only what both runs asked is held side by side."""
    found = []
    for suite, tried in now.items():
        then = {(one.tier, one.case): one for one in before.get(suite, ()) if not one.epoch}
        both: dict[str, list[tuple[Tried, Tried]]] = {}
        for one in tried:
            if not one.epoch and (one.tier, one.case) in then:
                both.setdefault(one.tier, []).append((then[one.tier, one.case], one))
        found += [_Pairs(suite, tier, pairs, clusters.get(suite, {})) for tier, pairs in both.items()]
    corrected = holm([one.p_value for one in found])
    return tuple(one.compared(p_value) for one, p_value in zip(found, corrected, strict=True))


class _Pairs:
    """One tier on one suite, then and now, case by case."""

    def __init__(self, suite: str, tier: str, pairs: list[tuple[Tried, Tried]], clusters: Mapping[str, str]) -> None:
        self._suite, self._tier, self._pairs = suite, tier, pairs
        moved = [int(now.grade.passed) - int(then.grade.passed) for then, now in pairs]
        self._lost, self._won = moved.count(-1), moved.count(1)
        # Cases of one cluster move together: of so many that moved, fewer moved by themselves.
        effect = effect_of(moved, [clusters.get(now.case, "") for _, now in pairs])
        self.p_value = mcnemar_worse(floor(self._lost / effect), ceil(self._won / effect))

    def compared(self, p_value: float) -> Compared:
        return Compared(
            suite=self._suite,
            tier=self._tier,
            cases=len(self._pairs),
            before=sum(then.grade.passed for then, _ in self._pairs),
            now=sum(now.grade.passed for _, now in self._pairs),
            lost=self._lost,
            won=self._won,
            known=sum(then.answer.key == now.answer.key for then, now in self._pairs),
            p_value=p_value,
            worse=p_value <= CHANCE,
        )
