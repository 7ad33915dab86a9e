"""The models that the stand-in plays: what each takes, refuses and costs.

Rule: this table is the stand-in's own and is written from the public documentation. It shares
nothing with the policies of whoever calls it, so that a mistake in one is caught by the other.
Prices are pico-dollars (1e-12 USD) a token: one dollar a million tokens is 1,000,000 of them.
"""

from __future__ import annotations

import msgspec

PICO_PER_USD = 1_000_000_000_000
DOLLAR_A_MILLION = 1_000_000

EFFORTS = ("low", "medium", "high", "xhigh", "max")
OLD_TOKENIZER = 3250  # characters in a thousand tokens, before Opus 4.7
NEW_TOKENIZER = 2500


class Price(msgspec.Struct, frozen=True):
    """Pico-dollars a token."""

    input: int
    output: int
    write_5m: int
    write_1h: int
    read: int


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model. The defaults are those of the 5.5 generation."""

    id: str
    name: str
    line: str
    created: str
    price: Price
    bucket: str = ""  # models that share a rate limit name the same one; "" is a bucket of its own
    cache_minimum: int = 512
    context: int = 1_000_000
    max_output: int = 128_000
    characters_in_1000_tokens: int = NEW_TOKENIZER
    thinking: tuple[str, ...] = ("adaptive",)
    default_thinking: str = "adaptive"
    efforts: tuple[str, ...] = EFFORTS
    default_effort: str = "high"
    forced_tools: bool = False
    free_sampling: bool = False  # with anthropic-version 2023-06-01; the newer version refuses all
    haiku_sampling: bool = False  # temperature 1, top_p 0.99, top_k never
    prefill: bool = False
    system_turns: bool = True
    geo: bool = True
    fast: str = "no"  # no | yes | beta
    reads: tuple[str, ...] = ()  # models whose thinking blocks it reads, and refuses when they were moved
    long_prompt_tokens: int | None = None  # above it, every token of the request costs `long_prompt_factor`
    long_prompt_factor: int = 1
    deprecated_at_ms: int | None = None
    retires_at_ms: int | None = None


def dollars(prompt: float, output: float, write_5m: float, write_1h: float, read: float) -> Price:
    """A price as the price list prints it: dollars a million tokens."""
    return Price(*(round(amount * DOLLAR_A_MILLION) for amount in (prompt, output, write_5m, write_1h, read)))


HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
FABLE, MYTHOS = "claude-fable-5-2", "claude-mythos-5-2"

CURRENT = (
    Model(
        id=HAIKU, name="Claude Haiku 5.5", line="haiku", created="2026-10-07",
        price=dollars(0.10, 0.50, 0.125, 0.20, 0.01), thinking=("adaptive", "disabled"), default_effort="medium",
        forced_tools=True, haiku_sampling=True, reads=(HAIKU,), long_prompt_tokens=100_000, long_prompt_factor=5,
    ),
    Model(
        id=SONNET, name="Claude Sonnet 5.5", line="sonnet", created="2026-09-28",
        price=dollars(2, 10, 2.5, 4, 0.10), thinking=("adaptive", "between_tools"), reads=(HAIKU, SONNET),
    ),
    Model(
        id=OPUS, name="Claude Opus 5.5", line="opus", created="2026-09-22",
        price=dollars(4, 20, 5, 8, 0.20), default_effort="medium", fast="yes", reads=(HAIKU, SONNET, OPUS),
    ),
    Model(
        id=FABLE, name="Claude Fable 5.2", line="fable", created="2026-11-09",
        price=dollars(8, 40, 10, 16, 0.20), bucket="fable-5", reads=(FABLE, MYTHOS),
    ),
    Model(
        id=MYTHOS, name="Claude Mythos 5.2", line="mythos", created="2026-11-09",
        price=dollars(8, 40, 10, 16, 0.20), reads=(FABLE, MYTHOS),
    ),
)  # fmt: skip

OPUS_4_PRICE = dollars(5, 25, 6.25, 10, 0.50)
THINKS_IF_ASKED = ("adaptive", "disabled")
OLD_THINKING = ("enabled", "disabled")

LEGACY = (
    Model(
        id="claude-fable-5-1", name="Claude Fable 5.1", line="fable", created="2026-09-01",
        price=dollars(10, 50, 12.5, 20, 0.25), bucket="fable-5", reads=(OPUS, "claude-fable-5-1"),
    ),
    Model(
        id="claude-fable-5", name="Claude Fable 5", line="fable", created="2026-06-09",
        price=dollars(10, 50, 12.5, 20, 1.00), bucket="fable-5", forced_tools=True,
    ),
    Model(
        id="claude-opus-5", name="Claude Opus 5", line="opus", created="2026-07-24",
        price=OPUS_4_PRICE, thinking=THINKS_IF_ASKED, forced_tools=True, fast="beta",
    ),
    Model(
        id="claude-opus-4-8", name="Claude Opus 4.8", line="opus", created="2026-05-28",
        price=OPUS_4_PRICE, bucket="opus-4", cache_minimum=1024, thinking=THINKS_IF_ASKED,
        default_thinking="disabled", forced_tools=True, fast="beta",
    ),
    Model(
        id="claude-opus-4-7", name="Claude Opus 4.7", line="opus", created="2026-04-16",
        price=OPUS_4_PRICE, bucket="opus-4", cache_minimum=2048, thinking=THINKS_IF_ASKED,
        default_thinking="disabled", forced_tools=True, system_turns=False,
    ),
    Model(
        id="claude-opus-4-6", name="Claude Opus 4.6", line="opus", created="2026-02-05",
        price=OPUS_4_PRICE, bucket="opus-4", cache_minimum=4096, characters_in_1000_tokens=OLD_TOKENIZER,
        thinking=("adaptive", "enabled", "disabled"), default_thinking="disabled", forced_tools=True,
        efforts=("low", "medium", "high", "max"), free_sampling=True, system_turns=False,
    ),
    Model(
        id="claude-opus-4-5", name="Claude Opus 4.5", line="opus", created="2025-11-24",
        price=OPUS_4_PRICE, bucket="opus-4", cache_minimum=4096, characters_in_1000_tokens=OLD_TOKENIZER,
        context=200_000, max_output=64_000, thinking=OLD_THINKING, default_thinking="disabled", forced_tools=True,
        efforts=("low", "medium", "high"), free_sampling=True, prefill=True, system_turns=False, geo=False,
    ),
    Model(
        id="claude-sonnet-5", name="Claude Sonnet 5", line="sonnet", created="2026-06-30",
        price=dollars(2, 10, 2.5, 4, 0.20), cache_minimum=1024, thinking=THINKS_IF_ASKED,
        forced_tools=True, system_turns=False,
    ),
    Model(
        id="claude-sonnet-4-6", name="Claude Sonnet 4.6", line="sonnet", created="2026-02-17",
        price=dollars(3, 15, 3.75, 6, 0.30), bucket="sonnet-4", cache_minimum=1024,
        characters_in_1000_tokens=OLD_TOKENIZER, thinking=("adaptive", "enabled", "disabled"),
        default_thinking="disabled", forced_tools=True, efforts=("low", "medium", "high", "max"),
        free_sampling=True, system_turns=False,
    ),
    Model(
        id="claude-sonnet-4-5", name="Claude Sonnet 4.5", line="sonnet", created="2025-09-29",
        price=dollars(3, 15, 3.75, 6, 0.30), bucket="sonnet-4", cache_minimum=1024,
        characters_in_1000_tokens=OLD_TOKENIZER, context=200_000, max_output=64_000, thinking=OLD_THINKING,
        default_thinking="disabled", forced_tools=True, efforts=(), free_sampling=True, prefill=True,
        system_turns=False, geo=False,
        deprecated_at_ms=1_790_726_400_000, retires_at_ms=1_795_996_800_000,  # 2026-09-30, 2026-11-30 UTC
    ),
    Model(
        id="claude-haiku-4-5", name="Claude Haiku 4.5", line="haiku", created="2025-10-15",
        price=dollars(1, 5, 1.25, 2, 0.10), cache_minimum=4096, characters_in_1000_tokens=OLD_TOKENIZER,
        context=200_000, max_output=64_000, thinking=OLD_THINKING, default_thinking="disabled", forced_tools=True,
        efforts=(), free_sampling=True, prefill=True, system_turns=False, geo=False,
    ),
)  # fmt: skip

MODELS: dict[str, Model] = {model.id: model for model in (*CURRENT, *LEGACY)}

DATED = {
    "claude-opus-4-5-20251101": "claude-opus-4-5",
    "claude-sonnet-4-5-20250929": "claude-sonnet-4-5",
    "claude-haiku-4-5-20251001": "claude-haiku-4-5",
}


def find(name: str, now_ms: int) -> Model | None:
    """The model that answers to this name today; None when there never was one or it is retired."""
    model = MODELS.get(name) or MODELS.get(DATED.get(name, ""))
    if model is None or (model.retires_at_ms is not None and now_ms >= model.retires_at_ms):
        return None
    return model
