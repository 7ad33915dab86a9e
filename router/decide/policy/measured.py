"""routes.yaml as frozen records: how often each tier did each task well, measured by the evals.

Rule: shape and bounds only; decide/evidence.py says which tier the numbers allow.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .part import Name, Part

Cases = Annotated[int, Meta(ge=0, le=100_000_000)]


class Measured(Part, frozen=True, kw_only=True):
    """One task on one tier."""

    model: Annotated[str, Meta(description="The model that was measured; another one is another measurement.")]
    cases: Annotated[Cases, Meta(description="How many cases were tried.")]
    passed: Annotated[Cases, Meta(description="How many of them passed.")]
    measured: Annotated[str, Meta(description="The day (YYYY-MM-DD).")]
    below_best: Annotated[
        float | None,
        Meta(
            description="How far below the best tier it is at most (upper 95 % bound of the paired difference of"
            " pass rates), where both ran the same cases."
        ),
    ] = None
    suite: Annotated[str | None, Meta(description="The hash of the suite that was run.")] = None
    cost_usd: Annotated[str | None, Meta(description="What a case cost on average.")] = None
    latency_ms: Annotated[int | None, Meta(description="How long a case took, median.")] = None


class RouteFile(Part, frozen=True, kw_only=True):
    """routes.yaml"""

    version: Literal[1] = 1
    routes: Annotated[dict[Name, dict[Name, Measured]], Meta(description="By task, then by tier.")] = {}
