"""Tokens are counted by the formula of the documentation, and every change of a prompt shows in its digests."""

from __future__ import annotations

from typing import Any

import pytest

from router.standin.models import MODELS, Model
from router.standin.prompt import positions, read_prompt, total_tokens

from .scene import body, says

HAIKU = MODELS["claude-haiku-5-5"]
TOOL = {"name": "look", "input_schema": {"type": "object"}}  # 48 characters of JSON


def counted(fields: dict[str, Any], model: Model = HAIKU) -> int:
    return total_tokens(read_prompt(fields, model))


def digests(fields: dict[str, Any]) -> list[bytes]:
    return [position.digest for position in positions(read_prompt(fields, HAIKU), fields, HAIKU)]


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        (body(messages=says("a" * 25)), 10 + 3),
        (body(messages=says("a" * 26)), 11 + 3),
        (body(messages=says("ä" * 25)), 10 + 3),
        (body(messages=says("a" * 25), system="b" * 5), 10 + 3 + 2),
        (body(messages=says("a"), tools=[TOOL]), 1 + 3 + 20 + 286),
        (body(messages=says("a"), tools=[TOOL], tool_choice={"type": "any"}), 1 + 3 + 20 + 286 + 120),
        (body(messages=[{"role": "user", "content": [{"type": "image", "source": {}}]}]), 1600 + 3),
        (body(messages=[{"role": "user", "content": [{"type": "document", "source": {}}]}]), 3000 + 3),
    ],
)
def test_tokens_follow_the_formula(fields: dict[str, Any], tokens: int) -> None:
    assert tokens == counted(fields)


def test_the_tokenizer_before_opus_4_7_counts_less() -> None:
    fields = body(messages=says("a" * 3250))
    assert (1300 + 3, 1000 + 3) == (counted(fields), counted(fields, MODELS["claude-haiku-4-5"]))


def test_a_mark_is_no_part_of_what_is_cached() -> None:
    plain = {"type": "text", "text": "s"}
    marked = plain | {"cache_control": {"type": "ephemeral"}}
    assert digests(body(system=[plain])) == digests(body(system=[marked]))


def test_a_string_and_its_one_block_are_the_same_prefix() -> None:
    assert digests(body(system="s")) == digests(body(system=[{"type": "text", "text": "s"}]))


@pytest.mark.parametrize(
    ("change", "unchanged"),
    [
        ({}, 3),
        ({"messages": says("other")}, 2),
        ({"tool_choice": {"type": "any"}}, 2),
        ({"tool_choice": {"type": "auto"}}, 3),
        ({"output_config": {"effort": "high"}}, 2),
        ({"output_config": {"effort": "medium"}}, 3),
        ({"thinking": {"type": "adaptive"}}, 2),
        ({"system": "other"}, 1),
        ({"tools": [TOOL | {"description": "d"}]}, 0),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, 0),
    ],
)
def test_a_change_invalidates_its_level_and_all_after_it(change: dict[str, Any], unchanged: int) -> None:
    """The prefix is one tool, one system block, one message; `unchanged` of them keep their digest."""
    before = digests(body(system="s", tools=[TOOL]))
    after = digests(body(system="s", tools=[TOOL]) | change)
    same = [old == new for old, new in zip(before, after, strict=True)]
    assert [True] * unchanged + [False] * (3 - unchanged) == same


def test_automatic_caching_marks_the_last_block_that_can_be_marked() -> None:
    answer = {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "x"}]}
    blocks = read_prompt(body(messages=[*says("a"), answer], cache_control={"type": "ephemeral"}), HAIKU)
    assert ["5m", None] == [block.mark for block in blocks]
