"""What a policy says of the API's prompt cache: which marks are set, who waits for whom, what is kept warm.

Rule: shape and bounds only; decide/breakpoints.py and decide/reuse.py say what follows.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .part import Name, Part, Tokens


class Prewarm(Part, frozen=True, kw_only=True):
    """A prefix that is written before anybody needs it, and kept while it is used."""

    file: Annotated[
        str,
        Meta(
            description="JSON, beside this file: the `tools` and `system` that the application sends, byte for byte.",
            examples=["support-prefix.json"],
        ),
    ]
    tier: Annotated[Name, Meta(description="The tier whose model is warmed.", examples=["sonnet"])]
    feature: Annotated[str, Meta(description="Whose it is, in the ledger.", examples=["support"])] = ""
    ttl: Annotated[Literal["5m", "1h"], Meta(description="How long the entry lives.", examples=["1h"])] = "5m"


class CacheRules(Part, frozen=True, kw_only=True):
    marks: Annotated[
        Literal["auto", "off"],
        Meta(
            description="`auto` sets up to four marks where the reads to come pay for the write, beside the caller's"
            " own; `off` sets none.",
            examples=["off"],
        ),
    ] = "auto"
    longest: Annotated[
        Literal["5m", "1h"],
        Meta(
            description="The longest lifetime that is asked for. An hour costs twice the input price to write, and is"
            " used where requests come back more slowly than every five minutes.",
            examples=["5m"],
        ),
    ] = "1h"
    min_tokens: Annotated[
        Tokens | None,
        Meta(
            description="Shorter prefixes are not marked; null is each model's own minimum, below which the API"
            " ignores a mark.",
            examples=[4096],
        ),
    ] = None
    hold_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=30_000,
            description="When many requests bring the same cold prefix at once, the first one goes and the others wait"
            " so long, at most, for its answer to begin; 0: nobody waits, and each pays for the write.",
            examples=[1500],
        ),
    ] = 0
    hold_tokens: Annotated[
        Tokens, Meta(description="Nobody waits for a shorter prefix than this.", examples=[10000])
    ] = 4_000
    varying: Annotated[
        tuple[str, ...],
        Meta(
            description="Lines of a system text that meet one of these regular expressions (RE2) are moved behind the"
            " rest of it, so that what stays the same can be cached. Left out, no text is ever moved.",
            examples=["^Current time: "],
        ),
    ] = ()
    diagnostics: Annotated[
        bool,
        Meta(
            description="Ask the API why a conversation's cache was missed: a field `diagnostics` is sent and comes"
            " back with the answer. Only where the API is Anthropic's own.",
            examples=[True],
        ),
    ] = False
    prewarm: Annotated[
        dict[Name, Prewarm],
        Meta(description="Prefixes that are written at the start, and kept warm while that pays."),
    ] = {}
