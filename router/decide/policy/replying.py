"""What a policy says of answers that are kept, and of requests that are put off.

Rule: shape and bounds only; decide/replies.py and decide/likeness.py say what follows.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .part import FromEnvironment, Part, Positive, Share

Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]


class Keep(Part, frozen=True, kw_only=True):
    """How long the answers of a task are kept."""

    ttl_s: Annotated[
        Seconds, Meta(description="An equal request within this time gets the same answer; 0: never.", examples=[600])
    ] = 0.0
    stale_s: Annotated[
        Seconds,
        Meta(
            description="For so long after that, it is still given when no model answers; 0: never.", examples=[86400]
        ),
    ] = 0.0


class Similar(Part, frozen=True, kw_only=True):
    """Answers to nearly the same question. Off unless a threshold is set; fit it with `tierwise similar`."""

    mode: Annotated[
        Literal["off", "observe", "stale", "use"],
        Meta(
            description="`observe` only notes fingerprints in the ledger, to fit the threshold from; `stale` uses it"
            " when no model answers; `use` for fresh answers too.",
            examples=["observe"],
        ),
    ] = "off"
    threshold: Annotated[Share, Meta(description="How alike two questions must be (1: the same).", examples=[0.9])] = (
        0.95
    )


class Replies(Part, frozen=True, kw_only=True):
    """Answers that are given again. Tenants never share them unless it says so here."""

    ttl_s: Annotated[
        Seconds, Meta(description="For tasks that do not say: how long an answer is given again; 0: never.",
                      examples=[300])
    ] = 0.0  # fmt: skip
    stale_s: Annotated[
        Seconds, Meta(description="For tasks that do not say: for how long after that when no model answers.",
                      examples=[3600])
    ] = 0.0  # fmt: skip
    ignore: Annotated[
        tuple[Literal["whitespace", "case", "unicode"], ...],
        Meta(
            description="Differences in the text of messages that do not make another request: runs of white space,"
            " upper and lower case, Unicode's several forms of one letter.",
            examples=[["whitespace", "unicode"]],
        ),
    ] = ()
    shared: Annotated[bool, Meta(description="One tenant's answer may be given to another.", examples=[True])] = False
    safe_tools: Annotated[
        tuple[str, ...],
        Meta(
            description="Tools without side effects. An answer to a request that brings any other tool is not kept.",
            examples=["look_up"],
        ),
    ] = ()
    max_mb: Annotated[int, Meta(ge=1, le=65_536, description="How much is kept in one process.", examples=[256])] = 64
    single_flight: Annotated[
        bool,
        Meta(
            description="Equal requests at the same time share one call. A request with `cache: off` has its own.",
            examples=[False],
        ),
    ] = True
    similar: Annotated[Similar, Meta(description="Answers to nearly the same question.")] = Similar()


class Jobs(Part, frozen=True, kw_only=True):
    """Requests that are put off: 202 with a job's id, answered later."""

    enabled: Annotated[bool, Meta(description="Without it nothing is put off.", examples=[False])] = True
    keep_s: Annotated[Positive, Meta(description="How long an answer waits to be fetched.", examples=[3600])] = 86_400.0
    give_up_s: Annotated[Positive, Meta(description="A job that has no answer by then fails.", examples=[7200])] = (
        86_400.0
    )
    at_once: Annotated[int, Meta(ge=1, le=1000, description="Jobs that run at the same time.", examples=[8])] = 4
    webhook_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Hosts that may be told of a finished job; a leading dot takes every host below it. Private"
            " addresses are never told. Left out: no webhooks.",
            examples=[["hooks.example.com", ".example.org"]],
        ),
    ] = ()
    secret: Annotated[
        FromEnvironment | None,
        Meta(description="Signs what is sent (HMAC-SHA256 over time and body).", examples=["${JOBS_SECRET:-}"]),
    ] = None
