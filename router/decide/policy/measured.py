"""routes.yaml as frozen records: how often each tier did each task well, and which tier the evals named.

Rule: shape and bounds only; decide/evidence.py says which tier the numbers allow.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .part import Name, Part, Share

Cases = Annotated[int, Meta(ge=0, le=100_000_000)]
Milliseconds = Annotated[int, Meta(ge=0)]


class Measured(Part, frozen=True, kw_only=True):
    """One task on one tier."""

    model: Annotated[str, Meta(description="The model that was measured; another one is another measurement.")]
    cases: Annotated[Cases, Meta(description="How many cases were tried.")]
    passed: Annotated[Cases, Meta(description="How many of them passed.")]
    measured: Annotated[str, Meta(description="The day (YYYY-MM-DD).")]
    at_least: Annotated[
        Share | None,
        Meta(
            description="The lower 95 % bound of the pass rate, corrected for the looks at the cases on the way;"
            " left out: Wilson's, which holds for one look."
        ),
    ] = None
    low: Annotated[Share | None, Meta(description="The two-sided 95 % interval of the pass rate.")] = None
    high: Annotated[Share | None, Meta(description="Its upper end.")] = None
    below_best: Annotated[
        float | None,
        Meta(
            description="How far below the best tier it is at most (upper 95 % bound of the paired difference of"
            " pass rates), where both ran the same cases."
        ),
    ] = None
    mark: Annotated[
        bool,
        Meta(
            description="The tier that the others were held against: the best there is, though it may have been asked"
            " only where a cheaper one failed, so that it has no pass rate of its own."
        ),
    ] = False
    state: Annotated[
        Literal["clears", "fails", "undecided", "open", "untried"] | None,
        Meta(description="What the run concluded of the suite's own claim."),
    ] = None
    suite: Annotated[str | None, Meta(description="The suite that was run.")] = None
    suite_hash: Annotated[str | None, Meta(description="Its hash: other cases or another grader are another.")] = None
    judged: Annotated[bool, Meta(description="A model graded: not to be held against exact grades.")] = False
    cost_usd: Annotated[str | None, Meta(description="What a case cost on average.")] = None
    latency_ms: Annotated[Milliseconds | None, Meta(description="How long a case took, median.")] = None
    latency_p95_ms: Annotated[Milliseconds | None, Meta(description="And the slowest of twenty.")] = None
    sampled_cases: Annotated[Cases, Meta(description="Requests of production that were graded.")] = 0
    sampled_passed: Annotated[Cases, Meta(description="How many of those passed.")] = 0
    sampled_day: Annotated[str | None, Meta(description="The day of the last one (YYYY-MM-DD).")] = None


class RouteVerdict(Part, frozen=True, kw_only=True):
    """What the evals concluded of a task."""

    winner: Annotated[Name | None, Meta(description="The cheapest tier that is shown to do; left out: none is.")] = None
    claim: Annotated[str, Meta(description="What a tier had to show, in words.")]
    reason: Annotated[str, Meta(description="Why this tier, in words.")]
    decided: Annotated[str, Meta(description="The day (YYYY-MM-DD).")]
    run: Annotated[str, Meta(description="The run that it rests on.")]
    suites: Annotated[tuple[str, ...], Meta(description="Where there are several, the winner clears all of them.")] = ()
    judged: Annotated[bool, Meta(description="A model graded.")] = False


class RouteFile(Part, frozen=True, kw_only=True):
    """routes.yaml"""

    version: Literal[1] = 1
    verdicts: Annotated[dict[Name, RouteVerdict], Meta(description="By task.")] = {}
    routes: Annotated[dict[Name, dict[Name, Measured]], Meta(description="By task, then by tier.")] = {}
