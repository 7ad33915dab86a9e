"""Rows M2 and M4 of the fault matrix: a stream is whole, or it is not; an event is one, and in its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import WireError
from router.vocabulary import Reply, Usage
from router.wire.reading import Reading
from router.wire.reply import outcome_kind, read_reply
from router.wire.sse import encode, parse

from .samples import (
    MESSAGE,
    PING,
    RUN,
    STOP,
    block_start,
    block_stop,
    delta,
    ending,
    event,
    json,
    start,
    streamed,
    values,
    whole_messages,
)

START, OPEN, TEXT, CLOSE, END = start(), block_start(), delta(), block_stop(), ending()
ERROR = event("error", error={"type": "overloaded_error", "message": "secret"})


def read(*frames: bytes) -> Reading:
    reading = Reading()
    for frame in frames:
        reading.observe(frame)
    return reading


def refused(*frames: bytes) -> str:
    """What is said to the last of these events; those before it are fine."""
    reading = read(*frames[:-1])
    with pytest.raises(WireError) as caught:
        reading.observe(frames[-1])
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_a_whole_stream_is_complete_and_gives_the_reply() -> None:
    reading = read(*RUN)
    assert (True, True, True, False, None, 3) == (
        reading.started,
        reading.content_seen,
        reading.complete,
        reading.error_seen,
        reading.error_data,
        reading.streamed_bytes,
    )
    assert (
        Reply(
            usage=Usage(input_tokens=10, output_tokens=5),
            stop_reason="end_turn",
            model="claude-haiku-5-5",
            message_id="msg_1",
        )
        == reading.reply()
    )


def test_before_message_stop_nothing_is_complete() -> None:
    reading = Reading()
    assert (
        Reply(usage=Usage(), stop_reason=None, model="", message_id="", empty=True, complete=False) == reading.reply()
    )
    for frame in RUN[:-1]:
        reading.observe(frame)
        assert (False, False) == (reading.complete, reading.reply().complete)
    assert ("end_turn", 5) == (reading.reply().stop_reason, reading.reply().usage.output_tokens)


def test_started_and_content_are_seen_with_the_event_that_brings_them() -> None:
    reading, seen = Reading(), []
    for frame in RUN:
        reading.observe(frame)
        seen.append((parse(frame)[0], reading.started, reading.content_seen))
    assert ("message_start", True, False) == seen[0]
    assert ("content_block_start", True, False) == seen[1]
    assert ("content_block_delta", True, True) == seen[3]


@given(whole_messages, st.integers(1, 5))
@settings(max_examples=20)
def test_a_stream_is_read_as_the_whole_message_would_be(message: dict[str, Any], piece: int) -> None:
    reading, whole = read(*streamed(message, piece)), read_reply(json(message))
    assert (True, whole) == (reading.complete, reading.reply())
    assert outcome_kind(whole) == outcome_kind(reading.reply())


@given(st.integers(0, len(RUN)), st.sampled_from([PING, b": comment\n\n", b"\n", event("moon", index="x", usage=5)]))
@settings(max_examples=30)
def test_pings_comments_and_unknown_events_pass_anywhere(place: int, frame: bytes) -> None:
    assert read(*RUN).reply() == read(*RUN[:place], frame, *RUN[place:]).reply()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ((OPEN,), "content_block_start before message_start"),
        ((TEXT,), "content_block_delta before message_start"),
        ((CLOSE,), "content_block_stop before message_start"),
        ((END,), "message_delta before message_start"),
        ((STOP,), "message_stop before message_start"),
        ((START, START), "a second message_start, or one without an empty message"),
        ((START, TEXT), "a delta outside its content block"),
        ((START, CLOSE), "the end of a content block that is not open"),
        ((START, block_start(1)), "a content block out of order"),
        ((START, OPEN, block_start(1)), "a content block out of order"),
        ((START, OPEN, OPEN), "a content block out of order"),
        ((START, OPEN, CLOSE, OPEN), "a content block out of order"),
        ((START, OPEN, CLOSE, block_start(2)), "a content block out of order"),
        ((START, OPEN, CLOSE, TEXT), "a delta outside its content block"),
        ((START, OPEN, delta(1)), "a delta outside its content block"),
        ((START, OPEN, block_stop(1)), "the end of a content block that is not open"),
        ((START, OPEN, END), "message_delta inside a content block"),
        ((START, OPEN, STOP), "message_stop before the message was whole"),
        ((START, STOP), "message_stop before the message was whole"),
        ((START, ending(None), STOP), "message_stop before the message was whole"),
        ((*RUN, TEXT), "content_block_delta after the end of the stream"),
        ((*RUN, STOP), "message_stop after the end of the stream"),
        ((*RUN, START), "message_start after the end of the stream"),
        ((*RUN, ERROR), "an error after the end of the stream"),
        ((START, ERROR, OPEN), "content_block_start after the end of the stream"),
        ((START, ERROR, ERROR), "an error after the end of the stream"),
    ],
)
def test_an_event_out_of_its_place_is_refused(frames: tuple[bytes, ...], message: str) -> None:
    assert message == refused(*frames)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ((b"event: ping\ndata: secret\n\n",), "an event that is no JSON"),
        ((b'event: ping\ndata: {"a":"\xff"}\n\n',), "not UTF-8"),
        ((b"event: ping\ndata: " + b"[" * 100_000 + b"\n\n",), "an event that is no JSON object with a type"),
        ((b'event: ping\ndata: {"a":' + b"[" * 100_000 + b"\n\n",), "an event that is no JSON"),
        ((b"event: ping\ndata: []\n\n",), "an event that is no JSON object with a type"),
        ((b"event: ping\ndata: {}\n\n",), "an event that is no JSON object with a type"),
        ((b'event: ping\ndata: {"type":5}\n\n',), "an event that is no JSON object with a type"),
        ((event("message_start"),), "a second message_start, or one without an empty message"),
        ((event("message_start", message="secret"),), "a message_start with a field of the wrong type"),
        ((start(id=""),), "not a message of the API: id or model is empty"),
        ((start(type="secret"),), "not a message of the API: type"),
        ((start(usage={}),), "not a message of the API: usage.input_tokens is missing"),
        ((start(usage={"input_tokens": -1}),), "usage.input_tokens: a token count that cannot be"),
        ((start(usage=None),), "a message_start with a field of the wrong type"),
        ((start(content=MESSAGE["content"]),), "a second message_start, or one without an empty message"),
        ((START, event("content_block_start", index=0)), "a content block out of order"),
        ((START, event("content_block_start", index=0, content_block={})), "a content_block_start with a field"),
        ((START, block_start(0, type="text")), "not a message of the API: a text block without its text"),
        ((START, event("content_block_start", index="0")), "a content_block_start with a field of the wrong type"),
        ((START, OPEN, event("content_block_delta", index=0)), "a delta outside its content block"),
        ((START, OPEN, delta(kind="text_delta", text=5)), "text_delta without its text"),
        ((START, OPEN, delta(kind="text_delta", words="secret")), "text_delta without its text"),
        ((START, OPEN, delta(kind="thinking_delta", text="secret")), "thinking_delta without its text"),
        ((START, OPEN, delta(kind="input_json_delta", partial_json={})), "input_json_delta without its text"),
        ((START, OPEN, delta(kind="signature_delta", text="secret")), "signature_delta without its text"),
        ((START, event("message_delta", delta={"stop_reason": 5})), "message_delta: stop_reason is no string"),
        ((START, event("message_delta", usage={"output_tokens": -1})), "usage.output_tokens: a token count"),
        ((START, event("message_delta", usage={"output_tokens": "5"})), "a message_delta with a field of the wrong"),
    ],
)
def test_an_event_that_is_none_is_refused_without_its_content(frames: tuple[bytes, ...], message: str) -> None:
    assert refused(*frames).startswith(message)


@pytest.mark.parametrize("name", ["", "ping", "message_delta", "Message_stop"])
def test_an_event_under_another_name_is_refused_because_clients_go_by_either(name: str) -> None:
    """A client that goes by the name would wait for ever for the end that we saw."""
    last = encode(name, json({"type": "message_stop"}))
    assert "a message_stop under another name: clients go by either" == refused(*RUN[:-1], last)
    unnamed = b'data: {"type":"message_stop"}\n\n'
    assert "a message_stop under another name: clients go by either" == refused(*RUN[:-1], unnamed)
    assert "a message_stop that is none" == refused(*RUN[:-1], encode("message_stop", json({"type": "moon"})))


@pytest.mark.parametrize(
    "frame",
    [
        ERROR,
        b"event: error\ndata: secret\n\n",
        b'data: {"type":"error","error":{}}\n\n',
        encode("moon", json({"type": "error"})),
    ],
)
@pytest.mark.parametrize("place", range(len(RUN)))
def test_an_error_event_ends_the_stream_anywhere_before_its_end(frame: bytes, place: int) -> None:
    reading = read(*RUN[:place], frame, PING)
    assert (True, parse(frame)[1], False) == (reading.error_seen, reading.error_data, reading.complete)


@given(st.dictionaries(st.sampled_from(["text", "thinking", "partial_json", "signature", "stop_reason", "x"]), values))
@settings(max_examples=30)
def test_blocks_and_deltas_of_unknown_types_pass_whatever_they_hold(fields: dict[str, Any]) -> None:
    block = block_start(0, **{**fields, "type": "moon"})
    unknown = event("content_block_delta", index=0, delta={**fields, "type": "moon_delta"})
    untyped = event("content_block_delta", index=0, delta=fields)
    reading = read(START, block, unknown, untyped, CLOSE, END, STOP)
    assert (True, True, 0, False) == (
        reading.complete,
        reading.content_seen,
        reading.streamed_bytes,
        reading.reply().empty,
    )


def test_the_bytes_of_text_thinking_and_tool_input_are_counted() -> None:
    reading = read(
        START,
        OPEN,
        delta(text="é"),
        delta(kind="thinking_delta", thinking="abc"),
        delta(kind="input_json_delta", partial_json='{"a'),
        delta(kind="signature_delta", signature="x" * 500),
        delta(kind="citations_delta", citation={"text": "x" * 500}),
        delta(text=""),
    )
    assert 2 + 3 + 3 == reading.streamed_bytes


@pytest.mark.parametrize(
    ("frames", "empty"),
    [
        ((), True),
        ((OPEN, CLOSE), True),
        ((OPEN, delta(text=" \n"), delta(text=""), CLOSE), True),
        ((OPEN, delta(text=" \n"), delta(text=" a"), delta(text=" "), CLOSE), False),
        ((block_start(0, type="text", text="a"), CLOSE), False),
        ((block_start(0, type="thinking", thinking=""), delta(kind="thinking_delta", thinking="a"), CLOSE), True),
        ((block_start(0, type="redacted_thinking", data="x"), CLOSE), True),
        ((block_start(0, type="tool_use", id="t", name="n", input={}), CLOSE), False),
    ],
)
def test_an_answer_is_empty_that_says_nothing(frames: tuple[bytes, ...], empty: bool) -> None:
    assert empty == read(START, *frames, END, STOP).reply().empty


def test_usage_is_the_last_figure_of_each_field() -> None:
    reading = read(
        start(usage={"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 7, "service_tier": "standard"}),
        ending("pause_turn", output_tokens=20, input_tokens=None, cache_creation_input_tokens=3),
        ending(None, output_tokens=30, input_tokens=12, cache_creation={"ephemeral_5m_input_tokens": 1}),
        STOP,
    )
    expected = Usage(
        input_tokens=12,
        output_tokens=30,
        cache_read_tokens=7,
        cache_write_5m_tokens=1,
        cache_write_1h_tokens=2,
        service_tier="standard",
    )
    assert (expected, "pause_turn") == (reading.reply().usage, reading.reply().stop_reason)


def test_a_refused_usage_leaves_the_last_good_one() -> None:
    reading = read(START)
    with pytest.raises(WireError):
        reading.observe(ending(output_tokens=-5))
    assert Usage(input_tokens=10, output_tokens=5) == reading.reply().usage


def test_after_a_fallback_the_model_is_the_one_that_answers() -> None:
    hop = block_start(0, type="fallback", to={"model": "claude-opus-5-5"})
    assert "claude-opus-5-5" == read(START, hop, CLOSE, END, STOP).reply().model
    for odd in ({"model": 5}, {}, "claude-opus-5-5", None):
        assert "claude-haiku-5-5" == read(START, block_start(0, type="fallback", to=odd)).reply().model


def test_what_was_read_holds_no_text() -> None:
    reading = read(START, OPEN, delta(text="secret"), CLOSE, END, STOP)
    assert b"secret" not in msgspec.json.encode(reading.reply())
    assert "secret" not in repr(vars(reading))
