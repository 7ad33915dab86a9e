"""The tiers and the tasks of a policy: where a request can go, and what kinds of request there are.

Rule: shape, defaults and per-field bounds only; checks across fields live in policyfile/.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from .failing import ON_EXAMPLE, Language, Reactions
from .learning import Agree
from .part import DifficultyName, EffortLevel, Name, Part, Positive, ThinkingMode, Tokens
from .replying import Keep


class Tier(Part, frozen=True, kw_only=True):
    model: Annotated[str, Meta(description="A model id from models.yaml.", examples=["claude-haiku-5-5"])]
    siblings: Annotated[
        tuple[str, ...],
        Meta(
            description="Models that stand in for it when it fails, before the next tier is asked.",
            examples=[["claude-sonnet-5"]],
        ),
    ] = ()
    effort: Annotated[
        EffortLevel | None,
        Meta(description="Sent as output_config.effort when the request has none.", examples=["low"]),
    ] = None
    thinking: Annotated[
        ThinkingMode,
        Meta(
            description="`off` asks for no thinking where the model can; `auto` leaves its default.", examples=["off"]
        ),
    ] = "auto"
    only_by_name: Annotated[
        bool,
        Meta(
            description="Only a caller who names it, or a rule, leads here: no verdict, no measurement, no fallback.",
            examples=[True],
        ),
    ] = False


class Output(Part, frozen=True, kw_only=True):
    """What a task's answer must be. Holds for /complete, where the request has no output format of its own."""

    type: Annotated[
        Literal["text", "json", "json_schema", "enum"],
        Meta(
            description="`json_schema` and `enum` are sent to the API, which keeps to them; `json` is checked in the"
            " answer, and broken JSON is a warning in the receipt.",
            examples=["json_schema"],
        ),
    ] = "text"
    schema: Annotated[
        dict[str, Any] | None,
        Meta(description="The JSON Schema of `json_schema`.", examples=[{"type": "object", "properties": {}}]),
    ] = None
    values: Annotated[
        tuple[str, ...],
        Meta(description='The values of `enum`; the answer is {"answer": VALUE}.', examples=[["yes", "no"]]),
    ] = ()


class Task(Part, frozen=True, kw_only=True):
    description: Annotated[
        str,
        Meta(description="What the classifier reads to recognise the task.", examples=["A question about an order."]),
    ] = ""
    examples: Annotated[
        tuple[str, ...],
        Meta(description="Short prompts of this task, shown to the classifier.", examples=[["Where is my parcel?"]]),
    ] = ()
    max_tokens: Annotated[
        Tokens, Meta(description="For requests that name none (only /complete may leave it out).", examples=[2048])
    ] = 4096
    timeout_s: Annotated[
        Positive | None, Meta(description="The deadline of a request of this task.", examples=[30])
    ] = None
    stop_sequences: Annotated[
        tuple[str, ...],
        Meta(description="For requests in the short form that name none.", examples=[["\n\nUser:"]]),
    ] = ()
    output: Annotated[
        Output, Meta(description="What the answer must be: text, JSON, JSON of a schema, or one of a few values.")
    ] = Output()
    difficulty: Annotated[
        dict[DifficultyName, Name],
        Meta(
            description="Difficulty to tier, for this task; what is left out falls back to the policy's own map.",
            examples=[{"complex": "haiku"}],
        ),
    ] = {}
    canned: Annotated[
        str | None,
        Meta(
            description="The last resort on /complete, instead of `fallbacks.canned`.",
            examples=["We are away for a moment. ({request_id})"],
        ),
    ] = None
    canned_in: Annotated[
        dict[Language, str],
        Meta(description="The same in other languages.", examples=[{"fr": "Un instant, s'il vous plaît."}]),
    ] = {}
    on: Annotated[
        Reactions,
        Meta(description="What is done about an outcome, for this task: before `fallbacks.on`.", examples=ON_EXAMPLE),
    ] = {}
    buffered: Annotated[bool | None, Meta(description="Like `fallbacks.buffered`, for this task.", examples=[True])] = (
        None
    )
    continuations: Annotated[
        int,
        Meta(
            ge=0,
            le=10,
            description="How often an answer that is cut off at max_tokens is continued and joined; streams are then"
            " held back until they are whole.",
            examples=[2],
        ),
    ] = 0
    keep: Annotated[Keep | None, Meta(description="How long its answers are kept, instead of `replies`.")] = None
    personal: Annotated[
        bool, Meta(description="Its requests are about somebody: no answer is kept, and none is shared.",
                   examples=[True])
    ] = False  # fmt: skip
    agree: Annotated[
        Agree | None,
        Meta(
            description="Two cheap answers that agree are served; where they differ, the next tier is asked. Streams"
            " are then held back until they are whole."
        ),
    ] = None


class Default(Part, frozen=True, kw_only=True):
    tier: Annotated[Name, Meta(description="Where a request goes when there is no verdict.", examples=["sonnet"])]
    task: Annotated[Name, Meta(description="The task of a request that nobody named.", examples=["chat"])]
