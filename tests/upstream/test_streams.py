"""A stream: passed on as it comes, and every way it can break, by the rows M1 to M6 of the fault matrix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import Broken
from router.ports import Call
from router.upstream.answer import Stream
from router.upstream.body import Body
from router.vocabulary import Billed, OutcomeKind

from .calls import BODY, STREAM, answer_to, frames_of, stream_of, upstream_to
from .rawserver import JSON, SSE, Wire, answering, chunk, chunked, delta, error, event, events, head, http, message

pytestmark = pytest.mark.anyio
K = OutcomeKind
RECORDED = b"".join(events("Paris, ", "über", " the\nSeine"))
ERROR_EVENT = b"event: error\ndata: " + error("overloaded_error") + b"\n\n"


class Chunks(httpx2.AsyncByteStream):
    """A body in pieces, without a socket."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def read_of(*pieces: bytes) -> tuple[list[bytes], Broken | None]:
    """What a stream makes of these reads."""
    body = Body(httpx2.Response(200, stream=Chunks(*pieces)), 2**20, lambda: None)
    runs: list[bytes] = []
    try:
        async for run in Stream(body, 45.0, 2**16).frames():
            runs.append(run)  # noqa: PERF401 - what came before a break counts
    except Broken as broken:
        return runs, broken
    finally:
        await body.close()
    return runs, None


async def test_a_stream_arrives_byte_for_byte_and_its_figures_are_read() -> None:
    answer = None
    async with upstream_to(answering(chunked(*events("Paris.")))) as (upstream, _):
        answer = await upstream.send(STREAM)
        assert (None, None, b"") == (answer.outcome, answer.reply, answer.body)
        runs, broken = await frames_of(answer)
    assert (b"".join(events("Paris.")), None) == (b"".join(runs), broken)
    assert answer.reading is not None
    assert answer.reading.complete
    assert (10, 5) == (answer.reading.reply().usage.input_tokens, answer.reading.reply().usage.output_tokens)


async def test_what_one_read_brought_is_passed_on_before_the_next_one_comes() -> None:
    received = asyncio.Event()
    parts = events("Paris.")

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE))
        for part in parts:
            await wire.send(chunk(part))
            await received.wait()
            received.clear()
        await wire.send(b"0\r\n\r\n")

    runs: list[bytes] = []
    async with upstream_to(script) as (upstream, _):
        answer = await upstream.send(STREAM)
        async for run in answer.frames():
            runs.append(run)
            received.set()
        await answer.close()
    assert list(parts) == runs


async def test_u21_events_and_blocks_of_tomorrow_are_passed_on_untouched() -> None:
    parts = list(events("Paris."))
    parts.insert(4, event("tomorrows_event", x=1))
    parts.insert(4, b": a comment, to keep the line open\n\n")
    assert (b"".join(parts), None) == await stream_of(answering(chunked(*parts)))


async def test_nothing_after_message_stop_is_passed_on() -> None:
    runs, broken = await read_of(RECORDED + event("ping"))
    assert (RECORDED, None) == (b"".join(runs), broken)


@settings(max_examples=40)
@given(st.lists(st.integers(0, len(RECORDED)), max_size=40))
def test_every_cutting_of_a_stream_into_reads_gives_the_same_bytes(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(RECORDED)]
    pieces = [RECORDED[start:end] for start, end in pairwise(edges) if start < end]
    runs, broken = asyncio.run(read_of(*pieces))
    assert (RECORDED, None) == (b"".join(runs), broken)


async def test_m01_silence_in_a_stream_ends_it_and_hangs_up() -> None:
    first = events()[0]

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE) + chunk(first + delta("half")[:-1]))
        await wire.gone()

    async with upstream_to(script, connections=1) as (upstream, server):
        runs, broken = await frames_of(await upstream.send(Call(body=BODY, stream=True, idle_s=0.02)))
        await server.hung_up.wait()
    assert [first] == runs
    assert broken is not None
    assert (K.STALLED, Billed.ESTIMATED, b"") == (broken.outcome.kind, broken.outcome.billed, broken.frame)


async def test_m01_silence_counts_from_the_last_thing_that_came() -> None:
    first, second, *_ = events()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE) + chunk(first))
        await midway.wait()
        await wire.send(chunk(second))
        await wire.gone()

    midway = asyncio.Event()
    async with upstream_to(script) as (upstream, _):
        answer = await upstream.send(Call(body=BODY, stream=True, idle_s=0.03))
        asyncio.get_running_loop().call_later(0.015, midway.set)
        runs, broken = await frames_of(answer)
    assert [first, second] == runs
    assert broken is not None
    assert K.STALLED == broken.outcome.kind


async def test_m01_a_slow_reader_is_no_silence() -> None:
    parts = events("Paris.")

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE) + chunk(parts[0]))
        await read_on.wait()
        await wire.send(b"".join(chunk(part) for part in parts[1:]) + b"0\r\n\r\n")

    read_on = asyncio.Event()
    async with upstream_to(script) as (upstream, _):
        answer = await upstream.send(Call(body=BODY, stream=True, idle_s=0.02))
        frames = answer.frames()
        runs = [await anext(frames)]
        asyncio.get_running_loop().call_later(0.05, read_on.set)
        await read_on.wait()
        async for run in frames:
            runs.append(run)  # noqa: PERF401 - the first one is there already
        await answer.close()
    assert b"".join(parts) == b"".join(runs)


