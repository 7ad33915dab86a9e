"""The policy as frozen records: what `policyfile.py` reads from YAML and every decision takes.

Rule: shape, defaults and per-field bounds only. A field's `description` is its documentation: the
schema and docs/policies.md are made from it. Checks across fields live in `policyfile.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,63}$", description="lower-case letters, digits, - and _")]
Positive = Annotated[float, Meta(gt=0)]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]
EffortLevel = Literal["low", "medium", "high", "xhigh", "max"]
ThinkingMode = Literal["off", "auto"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a policy: frozen, and an unknown key is an error."""


class Tier(Part, frozen=True, kw_only=True):
    model: Annotated[str, Meta(description="A model id from models.yaml.")]
    effort: Annotated[
        EffortLevel | None, Meta(description="Sent as output_config.effort when the request has none.")
    ] = None
    thinking: Annotated[
        ThinkingMode, Meta(description="`off` asks for no thinking where the model can; `auto` leaves its default.")
    ] = "auto"


class Task(Part, frozen=True, kw_only=True):
    description: Annotated[str, Meta(description="What the classifier reads to recognise the task.")] = ""
    examples: Annotated[tuple[str, ...], Meta(description="Short prompts of this task, shown to the classifier.")] = ()
    max_tokens: Annotated[
        Tokens, Meta(description="For requests that name none (only /complete may leave it out).")
    ] = 4096
    timeout_s: Annotated[Positive | None, Meta(description="The deadline of a request of this task.")] = None
    stop_sequences: Annotated[tuple[str, ...], Meta(description="For requests in the short form that name none.")] = ()
    difficulty: Annotated[
        dict[Literal["simple", "complex", "edge_case"], Name],
        Meta(description="Difficulty to tier, for this task; what is left out falls back to the policy's own map."),
    ] = {}
    canned: Annotated[str | None, Meta(description="The last resort on /complete, instead of `fallbacks.canned`.")] = (
        None
    )


class Default(Part, frozen=True, kw_only=True):
    tier: Annotated[Name, Meta(description="Where a request goes when there is no verdict.")]
    task: Annotated[Name, Meta(description="The task of a request that nobody named.")]


class ClassifierRules(Part, frozen=True, kw_only=True):
    enabled: Annotated[bool, Meta(description="Without it every unnamed request takes the default tier.")] = True
    model: Annotated[str, Meta(description="The model that is asked; thinking must be able to be off.")] = (
        "claude-haiku-5-5"
    )
    deadline_ms: Annotated[int, Meta(ge=50, le=10_000, description="No verdict by then is the default tier.")] = 800
    max_tokens: Annotated[Tokens, Meta(description="Room for the verdict.")] = 128
    max_chars: Annotated[
        int, Meta(ge=200, le=100_000, description="The text that is judged: its head and its tail, at most this long.")
    ] = 4000
    cap_tier: Annotated[
        Name | None, Meta(description="The highest tier that a verdict alone can reach; null is no cap.")
    ] = None
    instructions: Annotated[str, Meta(description="Added to the classifier's own instructions.")] = ""
    cache_s: Annotated[float, Meta(ge=0, description="How long a verdict is remembered; 0 turns it off.")] = 3600
    cache_entries: Annotated[int, Meta(ge=1, le=10_000_000, description="How many verdicts are remembered.")] = 10_000


class Fallbacks(Part, frozen=True, kw_only=True):
    attempts: Annotated[int, Meta(ge=1, le=6, description="Calls for one answer, over all tiers.")] = 3
    backoff_ms: Annotated[int, Meta(ge=1, le=10_000, description="Full jitter's base after a server error.")] = 50
    throttle_backoff_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="Full jitter's base after a rate limit without retry-after.")
    ] = 1000
    backoff_max_ms: Annotated[int, Meta(ge=1, le=60_000, description="The longest backoff.")] = 8000
    wait_max_s: Annotated[
        float, Meta(ge=0, le=60, description="A longer retry-after is not waited for: the next tier is asked.")
    ] = 2.0
    ceiling: Annotated[
        Name | None, Meta(description="The highest tier that a fallback may climb to; null is the highest there is.")
    ] = None
    canned: Annotated[
        str | None,
        Meta(description="The last resort on /complete. {request_id} is filled in. null is an honest error."),
    ] = None


class Sticky(Part, frozen=True, kw_only=True):
    enabled: Annotated[bool, Meta(description="Keep a conversation on its model; it moves upward only.")] = True
    idle_s: Annotated[Positive, Meta(description="A conversation that is silent for longer is forgotten.")] = 3600.0


class CacheRules(Part, frozen=True, kw_only=True):
    marks: Annotated[
        Literal["auto", "off"],
        Meta(description="`auto` marks tools + system when the caller marked nothing and it is long enough."),
    ] = "auto"


class Limits(Part, frozen=True, kw_only=True):
    deadline_s: Annotated[
        dict[Literal["interactive", "background", "batch"], Positive],
        Meta(description="The longest a caller waits, by workload; what is left out keeps its default."),
    ] = {}
    first_byte_s: Annotated[Positive, Meta(description="For a model to begin to answer.")] = 60.0
    idle_timeout_s: Annotated[Positive, Meta(description="Silence in a stream, pings included, before it is cut.")] = (
        45.0
    )


