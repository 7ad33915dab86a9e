"""Events survive whatever the network does to their bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import WireError
from router.wire.sse import Splitter, encode, parse, parse_all

from .samples import RUN

ENDS = ["\n", "\r\n", "\r"]


def split(chunks: list[bytes], max_event_bytes: int = 1000) -> tuple[list[bytes], bytes]:
    splitter = Splitter(max_event_bytes)
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    return frames, splitter.rest


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


lines = st.sampled_from(["data: {}", "data:x", "event: ping", ": comment", "id: 7", "data", "", "retry: 1", "é: \x00"])
one_kind = st.tuples(st.lists(lines, max_size=12), st.sampled_from(ENDS)).map(
    lambda made: made[1].join(made[0]).encode()
)
any_kind = st.lists(st.tuples(lines, st.sampled_from(ENDS)), max_size=12).map(
    lambda made: "".join(line + end for line, end in made).encode()
)
streams = one_kind | any_kind | st.lists(st.sampled_from([b"\r", b"\n", b"a"]), max_size=12).map(b"".join)


@given(streams, st.lists(st.integers(0, 200), max_size=8))
@settings(max_examples=150)
def test_the_frames_are_the_same_however_the_bytes_are_cut(stream: bytes, places: list[int]) -> None:
    frames, rest = split([stream])
    assert (frames, rest) == split(cut(stream, places))
    assert (frames, rest) == split([stream[at : at + 1] for at in range(len(stream))])
    assert stream == b"".join(frames) + rest, "no byte is lost, added or moved"


usual = st.lists(st.sampled_from([*RUN, b"event: ping\ndata: {}\n\n"]), max_size=6).map(b"".join)


@given(streams | usual | st.tuples(usual, streams).map(b"".join))
def test_a_run_is_read_as_its_events_are(run: bytes) -> None:
    assert [parse(frame) for frame in Splitter().feed(run)] == parse_all(run)


def by_the_book(stream: bytes) -> list[tuple[str, bytes]]:
    """What a client reads, straight from the standard: line by line, an event at each blank line."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events: list[tuple[str, bytes]] = []
    name, data = "", list[str]()
    for line in text.split("\n")[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            events.append((name, "\n".join(data).encode()))
            name, data = "", []
        elif field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return [event for event in events if event[1]]


@given(streams, st.booleans())
@settings(max_examples=150)
def test_a_client_would_read_the_same_events_by_the_standard(stream: bytes, marked: bool) -> None:
    stream = b"\xef\xbb\xbf" * marked + stream + b"\n"
    frames, _ = split([stream, b"\n", b"\n"])
    assert by_the_book(stream + b"\n\n") == [event for event in map(parse, frames) if event[1]]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_whole_event_is_given_out_with_the_byte_that_ends_it(end: bytes) -> None:
    event = b"event: ping" + end + b"data: {}" + end + end
    for size in range(1, len(event)):
        splitter = Splitter()
        assert [] == splitter.feed(event[:size])
        assert event[:size] == splitter.rest
    assert [event] == Splitter().feed(event)
    assert ("ping", b"{}") == parse(event)


def test_an_event_that_is_not_ended_is_never_given_out() -> None:
    assert ([], b"event: message_stop\ndata: {}\n") == split([b"event: message_stop\ndata: {}\n"])


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"data: a\ndata:b\ndata:  c\n\n", ("", b"a\nb\n c")),
        (b": comment\n\n", ("", b"")),
        (b"\n\n", ("", b"")),
        (b"event: a\nevent: b\ndata\n\n", ("b", b"")),
        (b"\xef\xbb\xbfevent: a\r\ndata: b: c\r\n\r\n", ("a", b"b: c")),
        (b"event: \xff\rdata: \xff\r\r", ("\ufffd", b"\xff")),
        (b"events: a\ndatas: b\nid: 1\n\n", ("", b"")),
        (b"event: a\n\r\n", ("a", b"")),
    ],
)
def test_an_event_is_read_by_the_standard(frame: bytes, expected: tuple[str, bytes]) -> None:
    assert expected == parse(frame)


@given(st.text("abc_", min_size=1), st.binary(max_size=30).filter(lambda data: not set(b"\r\n") & set(data)))
@settings(max_examples=40)
def test_what_is_written_is_read_back(name: str, data: bytes) -> None:
    frame = encode(name, data)
    assert ([frame], b"") == split([frame])
    assert (name, data) == parse(frame)


def test_an_event_may_be_as_large_as_the_cap_and_no_larger() -> None:
    event = b"data: " + b"x" * 92 + b"\n\n"
    assert ([event, event], b"") == split([event + event], max_event_bytes=100)
    assert ([event], event[:-1]) == split([event, event[:-1]], max_event_bytes=100)
    for chunks in ([b"x" + event], [event, b"x" + event], [b"x" * 101], [b"x" * 100, b"x"], [event + b"x" * 101]):
        with pytest.raises(WireError, match="larger than 100 bytes"):
            split(chunks, max_event_bytes=100)


def test_a_long_line_is_looked_at_once_however_it_comes() -> None:
    """4 MB in pieces of 64 bytes: looking at all of it for every piece would be 137 GB, and take minutes."""
    splitter = Splitter(max_event_bytes=5 * 1024 * 1024)
    piece = b"x" * 64
    assert [] == [frame for _ in range(65_536) for frame in splitter.feed(piece)]
    assert [4 * 1024 * 1024 + 2] == [len(frame) for frame in splitter.feed(b"\n\n")]
    assert b"" == splitter.rest


def test_a_run_of_the_api_comes_out_event_by_event() -> None:
    assert (list(RUN), b"") == split([b"".join(RUN)])
    assert [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ] == [parse(frame)[0] for frame in RUN]
