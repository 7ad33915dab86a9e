"""Connections: used again when that is safe, cut at once when it is not, and never more than allowed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from router.ports import Call
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Billed, OutcomeKind

from .calls import BODY, PLAIN, STREAM, frames_of, upstream_to
from .rawserver import JSON, SSE, Wire, answering, chunk, chunked, error, events, head, http, message

pytestmark = pytest.mark.anyio
K = OutcomeKind


async def after_its_head(wire: Wire) -> None:
    """A stream that has begun, and waits for the client to hang up."""
    await wire.request()
    await wire.send(head(SSE) + chunk(events()[0]))
    await wire.gone()


async def test_one_connection_serves_plain_answers_errors_and_streams_one_after_another() -> None:
    responses = (http(200, message()), http(529, error("overloaded_error")), chunked(*events()), http(200, message()))
    async with upstream_to(answering(*responses)) as (upstream, server):
        await upstream.send(PLAIN)
        await upstream.send(PLAIN)
        runs, broken = await frames_of(await upstream.send(STREAM))
        last = await upstream.send(PLAIN)
    assert (b"".join(events()), None) == (b"".join(runs), broken)
    assert last.reply is not None
    assert 1 == server.connections


@contextmanager
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def read_to_its_end(upstream: ClaudeUpstream, call: Call) -> None:
    answer = await upstream.send(call)
    if call.stream:
        await frames_of(answer)


@pytest.mark.parametrize("call", [PLAIN, STREAM])
async def test_what_a_call_was_made_of_goes_with_it_and_waits_for_no_collection(call: Call) -> None:
    responses = [chunked(*events()) if call.stream else http(200, message())] * 2
    async with upstream_to(answering(*responses)) as (upstream, _):
        with no_collection():
            for _response in responses:
                await read_to_its_end(upstream, call)
            left = [one for one in gc.get_objects() if type(one) is httpx2.Response]
    assert not left


async def test_a_stream_whose_last_bytes_come_a_moment_later_gives_its_connection_back() -> None:
    stopped = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE) + b"".join(chunk(part) for part in events()))
        await stopped.wait()
        await wire.send(b"0\r\n\r\n")
        await wire.request()
        await wire.send(http(200, message()))

    async with upstream_to(script) as (upstream, server):
        answer = await upstream.send(STREAM)
        async for _ in answer.frames():
            pass
        stopped.set()
        await answer.close()
        second = await upstream.send(PLAIN)
    assert second.reply is not None
    assert 1 == server.connections


async def test_a_stream_whose_end_does_not_come_ends_with_message_stop_and_gives_its_connection_up() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(SSE) + b"".join(chunk(part) for part in events()))
        await wire.gone()

    async with upstream_to(script, connections=1) as (upstream, server):
        runs, broken = await frames_of(await upstream.send(STREAM))
        await server.hung_up.wait()
    assert (b"".join(events()), None) == (b"".join(runs), broken)


async def test_pain_24_closing_a_stream_hangs_up_and_twice_is_fine() -> None:
    async with upstream_to(after_its_head) as (upstream, server):
        answer = await upstream.send(STREAM)
        first = await anext(answer.frames())
        await answer.close()
        await answer.close()
        await server.hung_up.wait()
    assert events()[0] == first


async def test_pain_24_a_stream_that_nobody_read_is_hung_up_on_too() -> None:
    async with upstream_to(after_its_head) as (upstream, server):
        answer = await upstream.send(STREAM)
        await answer.close()
        await server.hung_up.wait()
    assert answer.reading is not None
    assert not answer.reading.started


async def test_pain_24_closing_while_another_task_reads_ends_its_reading() -> None:
    async with upstream_to(after_its_head) as (upstream, server):
        answer = await upstream.send(STREAM)
        reading = asyncio.create_task(frames_of(answer))
        for _ in range(20):
            await asyncio.sleep(0)
        await answer.close()
        runs, broken = await reading
        await server.hung_up.wait()
    assert broken is not None
    assert (K.CUT, len(runs)) == (broken.outcome.kind, min(len(runs), 1))


@pytest.mark.parametrize("call", [PLAIN, STREAM], ids=["plain", "stream"])
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
async def test_pain_24_a_caller_who_leaves_is_a_hang_up_and_its_connection_is_free_again(
    call: Call, begun: bool
) -> None:
    arrived = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        if begun:
            await wire.send(head(SSE if call.stream else JSON) + chunk(events()[0]))
        arrived.set()
        await wire.gone()

    async def ask(upstream: ClaudeUpstream) -> None:
        answer = await upstream.send(call)
        await frames_of(answer)

    async with upstream_to(script, connections=1) as (upstream, server):
        for _ in range(2):  # a second call, through the only connection allowed, proves that it was given back
            asking = asyncio.create_task(ask(upstream))
            await arrived.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await server.hung_up.wait()
            arrived.clear()
            server.hung_up.clear()
    assert 2 == server.connections


async def test_close_finishes_although_it_is_cancelled() -> None:
    async with upstream_to(after_its_head, connections=1) as (upstream, server):
        answer = await upstream.send(STREAM)
        closing = asyncio.create_task(answer.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await server.hung_up.wait()


async def test_a_connection_is_not_used_again_when_the_answer_came_before_the_whole_call_was_sent() -> None:
    async def script(wire: Wire) -> None:
        await wire.request(with_body=False)
        await wire.send(http(413, error("request_too_large")))
        await read_on.wait()
        await wire.gone()

    read_on = asyncio.Event()
    async with upstream_to(script, connections=1) as (upstream, server):
        answers = [await upstream.send(Call(body=b" " * 8_000_000)) for _ in range(2)]
        read_on.set()
        await server.hung_up.wait()
    assert [K.TOO_LARGE] * 2 == [answer.outcome.kind for answer in answers if answer.outcome]
    assert 2 == server.connections


async def test_no_more_calls_run_at_once_than_there_are_connections_and_the_next_one_waits_its_turn() -> None:
    running = 0
    most = 0
    go_on = asyncio.Event()

    async def script(wire: Wire) -> None:
        nonlocal running, most
        while True:
            await wire.request()
            running += 1
            most = max(most, running)
            await go_on.wait()
            running -= 1
            await wire.send(http(200, message()))

    async with upstream_to(script, connections=2) as (upstream, server):
        asking = [asyncio.create_task(upstream.send(PLAIN)) for _ in range(6)]
        asyncio.get_running_loop().call_later(0.02, go_on.set)
        answers = await asyncio.gather(*asking)
    assert [K.ANSWERED] * 6 == [answer.outcome.kind for answer in answers if answer.outcome]
    assert (2, 2) == (most, server.connections)


async def test_a_call_that_finds_no_free_connection_in_time_was_not_sent() -> None:
    async with upstream_to(after_its_head, connections=1) as (upstream, server):
        holding = await upstream.send(STREAM)
        outcome = (await upstream.send(Call(body=BODY, first_byte_s=0.02))).outcome
        await holding.close()
    assert outcome is not None
    assert (K.OVERLOADED, Billed.VOID, 0) == (outcome.kind, outcome.billed, outcome.status)
    assert 1 == server.connections