class Policy(Part, frozen=True, kw_only=True):
    """A routing policy."""

    version: Annotated[Literal[1], Meta(description="The version of this language.")] = 1
    tiers: Annotated[dict[Name, Tier], Meta(min_length=1, description="Cheapest first.")]
    default: Annotated[Default | None, Meta(description="Left out: the first tier, the first task.")] = None
    tasks: Annotated[dict[Name, Task], Meta(description="What the classifier may name.")] = {}
    difficulty: Annotated[
        dict[Literal["simple", "complex", "edge_case"], Name],
        Meta(description="Difficulty to tier."),
    ] = {}
    classifier: Annotated[ClassifierRules, Meta(description="The small call that names task and difficulty.")] = (
        ClassifierRules()
    )
    fallbacks: Annotated[Fallbacks, Meta(description="What happens when a call fails.")] = Fallbacks()
    sticky: Annotated[Sticky, Meta(description="Conversations stay on their model.")] = Sticky()
    cache: Annotated[CacheRules, Meta(description="Marks for the API's prompt cache.")] = CacheRules()
    limits: Annotated[Limits, Meta(description="How long anybody waits.")] = Limits()


# --- models.yaml -------------------------------------------------------------------------------


class ThinkingRules(Part, frozen=True, kw_only=True):
    default: Literal["on", "off"]
    accepts: Annotated[
        tuple[Literal["adaptive", "disabled", "between_tools", "enabled"], ...],
        Meta(description="Values of thinking.type that the model takes."),
    ]
    off: Annotated[
        Literal["disabled", "between_tools"] | None,
        Meta(description="How thinking is turned off or down; null: never."),
    ] = None
    off_up_to: Annotated[
        EffortLevel | None, Meta(description="The highest effort at which it can be off; null: any.")
    ] = None


class Model(Part, frozen=True, kw_only=True):
    line: Annotated[Literal["haiku", "sonnet", "opus", "fable", "mythos"], Meta(description="The family.")]
    aliases: tuple[str, ...] = ()
    context: Annotated[int, Meta(description="The context window, in tokens.")]
    max_output: Annotated[int, Meta(description="The highest max_tokens.")]
    cache_minimum: Annotated[int, Meta(description="The shortest prefix that can be cached, in tokens.")]
    thinking: ThinkingRules
    effort: Annotated[tuple[EffortLevel, ...], Meta(description="Levels of output_config.effort; empty: refused.")] = ()
    forced_tools: Annotated[bool, Meta(description="tool_choice any or tool is accepted.")] = True
    sampling: Annotated[
        Literal["free", "fixed"],
        Meta(description="On API version 2023-06-01: any temperature, or only its default. Newer versions take none."),
    ] = "fixed"
    prefill: Annotated[bool, Meta(description="The conversation may end in an assistant turn.")] = False
    structured_outputs: bool = True
    fast: Annotated[bool, Meta(description="speed: fast is accepted.")] = False
    fast_beta: Annotated[str | None, Meta(description="The anthropic-beta that `speed: fast` needs, if any.")] = None
    geo: Annotated[bool, Meta(description="inference_geo is accepted.")] = True
    retires: Annotated[str | None, Meta(description="The day (YYYY-MM-DD) from which calls fail, once announced.")] = (
        None
    )
    not_before: Annotated[str | None, Meta(description="The earliest day of retirement that is promised.")] = None
    replacement: str | None = None


class Catalogue(Part, frozen=True, kw_only=True):
    """models.yaml"""

    version: Literal[1] = 1
    image_tokens_ceiling: Annotated[
        int, Meta(description="An assumption for upper bounds: no image is billed for more tokens than this.")
    ]
    models: dict[str, Model]
    retired: Annotated[dict[str, str], Meta(description="Dead ids and what replaces them.")] = {}


# --- prices.yaml -------------------------------------------------------------------------------


class Rates(Part, frozen=True, kw_only=True):
    """Pico-dollars a token (in the YAML: USD a million tokens, which is the number times 1e6)."""

    input: int
    output: int
    write_5m: int
    write_1h: int
    read: int


class Price(Part, frozen=True, kw_only=True):
    """What a model costs from a day on. `bands` are ordered; the first whose `up_to` holds is used."""

    model: str
    since_ms: int
    rates: Rates
    above_tokens: int | None = None  # prompts longer than this cost `long`
    long: Rates | None = None
    fast: Rates | None = None


class PriceBook(Part, frozen=True, kw_only=True):
    """prices.yaml, checked: prices by model, newest first."""

    hash: str
    by_model: dict[str, tuple[Price, ...]]
    geo_percent: dict[str, int] = {}  # inference_geo -> percent, 110 is 1.1x
    batch_percent: int = 50


# --- all of it ---------------------------------------------------------------------------------


class Rulebook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision may know besides the request: one checked, frozen whole."""

    policy: Policy
    hash: str  # of policy + models.yaml, 16 hex digits
    models: dict[str, Model]  # by id and by alias
    ids: dict[str, str]  # id or alias -> id
    retired: dict[str, str]
    prices: PriceBook
    image_tokens_ceiling: int
    tier_order: tuple[str, ...]  # cheapest first
    tier_of_model: dict[str, str]
    default_tier: str
    default_task: str
    tasks: dict[str, Task]  # never empty
    deadline_s: dict[str, float]  # complete
    difficulty: dict[str, str]  # complete: simple, complex, edge_case -> tier
    source: str = ""  # the file, for messages
    warnings: tuple[str, ...] = ()
