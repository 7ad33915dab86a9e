"""models.yaml and prices.yaml as frozen records: what each model takes and refuses, and what it costs.

Rule: shape, defaults and per-field bounds only; checks across fields live in policyfile/.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .part import EffortLevel, Part


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
    released: Annotated[
        str | None,
        Meta(description="The day (YYYY-MM-DD) it came out: what was measured before that was another model."),
    ] = None
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