async def test_m02_a_stream_cut_after_any_byte_is_never_whole_and_every_whole_event_was_passed_on() -> None:
    edges = [0]
    for part in events("Paris, ", "über", " the\nSeine"):
        edges.append(edges[-1] + len(part))
    for cut_at in range(len(RECORDED)):
        runs, broken = await read_of(RECORDED[:cut_at])
        whole = max(edge for edge in edges if edge <= cut_at)
        assert RECORDED[:whole] == b"".join(runs)
        assert broken is not None
        assert (K.CUT, Billed.ESTIMATED if whole else Billed.UNKNOWN) == (broken.outcome.kind, broken.outcome.billed)


@pytest.mark.parametrize("how", ["ended", "reset", "no last chunk"])
async def test_m02_a_stream_that_ends_without_message_stop_is_cut(how: str) -> None:
    parts = events()[:-1]

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE) + b"".join(chunk(part) for part in parts))
        if how == "ended":
            await wire.send(b"0\r\n\r\n")
        elif how == "reset":
            wire.cut()
        else:
            wire.end()

    passed_on, broken = await stream_of(script)
    assert b"".join(parts).startswith(passed_on)
    assert broken is not None
    assert K.CUT == broken.outcome.kind


@pytest.mark.parametrize("place", [0, 1, 4])
@pytest.mark.parametrize("together", [True, False])
async def test_m03_an_error_event_ends_the_stream_as_what_its_type_says(place: int, together: bool) -> None:
    parts = [*events()[:place], ERROR_EVENT]
    passed_on, broken = await stream_of(answering(chunked(*([b"".join(parts)] if together else parts))))
    assert b"".join(parts[:-1]) == passed_on
    assert broken is not None
    assert (K.OVERLOADED, ERROR_EVENT, "overloaded_error", 200) == (
        broken.outcome.kind,
        broken.frame,
        broken.outcome.error_type,
        broken.outcome.status,
    )
    assert (Billed.ESTIMATED if place else Billed.VOID) == broken.outcome.billed


@pytest.mark.parametrize(
    "junk",
    [
        b"event: content_block_delta\ndata: {half\n\n",
        b"event: content_block_delta\ndata: \xff\xfe\n\n",
        b"event: content_block_delta\ndata: []\n\n",
        b"event: content_block_delta\ndata: " + b"[" * 60_000 + b"\n\n",
    ],
    ids=["half json", "bad utf-8", "a list", "deep"],
)
async def test_m04_an_event_that_is_no_event_ends_the_stream_after_what_came_before_it(junk: bytes) -> None:
    good = b"".join(events()[:4])
    passed_on, broken = await stream_of(answering(chunked(good + junk + delta("never"))))
    assert good == passed_on
    assert broken is not None
    assert (K.BAD_ANSWER, Billed.ESTIMATED, b"") == (broken.outcome.kind, broken.outcome.billed, broken.frame)


@settings(max_examples=60)
@given(st.data())
def test_m04_a_stream_with_bytes_changed_breaks_as_a_stream_does_and_passes_on_only_what_came(
    data: st.DataObject,
) -> None:
    changed = bytearray(RECORDED)
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), min_size=1, max_size=5)):
        changed[place] = data.draw(st.integers(0, 255))
    runs, _ = asyncio.run(read_of(bytes(changed)))
    assert bytes(changed).startswith(b"".join(runs))


async def test_m04_a_delta_before_the_message_began_is_no_stream() -> None:
    passed_on, broken = await stream_of(answering(chunked(delta("out of the blue"))))
    assert b"" == passed_on
    assert broken is not None
    assert (K.BAD_ANSWER, Billed.UNKNOWN) == (broken.outcome.kind, broken.outcome.billed)


@pytest.mark.parametrize("header", [JSON, "content-type: text/html", "x-none: 1"])
async def test_u14_a_stream_that_was_asked_for_and_is_none_is_no_answer(header: str) -> None:
    answer = await answer_to(http(200, message(), header), STREAM)
    assert answer.outcome is not None
    assert (K.BAD_ANSWER, None) == (answer.outcome.kind, answer.reading)


async def test_u14_an_error_where_a_stream_was_asked_for_is_that_error() -> None:
    answer = await answer_to(http(200, error("overloaded_error")), STREAM)
    assert answer.outcome is not None
    assert (K.OVERLOADED, error("overloaded_error")) == (answer.outcome.kind, answer.body)


async def test_u01_to_u09_a_refused_stream_is_a_failure_with_its_bytes() -> None:
    answer = await answer_to(http(529, error("overloaded_error")), STREAM)
    assert answer.outcome is not None
    assert (K.OVERLOADED, error("overloaded_error"), None) == (answer.outcome.kind, answer.body, answer.reading)
