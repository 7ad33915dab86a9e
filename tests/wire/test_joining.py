"""A message as a stream says the same; two halves of an answer become one without a seam."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.assemble import Assembler
from router.wire.joining import can_go_on, frames_of, joined

TEXT = {"type": "text", "text": "Paris."}
BLOCKS: list[dict[str, Any]] = [
    TEXT,
    {"type": "text", "text": "As said.", "citations": [{"type": "char_location", "cited_text": "x"}]},
    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "xyz"},
    {"type": "tool_use", "id": "tu_1", "name": "look_up", "input": {"what": "é", "n": [1, 2]}},
    {"type": "server_tool_use", "id": "st_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "st_1", "content": [{"type": "web_search_result"}]},
    {"type": "something_new", "field": {"a": 1}},
]


def message(*blocks: dict[str, Any], stop: str = "end_turn", output: int = 5) -> bytes:
    usage = {"input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 3}
    fields = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": list(blocks)}
    return msgspec.json.encode({**fields, "stop_reason": stop, "stop_sequence": None, "usage": usage})


def through_a_stream(body: bytes) -> dict[str, Any]:
    assembler = Assembler()
    for frame in frames_of(body):
        assembler.add_all(frame)
    found: dict[str, Any] = msgspec.json.decode(assembler.message())
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=[block["type"] for block in BLOCKS])
def test_a_block_of_every_kind_comes_through_a_stream_as_it_was(block: dict[str, Any]) -> None:
    body = message(block, TEXT)
    assert msgspec.json.decode(body) == through_a_stream(body)


@given(st.lists(st.sampled_from(BLOCKS), max_size=6), st.sampled_from(["end_turn", "max_tokens", "refusal"]))
def test_any_message_comes_through_a_stream_as_it_was(blocks: list[dict[str, Any]], stop: str) -> None:
    body = message(*blocks, stop=stop)
    assert msgspec.json.decode(body) == through_a_stream(body)


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("The quick brown", " fox jumps.", "The quick brown fox jumps."),
        ("The quick brown fox", "quick brown fox jumps.", "The quick brown fox jumps."),
        ("Half a wo", "rd.", "Half a word."),
        ("a, a, a", "a, a", "a, a, aa, a"),  # too short an overlap to be one
        ("[0, 0, 0, 0, 0, 0, ", "0, 0, 0, 0, 0, 0, 1]", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]"),  # no slip
    ],
)
def test_two_halves_are_joined_without_the_words_said_twice(first: str, second: str, whole: str) -> None:
    one, other = ({"type": "text", "text": half} for half in (first, second))
    said = msgspec.json.decode(joined(message(one, stop="max_tokens"), message(other)) or b"{}")
    assert [{"type": "text", "text": whole}] == said["content"]
    assert ("end_turn", 20, 10, 6) == (
        said["stop_reason"],
        said["usage"]["input_tokens"],
        said["usage"]["output_tokens"],
        said["usage"]["cache_read_input_tokens"],
    )


@pytest.mark.parametrize(
    ("blocks", "goes_on"),
    [
        ([TEXT], True),
        ([BLOCKS[2], TEXT], True),
        ([], False),
        ([{"type": "text", "text": " \n"}], False),
        ([TEXT, BLOCKS[4]], False),
        ([BLOCKS[4], TEXT], False),
        ([BLOCKS[2]], False),
    ],
)
def test_only_an_answer_that_was_cut_off_in_a_text_can_go_on(blocks: list[dict[str, Any]], goes_on: bool) -> None:
    assert (can_go_on(message(*blocks, stop="max_tokens")) is not None) == goes_on


def test_data_is_joined_to_the_letter() -> None:
    first, second = (message({"type": "text", "text": half}) for half in ("The quick brown fox", "quick brown fox."))
    said = msgspec.json.decode(joined(first, second, exact=True) or b"{}")
    assert "The quick brown foxquick brown fox." == said["content"][0]["text"]


def test_a_half_that_does_more_than_talk_is_not_joined() -> None:
    assert joined(message(TEXT, stop="max_tokens"), message(TEXT, BLOCKS[4], stop="tool_use")) is None
