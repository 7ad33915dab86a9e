"""What a policy says of calls that fail: what is done about each outcome, and when a model is left alone.

Rule: shape and bounds only; decide/fallback.py, decide/breaker.py and decide/pace.py say what follows.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .part import Name, Part, Positive, Share, WorkloadName

# In the order of docs/fallbacks.md; the values of vocabulary.OutcomeKind that can be reacted to.
OutcomeName = Literal[
    "rate_limited", "ramp_limited", "spend_limited", "billing", "overloaded", "held_back", "breaker_open",
    "server_error", "upstream_timeout", "timed_out", "stalled", "connect_failed", "connection_lost", "conflict",
    "cut", "stream_error", "bad_answer", "too_big", "redirected", "not_found", "authentication", "permission",
    "bad_request", "too_large", "deadline", "refused", "cut_at_max_tokens", "context_exceeded", "empty",
    "broken_contract", "disagreed",
]  # fmt: skip
Action = Literal[
    "retry", "wait", "sibling", "up", "down", "next", "escalate",  # another call
    "cached", "stale", "canned", "defer", "serve", "fail",  # no other call
]  # fmt: skip
Reactions = dict[OutcomeName, tuple[Action, ...]]
Language = Annotated[str, Meta(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]

ON_EXAMPLE = [{"overloaded": ["next", "stale", "canned"], "refused": ["up", "serve"]}]


class Fallbacks(Part, frozen=True, kw_only=True):
    attempts: Annotated[int, Meta(ge=1, le=6, description="Calls for one answer, over all tiers.", examples=[4])] = 3
    backoff_ms: Annotated[
        int, Meta(ge=1, le=10_000, description="Full jitter's base after a server error.", examples=[100])
    ] = 50
    throttle_backoff_ms: Annotated[
        int,
        Meta(ge=1, le=60_000, description="Full jitter's base after a rate limit without retry-after.", examples=[500]),
    ] = 1000
    backoff_max_ms: Annotated[int, Meta(ge=1, le=60_000, description="The longest backoff.", examples=[4000])] = 8000
    wait_max_s: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="A longer retry-after is not waited for: the next tier is asked.",
            examples=[1.5],
        ),
    ] = 2.0
    ceiling: Annotated[
        Name | None,
        Meta(
            description="The highest tier that a fallback may climb to; null is the highest there is.",
            examples=["sonnet"],
        ),
    ] = None
    on: Annotated[
        Reactions,
        Meta(
            description="What is done about an outcome, in order, until something works; what is left out keeps the"
            " table of docs/fallbacks.md.",
            examples=ON_EXAMPLE,
        ),
    ] = {}
    workloads: Annotated[
        dict[WorkloadName, Reactions],
        Meta(
            description="The same for one workload; comes before `on`, and a task's own `on` before both.",
            examples=[{"background": {"rate_limited": ["wait", "defer"]}}],
        ),
    ] = {}
    canned: Annotated[
        str | None,
        Meta(
            description="The last resort on /complete. {request_id} is filled in. null is an honest error.",
            examples=["We could not answer just now. (Reference {request_id})"],
        ),
    ] = None
    canned_in: Annotated[
        dict[Language, str],
        Meta(
            description="The same in other languages, chosen by the caller's accept-language header.",
            examples=[{"de": "Wir konnten gerade nicht antworten. ({request_id})"}],
        ),
    ] = {}
    canned_on: Annotated[
        tuple[Literal["complete", "messages"], ...],
        Meta(
            description="The doors where a canned reply may answer. Without `messages`, clients of /v1/messages get an"
            " honest error in the API's shape.",
            examples=[["complete", "messages"]],
        ),
    ] = ("complete",)
    buffered: Annotated[
        bool,
        Meta(
            description="Streams are held back until they are whole, so that one that breaks can be asked for again"
            " unseen; the first byte comes with the last. A request may say so itself.",
            examples=[True],
        ),
    ] = False


class RetryBudget(Part, frozen=True, kw_only=True):
    """Calls beyond a request's first one, per model: an outage must not multiply the traffic."""

    share: Annotated[Share, Meta(description="Each request adds this much of a call.", examples=[0.2])] = 0.1
    answered: Annotated[
        Share,
        Meta(
            description="Each answer adds this much more: a model that answers some can take more; in an outage there"
            " are none.",
            examples=[0.25],
        ),
    ] = 0.5
    burst: Annotated[
        int, Meta(ge=1, le=100_000, description="How many may be saved up; it starts full.", examples=[50])
    ] = 100


class Breaker(Part, frozen=True, kw_only=True):
    enabled: Annotated[bool, Meta(description="Without it every model is always asked.", examples=[False])] = True
    window_s: Annotated[Positive, Meta(description="Failures are counted over this much time.", examples=[30])] = 10.0
    min_calls: Annotated[
        int, Meta(ge=1, le=1_000_000, description="With fewer calls in the window, only `in_a_row` counts.",
                  examples=[50])
    ] = 20  # fmt: skip
    failed_share: Annotated[
        Share, Meta(description="It opens when this share of the calls in the window failed.", examples=[0.4])
    ] = 0.5
    in_a_row: Annotated[
        int, Meta(ge=1, le=10_000, description="Where calls are few: it opens after so many failures in a row.",
                  examples=[3])
    ] = 5  # fmt: skip
    open_s: Annotated[
        Positive, Meta(description="How long it stays open at first, before one call probes; doubled each time the"
                       " probe fails.", examples=[10])
    ] = 5.0  # fmt: skip
    open_max_s: Annotated[Positive, Meta(description="The longest it stays open.", examples=[120])] = 60.0
    close_after: Annotated[
        int, Meta(ge=1, le=100, description="So many probes must answer in a row before it closes.", examples=[1])
    ] = 3


class Pacing(Part, frozen=True, kw_only=True):
    """Calls are held back before the API has to refuse them."""

    enabled: Annotated[
        bool, Meta(description="Without it nothing is held back until the API refuses.", examples=[False])
    ] = True
    wait_s: Annotated[
        dict[WorkloadName, Annotated[float, Meta(ge=0, le=600)]],
        Meta(
            description="The longest that a request waits for its turn at a model before the next one is asked; left"
            " out: 1 for interactive, 30 for background, 120 for batch. Interactive requests go first.",
            examples=[{"interactive": 2}],
        ),
    ] = {}
    start: Annotated[
        int, Meta(ge=1, le=20_000, description="Calls at once to a model, to begin with.", examples=[20])
    ] = 100
    least: Annotated[
        int, Meta(ge=1, le=20_000, description="However slow it gets, so many are let through.", examples=[2])
    ] = 4
    most: Annotated[
        int, Meta(ge=1, le=20_000, description="However fast it is, no more than this.", examples=[500])
    ] = 1000
    keep_free: Annotated[
        Share,
        Meta(
            description="Of the room at a model and at the door, what only interactive requests may use.",
            examples=[0.1],
        ),
    ] = 0.2
