"""An event run put together is the message that the API would have sent without streaming."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import WireError
from router.wire.assemble import Assembler
from router.wire.reply import read_reply

from .samples import (
    MESSAGE,
    PING,
    RUN,
    STOP,
    USAGE,
    block_start,
    block_stop,
    delta,
    ending,
    event,
    start,
    streamed,
    whole_messages,
)


def assembled(*frames: bytes) -> bytes:
    assembler = Assembler()
    for frame in frames:
        assembler.add(frame)
    return assembler.message()


def message_of(*frames: bytes) -> dict[str, Any]:
    message: dict[str, Any] = msgspec.json.decode(assembled(*frames))
    return message


def content_of(*frames: bytes) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = message_of(start(), *frames, ending(), STOP)["content"]
    return content


def test_a_plain_run_is_the_plain_message() -> None:
    assert MESSAGE == message_of(*RUN)
    assert list(MESSAGE) == list(message_of(*RUN)), "in the order in which the API writes it"
    assembler = Assembler()
    assembler.add_all(b"".join(RUN[:3]))
    assembler.add_all(b"".join(RUN[3:]))
    assert assembled(*RUN) == assembler.message()


@given(whole_messages, st.integers(1, 5))
@settings(max_examples=20)
def test_any_message_streamed_and_put_together_is_the_message_again(message: dict[str, Any], piece: int) -> None:
    assert message == message_of(*streamed(message, piece))


def test_a_tool_s_input_is_the_model_s_own_bytes() -> None:
    tool = block_start(0, type="tool_use", id="t", name="n", input={})
    parts = [delta(kind="input_json_delta", partial_json=part) for part in ("", '{"b": 1.', '50, "a":2}')]
    body = assembled(start(), tool, *parts, block_stop(), ending(), STOP)
    assert b'"input":{"b": 1.50, "a":2}' in body


@pytest.mark.parametrize("parts", [[], [""], ['{"a": "b'], ["{", "}", "}"], ["\x00"], ["[" * 5000]])
def test_a_tool_s_input_that_was_cut_off_is_empty_and_the_message_still_json(parts: list[str]) -> None:
    tool = block_start(0, type="tool_use", id="t", name="n", input={})
    deltas = [delta(kind="input_json_delta", partial_json=part) for part in parts]
    assert [{"type": "tool_use", "id": "t", "name": "n", "input": {}}] == content_of(tool, *deltas, block_stop())


def test_thinking_keeps_its_signature_and_a_compaction_its_content() -> None:
    assert [
        {"type": "thinking", "thinking": "so ", "signature": "sig"},
        {"type": "compaction", "content": "c", "encrypted_content": "e"},
    ] == content_of(
        block_start(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking=""),
        delta(0, "thinking_delta", thinking="so "),
        delta(0, "signature_delta", signature="sig"),
        block_stop(0),
        block_start(1, type="compaction", content=None),
        delta(1, "compaction_delta", content="c", encrypted_content="e"),
        block_stop(1),
    )


@pytest.mark.parametrize("begun", [[], None, [{"n": 0}]])
def test_citations_follow_those_that_the_block_began_with(begun: list[object] | None) -> None:
    assert [{"type": "text", "text": "a", "citations": [*(begun or []), {"n": 1}, {"n": 2}]}] == content_of(
        block_start(0, type="text", text="", citations=begun),
        delta(0, "citations_delta", citation={"n": 1}),
        delta(0, text="a"),
        delta(0, "citations_delta", citation={"n": 2}),
        block_stop(0),
    )


def test_what_we_do_not_know_is_kept_or_passed_over() -> None:
    frames = [
        start(new={"a": 1}, usage={**USAGE, "moon_tokens": 3, "output_tokens": 1}),
        block_start(0, type="moon", phase="full"),
        delta(0, "moon_delta", phase="half", citation={"n": 1}),
        delta(0, "citations_delta", new={"n": 1}),
        event("moon", index=5),
        PING,
        block_stop(0),
        event("message_delta", delta={"stop_reason": "a_new_one", "extra": 1}, usage={"output_tokens": 9}, whole="yes"),
        STOP,
    ]
    assert {
        **MESSAGE,
        "content": [{"type": "moon", "phase": "full"}],
        "stop_reason": "a_new_one",
        "new": {"a": 1},
        "extra": 1,
        "whole": "yes",
        "usage": {"input_tokens": 10, "moon_tokens": 3, "output_tokens": 9},
    } == message_of(*frames)


def test_a_null_in_the_ending_takes_nothing_back() -> None:
    message = message_of(
        start(container={"id": "c"}, usage={**USAGE, "cache_read_input_tokens": 4}),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None, "container": None, "stop_details": None},
            usage={"output_tokens": 5, "cache_read_input_tokens": None},
        ),
        event("message_delta", delta=None, usage=None),
        STOP,
    )
    assert {
        **MESSAGE,
        "content": [],
        "container": {"id": "c"},
        "stop_details": None,
        "usage": {**USAGE, "cache_read_input_tokens": 4},
    } == message


def test_after_a_fallback_the_message_names_the_model_that_answered() -> None:
    hop = block_start(0, type="fallback", to={"model": "claude-opus-5-5"})
    assert "claude-opus-5-5" == message_of(start(), hop, block_stop(), ending(), STOP)["model"]
    for odd in ({"model": 5}, {}, "claude-opus-5-5", None):
        hop = block_start(0, type="fallback", to=odd)
        assert "claude-haiku-5-5" == message_of(start(), hop, block_stop(), ending(), STOP)["model"]
    hop = block_start(0, type="fallback")
    assert "claude-haiku-5-5" == message_of(start(), hop, block_stop(), ending(), STOP)["model"]


@given(whole_messages)
@settings(max_examples=20)
def test_what_is_put_together_is_read_as_a_whole_answer(message: dict[str, Any]) -> None:
    assert message["stop_reason"] == read_reply(assembled(*streamed(message))).stop_reason


@pytest.mark.parametrize(
    "frame",
    [
        b"event: message_start\ndata: x\n\n",
        b"event: message_start\ndata: []\n\n",
        event("message_start"),
        event("message_start", message={}),
        event("message_start", message={"usage": 5}),
        event("content_block_start", index=0),
        event("content_block_start", index=0, content_block=5),
        b'event: message_start\ndata: {"message":' + b"[" * 100_000 + b"\n\n",
        b'event: message_start\ndata: {"message":{"usage":{"\xff":1}}}\n\n',
        delta(),
    ],
)
def test_what_cannot_be_put_together_is_an_error(frame: bytes) -> None:
    with pytest.raises(WireError, match="cannot be put together"):
        Assembler().add(frame)


def test_without_a_beginning_there_is_no_message() -> None:
    with pytest.raises(WireError, match="no message_start"):
        Assembler().message()
    with pytest.raises(WireError, match="no message_start"):
        assembled(PING, STOP)
