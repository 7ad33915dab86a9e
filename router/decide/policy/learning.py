"""What a policy says of learning from traffic: prompts that are kept, the local gate, and answers that are checked.

Rule: shape and bounds only; decide/gate.py and decide/agreement.py say what follows. All of it is off unless asked for.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from .part import Name, Part, Share


class Sampling(Part, frozen=True, kw_only=True):
    """Prompts and answers that are kept, to grade them and to measure tiers by them. Nothing is, by default."""

    keep: Annotated[
        Share,
        Meta(
            description="Of the answered requests, so large a share is kept with its text, in `prompts.sqlite` beside"
            " the ledger. Never those of a `personal` task, nor where the caller says `cache: off`.",
            examples=[0.05],
        ),
    ] = 0.0
    keep_days: Annotated[int, Meta(ge=1, le=3650, description="Then they are deleted.", examples=[7])] = 30
    max_mb: Annotated[
        int, Meta(ge=1, le=1_000_000, description="The oldest are deleted beyond this.", examples=[100])
    ] = 500
    shadow: Annotated[
        Share,
        Meta(
            description="Of the requests in the ledger, so large a share may be run once more on another tier by"
            " `tierwise eval sample`; nobody is served with the answer. 0.01 to 0.02 is enough to learn from.",
            examples=[0.02],
        ),
    ] = 0.0
    shadow_usd: Annotated[
        Decimal, Meta(description="What one `tierwise eval sample` may spend on that.", examples=[0.5])
    ] = Decimal(1)


class GateRules(Part, frozen=True, kw_only=True):
    """The small local model that answers instead of the classifier. It is off until `tierwise gate fit` wrote one."""

    enabled: Annotated[bool, Meta(description="Without it the classifier is always asked.", examples=[False])] = True
    file: Annotated[
        str, Meta(description="What `tierwise gate fit` wrote, beside the policy.", examples=["gate.json"])
    ] = "gate.json"
    alpha: Annotated[
        float,
        Meta(
            ge=0.01,
            le=0.5,
            description="Of the requests that it answers, at most so large a share may be wrong, with 90 %"
            " confidence. A gate that was fitted for a laxer bound is not used.",
            examples=[0.05],
        ),
    ] = 0.1
    min_cases: Annotated[
        int,
        Meta(
            ge=10,
            le=1_000_000,
            description="Of a task, so many cases must have been gated when the bound was fitted.",
            examples=[100],
        ),
    ] = 50
    audit_share: Annotated[
        Share,
        Meta(
            description="Of the requests that it answers, so large a share is asked of the classifier too, beside the"
            " request: the counter `gate_audits` says how often the two agree.",
            examples=[0.01],
        ),
    ] = 0.02


class Agree(Part, frozen=True, kw_only=True):
    """Two cheap answers that agree are served; where they differ, the next tier is asked."""

    second: Annotated[
        str,
        Meta(
            description="The model that is asked too: a tier's name, or a model id; another one than the first is a"
            " better witness.",
            examples=["claude-haiku-4-5"],
        ),
    ]
    compare: Annotated[
        Literal["json", "number", "text", "tool_calls"],
        Meta(
            description="What must be equal: the JSON, the last number, the whole text (but for case and white"
            " space), or the tools that are called and with what.",
            examples=["json"],
        ),
    ]
    tier: Annotated[
        Name | None,
        Meta(description="The tier whose answers are checked; left out, the policy's first.", examples=["haiku"]),
    ] = None
