"""What keeps a policy in check: budgets, alerts, and a candidate that is tried before it takes over.

Rule: shape and bounds only; decide/budget.py, decide/alarm.py and decide/rollout.py say what follows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from .part import FromEnvironment, Name, Part, Positive, Share


class Budget(Part, frozen=True, kw_only=True):
    """Money for a span of time, counted from the ledger and held before each call."""

    usd: Annotated[Decimal, Meta(description="How much may be spent.", examples=[50])]
    per: Annotated[Literal["hour", "day", "month"], Meta(description="In each of these, in UTC.", examples=["day"])] = (
        "day"
    )
    feature: Annotated[
        tuple[str, ...], Meta(description="Only what these features spend; left out, every feature.", examples=["chat"])
    ] = ()
    tenant: Annotated[
        tuple[str, ...], Meta(description="Only what these tenants spend; left out, every tenant.", examples=["web"])
    ] = ()
    each: Annotated[
        Literal["user", "feature", "tenant"] | None,
        Meta(description="Everybody gets the amount, instead of all of them together.", examples=["user"]),
    ] = None
    save_at: Annotated[
        Share | None,
        Meta(description="From this share on, no request goes above `save_tier`.", examples=[0.8]),
    ] = None
    save_tier: Annotated[
        Name | None, Meta(description="The highest tier once saving; left out, the first tier.", examples=["haiku"])
    ] = None
    then: Annotated[
        Literal["refuse", "canned", "warn"],
        Meta(
            description="When it is spent: an error (402, router_budget), the canned reply on /complete, or an alert"
            " only.",
            examples=["canned"],
        ),
    ] = "refuse"


class Alerts(Part, frozen=True, kw_only=True):
    """Each alert is a line in the log and a counter, and goes to the webhook where there is one."""

    webhook: Annotated[
        FromEnvironment | None,
        Meta(description="An https address that is told of each alert.", examples=["${ALERTS_URL:-}"]),
    ] = None
    secret: Annotated[
        FromEnvironment | None,
        Meta(description="Signs what is sent (HMAC-SHA256).", examples=["${ALERTS_SECRET:-}"]),
    ] = None
    window_s: Annotated[
        Positive, Meta(description="The shares below are taken over this much time.", examples=[300])
    ] = 300.0
    min_requests: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Fewer requests than this in the window are no evidence.", examples=[20]),
    ] = 20
    failed_share: Annotated[
        Share | None, Meta(description="More requests than this share end without an answer.", examples=[0.05])
    ] = None
    degraded_share: Annotated[
        Share | None,
        Meta(description="More than this share is answered by another model or a canned reply.", examples=[0.1]),
    ] = None
    usd_per_hour: Annotated[Decimal | None, Meta(description="More than this is spent in an hour.", examples=[20])] = (
        None
    )


class Guardrails(Part, frozen=True, kw_only=True):
    """How much worse than the current policy the candidate may be. null looks away."""

    failed: Annotated[
        Share | None, Meta(description="More requests without an answer, as a share of all.", examples=[0.01])
    ] = 0.01
    degraded: Annotated[
        Share | None, Meta(description="More answered by another model or a canned reply.", examples=[0.05])
    ] = 0.05
    refused: Annotated[Share | None, Meta(description="More refused by the model.", examples=[0.02])] = 0.02
    truncated: Annotated[
        Share | None, Meta(description="More cut off at max_tokens or a full context.", examples=[0.05])
    ] = 0.05
    p95_latency: Annotated[
        Positive | None,
        Meta(
            description="A longer 95th percentile, as a factor of the current one (1.5: half as long again).",
            examples=[1.5],
        ),
    ] = 1.5
    cost: Annotated[
        Positive | None,
        Meta(description="A dearer request on average, as a factor of the current one.", examples=[1.3]),
    ] = None


class Rollout(Part, frozen=True, kw_only=True):
    """Tries a candidate beside this policy."""

    candidate: Annotated[str, Meta(description="The candidate's file, beside this one.", examples=["next.yaml"])]
    mode: Annotated[
        Literal["shadow", "canary"],
        Meta(
            description="`shadow` decides with both, serves with this one and logs where they differ; `canary` serves"
            " a share of the sessions with the candidate.",
            examples=["shadow"],
        ),
    ] = "canary"
    share: Annotated[Share, Meta(description="Of the sessions that a canary serves.", examples=[0.05])] = 0.05
    ask_classifier: Annotated[
        bool,
        Meta(
            description="In shadow: also ask the candidate's own classifier, which costs a small call more. Without"
            " it, the current verdict is used where the candidate knows the task, and the rest counts as unknown.",
            examples=[True],
        ),
    ] = False
    guardrails: Annotated[Guardrails, Meta(description="What makes a canary roll back by itself.")] = Guardrails()
    window_s: Annotated[
        Positive,
        Meta(description="The guardrails look at this window and the one before it.", examples=[3600]),
    ] = 3600.0
    false_alarm: Annotated[
        Annotated[float, Meta(gt=0, lt=0.5)],
        Meta(
            description="The chance, for each window, that a candidate which is no worse is rolled back; all"
            " guardrails together, looked at after every request.",
            examples=[0.01],
        ),
    ] = 0.01
    promote: Annotated[
        Literal["by_hand", "auto"],
        Meta(description="`auto` promotes after `promote_after_s` and `promote_after_requests`.", examples=["auto"]),
    ] = "by_hand"
    promote_after_s: Annotated[
        Positive, Meta(description="How long a canary runs, at least, before it is promoted.", examples=[86400])
    ] = 86_400.0
    promote_after_requests: Annotated[
        int,
        Meta(ge=1, le=1_000_000_000, description="How many requests the candidate serves before.", examples=[1000]),
    ] = 1_000
