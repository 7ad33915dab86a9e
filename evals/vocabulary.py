"""The nouns of measuring: a suite and its cases, an answer that was paid for, what a grader said, and what was found.

    a suite      Suite, Case, Claim, GraderSpec          an answer    Answered, Tried
    a finding    TierFinding, Slice, Pair, Finding       a run        Run

Rule: no behaviour beyond a property that reads its own fields. Money is an integer number of pico-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from router.vocabulary import Usage
from router.vocabulary.noun import Noun

LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)  # the planned looks, as shares of a suite's cases


class Claim(Noun, frozen=True, kw_only=True):
    """What a tier must show: a pass rate of at least `value`, or at most `value` below the top tier."""

    kind: str  # bar | margin
    value: float

    @property
    def words(self) -> str:
        if self.kind == "bar":
            return f"passes at least {self.value:.0%} of cases"
        return f"is at most {100 * self.value:g} points below the top tier"


class Case(Noun, frozen=True, kw_only=True):
    """One input, and what is expected of an answer."""

    id: str
    fields: Mapping[str, str]  # what the template names; a plain `input` is {"input": text}
    expected: Any
    cluster: str = ""  # cases that are alike for one reason (one document, one author) share it
    tags: tuple[str, ...] = ()
    line: int = 0  # in cases.jsonl


class GraderSpec(Noun, frozen=True, kw_only=True):
    """Which grader, and its options as the suite gives them (checked by the grader's own room)."""

    kind: str
    options: Mapping[str, Any] = {}

    @property
    def judged(self) -> bool:
        """Does a model grade? Such results are kept apart from exact ones."""
        return self.kind == "judge"


class Suite(Noun, frozen=True, kw_only=True):
    """Cases of one task, how they are asked and graded, and what must be shown. Cases stand in the order of the
    looks: shuffled once by their ids, so that every look is a random part."""

    name: str  # of its folder
    task: str  # of the policy
    description: str = ""
    system: str = ""
    template: str = "{input}"
    grader: GraderSpec
    claim: Claim
    budget_pico: int  # a run stops before it spends more, unless the command says otherwise
    max_tokens: int | None = None  # None: as the policy's task says
    tiers: tuple[str, ...] = ()  # () : every tier of the policy that a verdict can reach
    looks: tuple[float, ...] = LOOKS
    cases: tuple[Case, ...]
    hash: str  # of all that changes an answer or its grade: system, template, grader, cases
    folder: Path


class Answered(Noun, frozen=True, kw_only=True):
    """An answer that was paid for once: found again by (model, parameters, prompt, number of the asking)."""

    key: str
    model: str
    text: str
    stop_reason: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    usage: Usage = Usage()
    cost_pico: int = 0
    latency_ms: int = 0
    at_ms: int = 0
    batch: bool = False


class Grade(Noun, frozen=True, kw_only=True):
    """What a grader says of one answer. `why` is one short sentence for people."""

    passed: bool
    score: float = 0.0  # 0..1; for graders that give partial credit, only shown
    why: str = ""


class Tried(Noun, frozen=True, kw_only=True):
    """One case on one tier, asked for the `epoch`-th time (0: the time that counts; more: repeats that show noise)."""

    case: str
    tier: str
    epoch: int = 0
    answer: Answered
    grade: Grade


class State(StrEnum):
    """What is known of a tier's claim."""

    CLEARS = "clears"
    FAILS = "fails"  # it is shown not to, or looks so bad that these cases cannot show it
    UNDECIDED = "undecided"  # the truth lies too near the line for so few cases
    OPEN = "open"  # not all planned looks were taken (a budget, an outage, a kill)
    UNTRIED = "untried"  # a tier above it failed, or the run ended before its turn


class TierFinding(Noun, frozen=True, kw_only=True):
    """What was found of one tier on one suite. Bounds hold with 95 % confidence, the looks included."""

    tier: str
    model: str
    state: State
    words: str = ""
    cases: int = 0
    passed: int = 0
    low: float = 0.0  # Wilson, two-sided 95 %: for tables and plots
    high: float = 1.0
    at_least: float = 0.0  # one-sided, corrected for the looks: what may be claimed
    below_top: float | None = None  # at most so far below the top tier (one-sided upper bound, paired); None: not known
    more_cases: int | None = None  # about so many more would decide, were the truth as observed
    cost_pico: int = 0  # of a case, mean, at live prices
    latency_ms: int = 0  # of a case, median
    latency_p95_ms: int = 0


class Slice(Noun, frozen=True, kw_only=True):
    """A tag's part of the cases, by tier: (passed, cases)."""

    tag: str
    tiers: Mapping[str, tuple[int, int]]


class Pair(Noun, frozen=True, kw_only=True):
    """A case on which two tiers differ, for people to read side by side."""

    case: str
    better: str  # tier that passed
    worse: str  # tier that failed
    expected: str
    better_text: str
    worse_text: str
    why: str
    repeats: tuple[str, ...] = ()  # how it went when both were asked again: `better/worse` as pass or fail


class Finding(Noun, frozen=True, kw_only=True):
    """The verdict of one suite: the cheapest tier that is shown to do, or why none can be named."""

    suite: str
    suite_hash: str
    task: str
    claim: Claim
    judged: bool = False
    winner: str | None = None
    words: str = ""
    decided: bool = False  # False: not enough evidence
    tiers: tuple[TierFinding, ...] = ()  # cheapest first
    slices: tuple[Slice, ...] = ()
    pairs: tuple[Pair, ...] = ()
    cases_total: int = 0
    calls: int = 0  # answers looked at, of all tiers
    calls_fixed: int = 0  # what a design without looks would have asked
    spent_pico: int = 0  # paid in this run; answers that were known already cost nothing
    worth_pico: int = 0  # what all answers together would cost at live prices


class Run(Noun, frozen=True, kw_only=True):
    """One `tierwise eval run`, as it is kept: enough to show, compare, pick from and go on with."""

    run_id: str
    at_ms: int
    upstream: str  # api | standin | the base URL
    policy: str  # the file
    policy_hash: str
    rehearsed: bool = False  # answers were made up: never picked from
    finished: bool = False
    stopped: str = ""  # why it ended early, in words
    findings: tuple[Finding, ...] = ()
    tried: Mapping[str, tuple[Tried, ...]] = {}  # by suite
    suite_hashes: Mapping[str, str] = {}  # by suite: as it was when it was asked
