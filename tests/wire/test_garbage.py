"""Garbage in gives a typed error, never a crash: valid things with something broken in them, and plain noise.

Rule: what each reader must hold stands in one function; the quick tests and the soak run the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import WireError
from router.vocabulary import Ask
from router.wire.ask import question_text, read_complete, read_counted, read_messages
from router.wire.assemble import Assembler
from router.wire.edit import apply
from router.wire.json_gate import read_object
from router.wire.reading import Reading
from router.wire.reply import outcome_kind, read_error, read_error_message, read_reply, with_router
from router.wire.sse import Splitter, encode, parse

from .samples import HELLO, MESSAGE, json, refusal, streamed, values

RICH: dict[str, Any] = {
    **HELLO,
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "adaptive"},
    "tool_choice": {"type": "auto"},
    "output_config": {"effort": "low", "format": {"type": "json_schema"}},
    "temperature": 1,
    "stream": True,
    "messages": [
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "so", "signature": "s"}]},
        {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "42"}]}]},
        {"role": "user", "content": [{"type": "text", "text": "a <system-reminder>b</system-reminder>"}]},
    ],
}
SHORT: dict[str, Any] = {
    "prompt": "Hello?",
    "model": "auto",
    "router": {"task": "chat", "deadline_s": 5, "max_cost_usd": "0.1", "cache": "off", "workload": "batch"},
}
ANSWER: dict[str, Any] = {
    **MESSAGE,
    "content": [
        {"type": "thinking", "thinking": "so", "signature": "sig"},
        {"type": "text", "text": "Hi.", "citations": [{"n": 1}]},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"a": [1, {"b": None}]}},
    ],
    "usage": {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 1},
    },
}
ERROR = {"type": "error", "error": {"type": "a", "message": "m", "details": {"error_code": "c"}}}
FRAMES = streamed(ANSWER)

noise = st.binary(max_size=60)
snippets = st.sampled_from(
    [b"\x00", b"\xff", b'"', b"\\", b"{", b"]", b",", b"\n\n", b"\r", b"\\ud800", b"1e999", b"null"]
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """These bytes with some taken out, put in or doubled."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 20)))
        whole = whole[:start] + draw(st.just(b"") | snippets | noise | st.just(whole[start:end] * 2)) + whole[end:]
    return whole


@st.composite
def twisted(draw: st.DrawFn, whole: Any) -> bytes:
    """This value with some parts of it replaced by others, or gone."""
    twist = deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        place, key = draw(st.sampled_from(_places(twist) or [([], 0)]))
        if isinstance(place, list) and not place:
            break
        if draw(st.booleans()):
            place[key] = draw(values)
        else:
            del place[key]
    return json(twist)


def _places(value: Any) -> list[tuple[Any, Any]]:
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in inner] + [place for _, one in inner for place in _places(one)]


def broken(whole: Any) -> st.SearchStrategy[bytes]:
    return twisted(whole) | damaged(json(whole)) | noise


bodies = broken(RICH) | broken(SHORT)
answers = broken(ANSWER) | broken(ERROR)


@st.composite
def runs(draw: st.DrawFn) -> list[bytes]:
    """The events of an answer: some broken, doubled, lost or moved."""
    frames = list(FRAMES)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(frames)))
        frames[at : at + 1] = draw(instead_of(frames[at] if at < len(frames) else b""))
    return frames


def instead_of(frame: bytes) -> st.SearchStrategy[list[bytes]]:
    name, data = parse(frame)
    whole = frame in FRAMES
    twist = twisted(msgspec.json.decode(data)).map(lambda made: [encode(name, made)]) if whole else st.just([])
    another = st.sampled_from(FRAMES).map(lambda other: [frame, other])
    return st.just([]) | another | twist | damaged(frame).map(lambda made: [made])


READERS: tuple[Callable[[bytes, dict[str, str]], Ask], ...] = (read_messages, read_complete, read_counted)


def a_body_is_read_or_refused(body: bytes) -> None:
    """What gets in can be asked for its question, edited, and read again."""
    for reader in READERS:
        asks: list[Ask] = []
        error = refusal(lambda reader=reader, asks=asks: asks.append(reader(body, {})))  # type: ignore[misc]
        assert error is None or error.message.isprintable()
        for ask in asks:
            question_text(ask, 20)
            assert list(ask.fields) == list(read_object(apply(ask, [])))


def an_answer_is_read_or_refused(body: bytes) -> None:
    read_error(body)
    read_error_message(body)
    try:
        reply = read_reply(body)
    except WireError:
        return
    outcome_kind(reply)
    assert reply == read_reply(with_router(body, b"{}"))


def a_run_is_read_or_refused(frames: list[bytes]) -> None:
    """What is read to its end can be put together, and is a whole answer."""
    reading, assembler = Reading(), Assembler()
    for frame in Splitter().feed(b"".join(frames)):
        try:
            reading.observe(frame)
        except WireError:
            break
        reading.reply()
        assembler.add(frame)
        msgspec.json.decode(assembler.message() if reading.started else b"{}", type=msgspec.Raw)
    if reading.complete:
        assert reading.reply().message_id == read_reply(assembler.message()).message_id


@given(bodies)
@settings(max_examples=60)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    a_body_is_read_or_refused(body)


@given(answers)
@settings(max_examples=60)
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    an_answer_is_read_or_refused(body)


@given(runs())
@settings(max_examples=40)
def test_any_run_of_events_is_read_or_refused(frames: list[bytes]) -> None:
    a_run_is_read_or_refused(frames)


@pytest.mark.parametrize("frame", range(len(FRAMES)))
def test_a_stream_that_is_cut_after_any_byte_is_never_complete(frame: int) -> None:
    """Row M2: whatever came before the cut is read, and what was cut off is no event."""
    before, cut = b"".join(FRAMES[:frame]), FRAMES[frame]
    for size in range(len(cut)):
        splitter, reading = Splitter(), Reading()
        for whole in splitter.feed(before + cut[:size]):
            reading.observe(whole)
        assert (False, cut[:size]) == (reading.complete, splitter.rest)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("strategy", "holds"),
    [(bodies, a_body_is_read_or_refused), (answers, an_answer_is_read_or_refused), (runs(), a_run_is_read_or_refused)],
)
def test_garbage_for_a_long_time(strategy: st.SearchStrategy[Any], holds: Callable[[Any], None]) -> None:
    settings(max_examples=20_000, deadline=None)(given(strategy)(holds))()
