"""A suite without a model: which cases each tier passes is written down, and what was asked is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from evals.ports import Halted
from evals.vocabulary import LOOKS, Answered, Case, Claim, Grade, GraderSpec, Suite, Tried

MODELS = {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}
TIERS = tuple(MODELS)
BAR = Claim(kind="bar", value=0.8)
MARGIN = Claim(kind="margin", value=0.1)
PRICES = {"haiku": 1_000, "sonnet": 5_000, "opus": 9_000}

Passes = Callable[[str, int, int], bool]  # tier, number of the case, epoch


def suite_of(cases: int = 100, claim: Claim = BAR, clusters: int = 0) -> Suite:
    return Suite(
        name="sums",
        task="reasoning",
        grader=GraderSpec(kind="exact"),
        claim=claim,
        budget_pico=10**12,
        looks=LOOKS,
        cases=tuple(case_of(number, clusters) for number in range(cases)),
        hash="0" * 16,
        folder=Path("suites/sums"),
    )


def case_of(number: int, clusters: int = 0) -> Case:
    return Case(
        id=f"c{number:03}",
        fields={"input": f"What is {number} + 1?"},
        expected=str(number + 1),
        cluster=f"k{number % clusters}" if clusters else "",
        tags=("even",) if number % 2 == 0 else ("odd",),
    )


def tried_of(tier: str, case: Case, passed: bool, epoch: int = 0, batch: bool = False) -> Tried:
    answer = Answered(
        key=f"{tier}/{case.id}/{epoch}",
        model=MODELS[tier],
        text=f"{tier} says {'right' if passed else 'wrong'}",
        cost_pico=PRICES[tier] // (2 if batch else 1),
        latency_ms=0 if batch else 100 + int(case.id[1:]),
        batch=batch,
    )
    return Tried(case=case.id, tier=tier, epoch=epoch, answer=answer, grade=Grade(passed=passed, why="as written"))


class ScriptedEngine:
    """Implements ports.Engine. `halts_after` so many answers, as when the money is spent."""

    def __init__(self, passes: Passes, halts_after: int | None = None) -> None:
        self._passes = passes
        self._halts_after = halts_after
        self.asked: list[tuple[str, str, int]] = []

    async def run(self, _suite: Suite, tier: str, cases: Sequence[Case], epoch: int = 0) -> list[Tried]:
        if self._halts_after is not None and len(self.asked) + len(cases) > self._halts_after:
            raise Halted("the cap is reached")
        self.asked += [(tier, case.id, epoch) for case in cases]
        return [tried_of(tier, case, self._passes(tier, int(case.id[1:]), epoch), epoch) for case in cases]

    def count(self, tier: str, epoch: int = 0) -> int:
        return sum(1 for one, _, asking in self.asked if (one, asking) == (tier, epoch))
