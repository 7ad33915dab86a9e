"""Cost is exact and linear, never guesses low, and stays below what was held."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from router.decide.policy import PriceBook, Rates
from router.decide.price import (
    OVERHEAD_TOKENS,
    cost,
    input_estimate,
    prompt_tokens_ceiling,
    worst_pico,
    written_pico,
)
from router.policyfile import BUNDLED, DEFAULT_POLICY, load
from router.vocabulary import Cost, Facts, Usage

RULES = load(DEFAULT_POLICY)
BOOK = RULES.prices
NOW_MS = 1_795_000_000_000  # 2026-11-18
CLASSES = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "read",
    "cache_write_5m_tokens": "write_5m",
    "cache_write_1h_tokens": "write_1h",
}
MODELS = sorted(RULES.ids)
HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
OCT_6_MS, OCT_7_MS = 1_791_331_199_999, 1_791_331_200_000  # the last of one day, the first of the next (UTC)
TOKENS = st.integers(0, 1_000_000)
USAGES = st.builds(Usage, **dict.fromkeys(CLASSES, TOKENS))


def _usd(amount: str) -> int:
    return int(Decimal(amount) * 10**12)


def test_a_request_on_each_current_model_costs_what_the_price_list_says() -> None:
    usage = Usage(input_tokens=1000, output_tokens=100)
    assert Cost(pico=_usd("0.00015")) == cost(usage, HAIKU, BOOK, NOW_MS)
    assert Cost(pico=_usd("0.003")) == cost(usage, SONNET, BOOK, NOW_MS)
    assert Cost(pico=_usd("0.006")) == cost(usage, OPUS, BOOK, NOW_MS)
    assert Cost(pico=_usd("0.012")) == cost(usage, "claude-fable-5-2", BOOK, NOW_MS)


def test_the_long_band_of_haiku_begins_above_100000_prompt_tokens_cached_ones_included() -> None:
    at = Usage(input_tokens=1, cache_read_tokens=99_998, cache_write_5m_tokens=1, output_tokens=10)
    above = msgspec.structs.replace(at, cache_write_1h_tokens=1)
    assert 100_000 + 99_998 * 10_000 + 125_000 + 10 * 500_000 == cost(at, HAIKU, BOOK, NOW_MS).pico
    assert 500_000 + 99_998 * 50_000 + 625_000 + 1_000_000 + 10 * 2_500_000 == cost(above, HAIKU, BOOK, NOW_MS).pico


def test_the_cut_of_sonnets_cache_reads_begins_with_its_day() -> None:
    usage = Usage(cache_read_tokens=1_000_000)
    assert _usd("0.20") == cost(usage, SONNET, BOOK, OCT_6_MS).pico
    assert _usd("0.10") == cost(usage, SONNET, BOOK, OCT_7_MS).pico


def test_us_costs_a_tenth_more_batch_half_and_both_multiply() -> None:
    usage = Usage(input_tokens=1_000_000, inference_geo="us")
    assert _usd("2.20") == cost(usage, SONNET, BOOK, NOW_MS).pico
    assert _usd("1.10") == cost(usage, SONNET, BOOK, NOW_MS, batch=True).pico
    assert Cost(pico=_usd("2")) == cost(msgspec.structs.replace(usage, inference_geo="global"), SONNET, BOOK, NOW_MS)


def test_fast_costs_its_own_price_and_standard_is_no_speed_at_all() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cache_read_tokens=1_000_000, speed="fast")
    assert Cost(pico=_usd("48.40")) == cost(usage, OPUS, BOOK, NOW_MS)
    assert Cost(pico=_usd("24.20")) == cost(msgspec.structs.replace(usage, speed="standard"), OPUS, BOOK, NOW_MS)


@pytest.mark.parametrize(
    ("usage", "model", "at_ms", "note"),
    [
        (Usage(input_tokens=1), "claude-next", NOW_MS, "no price is known for the model: the dearest one stands in"),
        (Usage(input_tokens=1), OPUS, 0, "no price is known for that day: the oldest one stands in"),
        (
            Usage(input_tokens=1, speed="fast"),
            SONNET,
            NOW_MS,
            "no price is known for the speed: the dearest one stands in",
        ),
        (
            Usage(input_tokens=1, speed="warp"),
            OPUS,
            NOW_MS,
            "no price is known for the speed: the dearest one stands in",
        ),
        (
            Usage(input_tokens=1, inference_geo="eu"),
            OPUS,
            NOW_MS,
            "no price is known for the region: the dearest one stands in",
        ),
        (
            Usage(input_tokens=1, server_tool_requests=2),
            OPUS,
            NOW_MS,
            "server tool requests are billed apart and are not in this figure",
        ),
    ],
)
def test_what_has_no_price_is_marked_as_inexact_and_never_looks_cheap(
    usage: Usage, model: str, at_ms: int, note: str
) -> None:
    priced = cost(usage, model, BOOK, at_ms)
    assert (False, note) == (priced.exact, priced.note)
    known = model if model in BOOK.by_model else OPUS
    assert priced.pico >= cost(Usage(input_tokens=1), known, BOOK, NOW_MS).pico > 0


def test_an_unknown_model_costs_at_least_what_any_known_one_does() -> None:
    usage = msgspec.structs.replace(Usage(), **dict.fromkeys(CLASSES, 1000))
    unknown = cost(usage, "claude-next", BOOK, NOW_MS).pico
    assert all(unknown >= cost(usage, model, BOOK, NOW_MS).pico for model in MODELS)


@given(USAGES, st.sampled_from(MODELS), st.sampled_from(sorted(CLASSES)), st.integers(1, 1000))
def test_within_a_band_cost_is_linear_in_each_class_of_tokens(usage: Usage, model: str, name: str, more: int) -> None:
    def band(one: Usage) -> bool:
        return model == HAIKU and one.prompt_tokens > 100_000

    longer = msgspec.structs.replace(usage, **{name: getattr(usage, name) + more})
    if band(usage) != band(longer):
        return
    price = BOOK.by_model[model][0]
    rates = price.long if band(usage) else price.rates
    assert isinstance(rates, Rates)
    step = more * int(getattr(rates, CLASSES[name]))
    assert step == cost(longer, model, BOOK, NOW_MS).pico - cost(usage, model, BOOK, NOW_MS).pico


def _entries() -> list[tuple[str, dict[str, object], str | None, str | None]]:
    """Every price of prices.yaml as it is written: model, amounts, band, since."""
    yaml = YAML(typ="safe", pure=True)
    found: list[tuple[str, dict[str, object], str | None, str | None]] = []
    for model, entries in yaml.load(BUNDLED / "prices.yaml")["models"].items():
        for entry in entries:
            bands = [(None, entry), *((band, entry[band]) for band in ("long", "fast") if band in entry)]
            found += [(model, amounts, band, str(entry["since"])) for band, amounts in bands]
    return found


@pytest.mark.parametrize("geo", [None, "global", "us"])
@pytest.mark.parametrize("batch", [False, True])
def test_cost_is_exact_against_decimal_arithmetic_for_every_price_and_modifier(geo: str | None, batch: bool) -> None:
    percent = Decimal("1.1" if geo == "us" else "1") * Decimal("0.5" if batch else "1")
    tokens = {name: 7 + 1_000 * number for number, name in enumerate(CLASSES)}
    for model, amounts, band, since in _entries():
        at_ms = next(price.since_ms for price in BOOK.by_model[model] if _day(price.since_ms) == since)
        counts = tokens | ({"input_tokens": 100_001} if band == "long" else {})
        usage = msgspec.structs.replace(Usage(inference_geo=geo, speed="fast" if band == "fast" else None), **counts)
        expected = sum(counts[name] * Decimal(str(amounts[CLASSES[name]])) for name in CLASSES) * percent * 10**6
        assert Cost(pico=int(expected)) == cost(usage, model, BOOK, at_ms, batch)
        assert expected == int(expected)


def _day(since_ms: int) -> str:
    return str(datetime.fromtimestamp(since_ms / 1000, UTC).date())


FACTS = st.builds(
    Facts,
    body_bytes=st.integers(0, 400_000),
    tools_bytes=st.integers(0, 60_000),
    system_bytes=st.integers(0, 60_000),
    messages_bytes=st.integers(0, 60_000),
    image_count=st.integers(0, 5),
    document_count=st.sampled_from([0, 0, 0, 1]),
    mark_ttls=st.sampled_from([(), ("5m",), ("1h", "5m")]),
    speed=st.sampled_from([None, "standard", "fast"]),
    inference_geo=st.sampled_from([None, "global", "us"]),
)


@given(
    FACTS,
    st.sampled_from(MODELS),
    st.integers(0, 200_000),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.data(),
)
def test_no_usage_within_its_bounds_costs_more_than_was_held(
    facts: Facts, model: str, max_tokens: int, shares: list[float], data: st.DataObject
) -> None:
    known = RULES.models[model]
    left = prompt_tokens_ceiling(facts, known, RULES.image_tokens_ceiling)
    prompt: dict[str, int] = {}
    for name, share in zip(("input_tokens", "cache_read_tokens", "cache_write_5m_tokens"), shares, strict=False):
        prompt[name] = int(left * share)
        left -= prompt[name]
    last = "cache_write_1h_tokens" if "1h" in facts.mark_ttls else "cache_write_5m_tokens"
    prompt[last] = prompt.get(last, 0) + int(left * shares[4])
    # Where the caller names no region, the workspace's own default decides.
    regions = [facts.inference_geo] if facts.inference_geo else [None, "global", "us" if known.geo else None]
    usage = Usage(
        output_tokens=int(min(max_tokens, known.max_output) * shares[5]),
        inference_geo=data.draw(st.sampled_from(regions)),
        speed=data.draw(st.sampled_from([facts.speed, None])),
    )
    usage = msgspec.structs.replace(usage, **prompt)
    for at_ms in (0, OCT_6_MS, NOW_MS):
        assert cost(usage, model, BOOK, at_ms).pico <= worst_pico(facts, model, max_tokens, RULES, at_ms)


def test_the_worst_case_of_a_small_request_is_its_bytes_written_to_the_cache_and_all_its_output() -> None:
    facts = Facts(body_bytes=500, tools_bytes=100, system_bytes=100, messages_bytes=200, inference_geo="global")
    prompt_tokens = 500 + OVERHEAD_TOKENS
    assert prompt_tokens * 2_500_000 + 64 * 10_000_000 == worst_pico(facts, SONNET, 64, RULES, NOW_MS)
    hour = msgspec.structs.replace(facts, mark_ttls=("5m", "1h"))
    assert prompt_tokens * 4_000_000 + 64 * 10_000_000 == worst_pico(hour, SONNET, 64, RULES, NOW_MS)
    anywhere = msgspec.structs.replace(facts, inference_geo=None)
    assert (prompt_tokens * 2_500_000 + 64 * 10_000_000) * 11 // 10 == worst_pico(anywhere, SONNET, 64, RULES, NOW_MS)


def test_the_worst_case_keeps_to_the_window_and_to_the_longest_output() -> None:
    facts = Facts(body_bytes=30_000_000, inference_geo="global")
    assert 200_000 * 1_250_000 + 64_000 * 5_000_000 == worst_pico(facts, "claude-haiku-4-5", 10**6, RULES, NOW_MS)


def test_the_worst_case_takes_the_long_band_when_the_bound_passes_it() -> None:
    below, above = (Facts(body_bytes=size, inference_geo="global") for size in (99_000, 99_001))
    assert 100_000 * 125_000 + 10 * 500_000 == worst_pico(below, HAIKU, 10, RULES, NOW_MS)
    assert 100_001 * 625_000 + 10 * 2_500_000 == worst_pico(above, HAIKU, 10, RULES, NOW_MS)


def test_images_are_bounded_by_the_ceiling_and_a_document_by_the_window_alone() -> None:
    model = RULES.models[HAIKU]
    assert 100 + OVERHEAD_TOKENS + 2 * 5_000 == prompt_tokens_ceiling(
        Facts(body_bytes=100, image_count=2), model, 5_000
    )
    assert model.context == prompt_tokens_ceiling(Facts(body_bytes=100, document_count=1), model, 5_000)


def test_the_estimate_is_two_and_a_half_characters_a_token_and_a_quarter_of_the_ceiling_an_image() -> None:
    assert 0 == input_estimate(Facts())
    assert 400 == input_estimate(Facts(tools_bytes=500, system_bytes=250, messages_bytes=250))
    assert 1 == input_estimate(Facts(messages_bytes=1))
    assert RULES.image_tokens_ceiling // 4 == input_estimate(Facts(image_count=1))


def test_a_price_that_would_not_come_out_even_is_rounded_up_never_down() -> None:
    odd = Rates(input=1, output=1, write_5m=1, write_1h=1, read=1)
    price = msgspec.structs.replace(BOOK.by_model[HAIKU][0], rates=odd, long=None)
    book = PriceBook(hash="", by_model={"m": (price,)}, geo_percent={"us": 110})
    assert 2 == cost(Usage(input_tokens=1, inference_geo="us"), "m", book, NOW_MS).pico


def test_a_negative_count_is_an_error_not_a_refund() -> None:
    with pytest.raises(AssertionError, match="below zero"):
        cost(Usage(input_tokens=-5), HAIKU, BOOK, NOW_MS)


@given(USAGES, st.sampled_from([HAIKU, SONNET, OPUS]))
def test_what_the_writes_cost_is_their_part_of_the_whole(usage: Usage, model: str) -> None:
    """Without caching the same prompt is in the same band: all but the prompt's own classes stays as it was."""
    whole, written = cost(usage, model, BOOK, NOW_MS).pico, written_pico(usage, model, BOOK, NOW_MS)
    read_instead = msgspec.structs.replace(
        usage,
        cache_read_tokens=usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
    )
    assert 0 <= written <= whole
    assert whole - written <= cost(read_instead, model, BOOK, NOW_MS).pico


def test_writes_in_a_long_prompt_are_at_the_long_price() -> None:
    """Haiku's prompt is above 100,000 tokens only with what is written: that changes no other token's class."""
    usage = Usage(cache_read_tokens=99_000, cache_write_5m_tokens=2_000, output_tokens=1_000)
    assert written_pico(usage, HAIKU, BOOK, NOW_MS) == 2_000 * 625_000
