"""One run over many suites: what may be asked of each, in which order, and what is kept of it.

Rule: edges come in through the desk; what a run found is kept after every suite, so that a kill loses no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from router.ports import Clock

from .asking import CallFailed, Refused
from .baseline import Compared, compare, wanted
from .desk import Desk
from .finding import Money, finding
from .looping import Again, ask_again, graded_now, measure
from .ports import Halted
from .sampling import reachable
from .spending import CapReached, Estimate
from .stats.looks import design
from .suitefile import human_labels
from .vocabulary import Finding, Run, Suite, Tried
from .walking import Need, Seen, Walk

Keep = Callable[[Run], object]
PAIR = 2
ALONE = "a margin holds a tier against the top one, and it is asked of {tiers} alone: name two tiers, or give a bar"


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A suite and the tiers that it is asked of, cheapest first."""

    suite: Suite
    tiers: tuple[str, ...]

    @property
    def first(self) -> tuple[str, ...]:
        """Whom the first look asks: the top tier, or for a margin the one below it and the top one."""
        return self.tiers[-1:] if self.suite.claim.kind == "bar" else self.tiers[-2:]


class Measuring:
    """Of one run."""

    def __init__(self, desk: Desk, clock: Clock, keep: Keep) -> None:
        self._desk = desk
        self._clock = clock
        self._keep = keep
        source = desk.source
        self.run = Run(
            run_id=clock.new_id("run"),
            at_ms=clock.now_ms(),
            upstream=source.upstream,
            policy=source.policy,
            policy_hash=source.policy_hash,
            rehearsed=source.rehearsed,
        )

    def plan(self, suites: Sequence[Suite], *, looks: bool = True) -> tuple[Planned, ...]:
        """Which tiers each suite asks, and that its cases and its money are enough to begin. Raises Halted."""
        planned = tuple(Planned(suite=suite, tiers=self._tiers(suite)) for suite in suites)
        for one in planned if looks else ():
            if one.suite.claim.kind == "margin" and len(one.tiers) < PAIR:
                raise Halted(f"{one.suite.name}: {ALONE.format(tiers=' '.join(one.tiers) or 'none')}")
            try:
                first = design(one.suite.claim, len(one.suite.cases), one.suite.looks).looks[0]
            except ValueError as few:
                raise Halted(f"{one.suite.name}: {few}") from None
            self._desk.refuse_small(one.suite, one.first, first)
        return planned

    def estimates(self, planned: Sequence[Planned], baseline: Run | None = None) -> list[Estimate]:
        """Of every case on every tier: looks may end it earlier. Against a baseline, of what that run asked."""
        if baseline is None:
            return [found for one in planned for found in self._desk.estimate(one.suite, one.tiers)]
        return [found for one in planned for found in self._of_baseline(one.suite, baseline)]

    def _of_baseline(self, suite: Suite, baseline: Run) -> Iterable[Estimate]:
        for tier, ids in wanted(baseline, suite).items():
            cases = tuple(case for case in suite.cases if case.id in set(ids))
            if cases:
                yield from self._desk.estimate(msgspec.structs.replace(suite, cases=cases), (tier,))

    async def verdicts(self, planned: Sequence[Planned]) -> Run:
        """Every suite to its verdict. What stops one suite alone, such as its own budget, stops no other."""
        stopped: list[str] = []
        for one in planned:
            walk = Walk(one.suite, one.tiers, Seen())
            spent_before = self._desk.spent_pico
            halted = await measure(walk, self._desk.engine, self._tell)
            labels = human_labels(one.suite) if one.suite.grader.judged else ()
            found = finding(walk, self._models(one.tiers), self._money(spent_before), labels)
            self._add(one.suite, walk.seen, found)
            if halted is not None:
                stopped.append(f"{one.suite.name}: {halted}")
            if halted is not None and self._stops_all(halted):
                break
        return self._end("; ".join(stopped))

    async def again(self, suites: Sequence[Suite], baseline: Run, regrade: Again) -> tuple[Run, tuple[Compared, ...]]:
        """What the baseline asked, asked again, and the two held side by side."""
        before: dict[str, tuple[Tried, ...]] = {}
        for suite in suites:
            seen = Seen()
            halted = await ask_again(suite, baseline, self._desk.engine, seen, self._tell)
            self._add(suite, seen)
            if halted is not None:
                return self._end(f"{suite.name}: {halted}"), ()
            before[suite.name] = await graded_now(suite, baseline, regrade)
        clusters = {suite.name: {case.id: case.cluster for case in suite.cases} for suite in suites}
        return self._end(""), compare(before, self.run.tried, clusters)

    def _stops_all(self, halted: Halted) -> bool:
        """Is there nobody to ask, or is the money of all suites spent?"""
        gone = isinstance(halted, CallFailed) and not isinstance(halted, Refused)
        return gone or (isinstance(halted, CapReached) and self._desk.purses.shared)

    def _tiers(self, suite: Suite) -> tuple[str, ...]:
        rules = self._desk.rules
        named = suite.tiers or tuple(reachable(rules))
        return tuple(tier for tier in rules.tier_order if tier in named)

    def _models(self, tiers: Sequence[str]) -> dict[str, str]:
        rules = self._desk.rules
        return {tier: rules.ids[rules.policy.tiers[tier].model] for tier in tiers}

    def _money(self, spent_before: int) -> Money:
        return Money(
            spent_pico=self._desk.spent_pico - spent_before, batch_percent=self._desk.rules.prices.batch_percent
        )

    def _tell(self, suite: Suite, need: Need) -> None:
        what = f"look {need.look} of {need.looks}" if need.look else f"asked again ({need.epoch})" if need.epoch else ""
        self._desk.shown.begin(" · ".join(part for part in (suite.name, need.tier, what) if part), len(need.cases))

    def _add(self, suite: Suite, seen: Seen, found: Finding | None = None) -> None:
        run = self.run
        self.run = msgspec.structs.replace(
            run,
            findings=run.findings if found is None else (*run.findings, found),
            tried={**run.tried, suite.name: seen.all()},
            suite_hashes={**run.suite_hashes, suite.name: suite.hash},
        )
        self._keep(self.run)

    def _end(self, stopped: str) -> Run:
        self.run = msgspec.structs.replace(self.run, finished=not stopped, stopped=stopped)
        self._keep(self.run)
        return self.run
