"""What a run works with: the engine, the askers, who pays, and what it will cost.

Rule: built in cli/opening.py; no edge is opened here. A suite pays from its own budget, or all from one cap where the
command names one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from router.decide.policy import Rulebook
from router.errors import StartError
from router.ports import Clock
from router.vocabulary.noun import Noun

from .answers import LeftOver
from .asking import Asker, Asking
from .engine import Fetch, InspectEngine
from .foreseeing import Foresight
from .ports import Asker as AskerPort
from .ports import Engine, Grader, Halted
from .progress import Shown
from .report.words import dollars
from .spending import Estimate, Purse, for_option, needed_pico
from .vocabulary import Suite

GraderOf = Callable[[Suite, AskerPort], Grader]


class Options(Noun, frozen=True, kw_only=True):
    """How a run was asked for."""

    max_pico: int | None = None  # for all suites together; None: each suite's own budget
    batch: bool = False
    rehearse: bool = False
    fresh: bool = False
    quiet: bool = False  # no progress bar, whatever standard error is
    concurrency: int = 10


class Purses:
    """Who pays for which suite."""

    def __init__(self, suites: Sequence[Suite], max_pico: int | None) -> None:
        # Of no suite of this run: past requests, and what an earlier run left on its way.
        self._others = Purse(max_pico or 0)
        self._by_suite = {suite.name: Purse(suite.budget_pico) for suite in suites if max_pico is None}
        self.all: tuple[Purse, ...] = tuple(self._by_suite.values()) if max_pico is None else (self._others,)

    def of(self, suite: str) -> Purse:
        return self._by_suite.get(suite, self._others)

    @property
    def shared(self) -> bool:
        """Does one cap pay for all suites?"""
        return not self._by_suite

    @property
    def cap_pico(self) -> int:
        return sum(purse.cap_pico for purse in self.all)

    @property
    def spent_pico(self) -> int:
        own = sum(purse.spent_pico for purse in self._by_suite.values())
        return own + self._others.spent_pico


class Source(Noun, frozen=True, kw_only=True):
    """Who answers, and under which policy: what a run says of itself."""

    upstream: str  # api | standin | the base URL
    rules: Rulebook  # the operator's own, nothing set aside
    rehearsed: bool = False
    data_dir: Path

    @property
    def policy(self) -> str:
        return self.rules.source

    @property
    def policy_hash(self) -> str:
        return self.rules.hash


class Desk:
    """Of one run."""

    def __init__(self, *, asking: Asking, engine: Engine, purses: Purses, source: Source,
                 shown: Shown, told: tuple[Clock, Options, tuple[str, ...]]) -> None:  # fmt: skip
        self.engine = engine
        self.purses = purses
        self.source = source
        self.shown = shown
        self._asking = asking
        clock, options, self.notes = told  # notes: what a person should know before it begins
        self._foresight = Foresight(asking, source.rules, clock, batch=options.batch)
        self._first_looks: dict[str, tuple[Estimate, ...]] = {}  # by suite

    @property
    def rules(self) -> Rulebook:
        return self.source.rules

    @property
    def spent_pico(self) -> int:
        return self.purses.spent_pico

    def asker(self, suite: str) -> Asker:
        """Whose questions that suite pays for."""
        return Asker(self._asking, suite)

    def estimate(self, suite: Suite, tiers: Sequence[str], cases: int | None = None) -> tuple[Estimate, ...]:
        """By tier, for the first `cases` in the order of the looks; None: for all, and for what is asked again. After
        them the judge, where there is one. Raises Halted."""
        return self._foresight.of(suite, tiers, cases)

    def refuse_small(self, suite: Suite, tiers: Sequence[str], cases: int) -> None:
        """Is there enough for one look at so many cases on these tiers, and for the first looks of the suites that
        were held against the same cap before? Raises Halted with what it takes."""
        own = self.estimate(suite, tiers, cases)
        self._first_looks[suite.name] = own
        purse = self.purses.of(suite.name)
        shared = {name: found for name, found in self._first_looks.items() if self.purses.of(name) is purse}
        needed = needed_pico(one for found in shared.values() for one in found)
        left_pico = purse.cap_pico - purse.spent_pico
        if needed <= left_pico:
            return
        others = [name for name in shared if name != suite.name]
        enough = for_option(needed + purse.spent_pico)
        together = f", and {dollars(needed)} with the first looks of {', '.join(others)}" if others else ""
        raise Halted(
            f"{suite.name}: one look, {cases} cases on {' and '.join(tiers)}, needs about {dollars(needed_pico(own))}"
            f" (the last call at its worst included){together}; {dollars(left_pico)} are left of the cap: nothing was"
            f" asked; --max-usd {enough} is enough for one look{' at each' if others else ''}"
        )


def engine_of(asking: Asking, graders: GraderOf, logs: Path, how: tuple[Options, Shown, Fetch | None]) -> InspectEngine:
    options, shown, fetch = how
    made: dict[str, Grader] = {}

    def grader_of(suite: Suite) -> Grader:
        if suite.name not in made:
            made[suite.name] = graders(suite, Asker(asking, suite.name))
        return made[suite.name]

    return InspectEngine(
        asking=asking, grader_of=grader_of, logs=logs, concurrency=options.concurrency, told=shown, fetch=fetch
    )


def words_of(left: LeftOver) -> tuple[str, ...]:
    """What a kill may have cost."""
    if not left.calls:
        return ()
    calls = "1 call was" if left.calls == 1 else f"{left.calls} calls were"
    at_most = dollars(left.worst_pico)
    return (f"{calls} in flight when the last run ended: at most {at_most} were paid without an answer",)


def check_suites(suites: Sequence[Suite], rules: Rulebook) -> None:
    """Do their tasks and tiers exist? Raises StartError with every problem."""
    tiers, tasks = rules.policy.tiers, ", ".join(sorted(rules.tasks))
    problems = [
        f"{suite.folder}/suite.yaml: task: the policy has no task {suite.task}; it has: {tasks}"
        for suite in suites
        if suite.task not in rules.tasks
    ]
    problems += [
        f"{suite.folder}/suite.yaml: tiers: the policy has no tier {tier}; it has: {', '.join(rules.tier_order)}"
        for suite in suites
        for tier in suite.tiers
        if tier not in tiers
    ]
    if problems:
        raise StartError("\n".join(problems))
