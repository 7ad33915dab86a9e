"""The API's usage objects as disjoint token classes: never below what was seen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import WireError
from router.vocabulary import Usage
from router.wire.usage import UsageFields, merged, usage_of

from .samples import json


def fields(**given_: object) -> UsageFields:
    return msgspec.json.decode(json(given_), type=UsageFields)


def test_every_class_of_tokens_is_read() -> None:
    read = usage_of(
        fields(
            input_tokens=1,
            output_tokens=20,
            cache_creation_input_tokens=7,
            cache_read_input_tokens=4,
            cache_creation={"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2},
            output_tokens_details={"thinking_tokens": 9},
            inference_geo="us",
            speed="fast",
            service_tier="standard",
            server_tool_use={"web_search_requests": 2, "web_fetch_requests": 1, "other": None},
            iterations=[{"type": "message"}],
        )
    )
    assert (
        Usage(
            input_tokens=1,
            output_tokens=20,
            cache_read_tokens=4,
            cache_write_5m_tokens=5,
            cache_write_1h_tokens=2,
            thinking_tokens=9,
            inference_geo="us",
            speed="fast",
            service_tier="standard",
            server_tool_requests=3,
        )
        == read
    )


def test_what_is_not_given_is_nothing() -> None:
    nothing = fields(
        input_tokens=3,
        output_tokens=None,
        cache_creation=None,
        cache_creation_input_tokens=None,
        output_tokens_details=None,
        server_tool_use=None,
        speed=None,
    )
    assert Usage(input_tokens=3) == usage_of(nothing) == usage_of(fields(input_tokens=3))


@pytest.mark.parametrize(
    ("total", "split", "expected"),
    [
        (7, {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, (5, 2)),
        (10, {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, (5, 5)),
        (10, {"ephemeral_5m_input_tokens": 5}, (5, 5)),
        (10, {}, (0, 10)),
        (10, None, (10, 0)),
        (3, {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, (5, 2)),
        (None, {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, (5, 2)),
        (None, None, (0, 0)),
    ],
)
def test_what_the_split_of_cache_writes_leaves_over_counts_as_the_dearer_hour(
    total: int | None, split: dict[str, int] | None, expected: tuple[int, int]
) -> None:
    read = usage_of(fields(cache_creation_input_tokens=total, cache_creation=split))
    assert expected == (read.cache_write_5m_tokens, read.cache_write_1h_tokens)


@pytest.mark.parametrize("figure", [-1, 2**53, 10**30])
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("input_tokens", "{}"),
        ("output_tokens", "{}"),
        ("cache_read_input_tokens", "{}"),
        ("cache_creation_input_tokens", "{}"),
        ("cache_creation", '{{"ephemeral_5m_input_tokens":{}}}'),
        ("cache_creation", '{{"ephemeral_1h_input_tokens":{}}}'),
        ("output_tokens_details", '{{"thinking_tokens":{}}}'),
    ],
)
def test_a_count_that_cannot_be_is_an_error_that_names_its_field(name: str, shape: str, figure: int) -> None:
    read = msgspec.json.decode(f'{{"{name}":{shape.format(figure)}}}', type=UsageFields)
    with pytest.raises(WireError, match=rf"^usage\.{name}: "):
        usage_of(read)


def test_what_else_tools_report_of_their_use_is_no_count() -> None:
    odd = {"web_search_requests": 2, "new": {"calls": 5}, "negative": -4, "flag": True, "text": "3"}
    assert 2 == usage_of(fields(server_tool_use=odd)).server_tool_requests


def test_a_split_is_merged_part_by_part() -> None:
    early = fields(input_tokens=1, cache_creation={"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2})
    late = fields(output_tokens=3, cache_creation={"ephemeral_1h_input_tokens": 4})
    read = usage_of(merged(early, late))
    assert (1, 3, 5, 4) == (
        read.input_tokens,
        read.output_tokens,
        read.cache_write_5m_tokens,
        read.cache_write_1h_tokens,
    )


figures = st.none() | st.integers(0, 1000)
usages = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": figures,
        "output_tokens": figures,
        "cache_read_input_tokens": figures,
        "cache_creation_input_tokens": figures,
        "cache_creation": st.none()
        | st.fixed_dictionaries({"ephemeral_5m_input_tokens": figures, "ephemeral_1h_input_tokens": figures}),
        "service_tier": st.sampled_from([None, "standard", "batch"]),
    },
)


@given(st.lists(usages, min_size=1, max_size=4))
@settings(max_examples=60)
def test_wherever_a_field_arrives_its_last_figure_counts(reports: list[dict[str, Any]]) -> None:
    total = fields()
    last: dict[str, Any] = {}
    split: dict[str, int] = {}
    for report in reports:
        total = merged(total, fields(**report))
        last |= {name: value for name, value in report.items() if value is not None}
        split |= {name: count for name, count in (report.get("cache_creation") or {}).items() if count is not None}
    read = usage_of(total)
    assert (last.get("input_tokens", 0), last.get("output_tokens", 0), last.get("cache_read_input_tokens", 0)) == (
        read.input_tokens,
        read.output_tokens,
        read.cache_read_tokens,
    )
    written = read.cache_write_5m_tokens + read.cache_write_1h_tokens
    assert max(last.get("cache_creation_input_tokens", 0), sum(split.values())) == written, "no token is lost"
    assert read.cache_write_1h_tokens >= split.get("ephemeral_1h_input_tokens", 0)
    assert last.get("service_tier") == read.service_tier
