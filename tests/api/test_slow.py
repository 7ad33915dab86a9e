"""Whoever is slow on purpose is told so, or hung up on; whoever is merely slow is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from router.serving import Served
from router.vocabulary import Ask, Caller

from .street import JSON, LIMIT_BYTES, PROMPT, SSE, STREAM, line, open_doors, post, until

pytestmark = pytest.mark.anyio

SOON_S = 0.02


async def test_half_a_head_gets_a_408() -> None:
    async with open_doors(head_s=SOON_S) as street, line(street) as caller:
        caller.say(b"POST /complete HTTP/1.1\r\nHo")
        told = await caller.hear()
        assert (408, "router_client_slow") == (told.status, told.code)
        assert await caller.is_closed()


async def test_half_a_head_after_a_whole_request_gets_a_408() -> None:
    async with open_doors(head_s=SOON_S) as street, line(street) as caller:
        caller.say(post(), b"POST /comp")
        assert [200, 408] == [(await caller.hear()).status, (await caller.hear()).status]
        assert await caller.is_closed()


async def test_a_connection_that_asks_nothing_is_closed_without_a_word() -> None:
    async with open_doors(head_s=SOON_S) as street, line(street) as caller:
        assert await caller.is_closed()


async def test_half_a_head_does_not_end_the_answer_before_it() -> None:
    """Until that answer is out, we may not even be reading."""
    late = asyncio.Event()

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        asyncio.get_running_loop().call_later(3 * SOON_S, late.set)
        await late.wait()
        return Served(status=200, headers=(JSON,), body=b"{}")

    async with open_doors(answering, head_s=SOON_S) as street, line(street) as caller:
        caller.say(post(), b"POST /comp")
        assert [200, 408] == [(await caller.hear()).status, (await caller.hear()).status]


@pytest.mark.parametrize("begun", [0, 1, 900_000])
async def test_a_body_that_does_not_come_on_gets_a_408(begun: int) -> None:
    """However much came before: what counts is what comes now."""
    async with open_doors(body_window_s=SOON_S, body_bytes_per_s=100_000) as street, line(street) as caller:
        caller.say(b"POST /complete HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"x" * begun)
        told = await caller.hear()
        assert (408, "router_client_slow") == (told.status, told.code)
        assert await caller.is_closed()
        assert (0, 0) == (street.admission.in_flight, street.admission.body_bytes)


async def test_a_body_that_comes_at_the_least_rate_is_waited_for() -> None:
    body = b'{"prompt":"' + b"a" * 300_000 + b'"}'
    async with open_doors(body_window_s=SOON_S, body_bytes_per_s=1) as street, line(street) as caller:
        request = post(body)
        for at in range(0, len(request), 20_000):
            caller.say(request[at : at + 20_000])
            await asyncio.sleep(SOON_S / 4)
        assert 200 == (await caller.hear()).status


async def test_a_reader_who_takes_nothing_of_a_stream_pauses_it_and_is_then_hung_up_on() -> None:
    closed = asyncio.Event()
    pulled: list[int] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                pulled.append(1)
                yield bytes(256 * 1024)
        finally:
            closed.set()

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=SSE, chunks=endless())

    async with open_doors(answering, stalled_s=SOON_S) as street, line(street) as caller:
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.say(post(STREAM))
        await closed.wait()
        assert len(pulled) < 100, "what nobody reads is not made"
        assert b"stalled_readers_total 1" in street.events.metrics()


async def test_a_reader_who_takes_nothing_of_a_whole_answer_is_hung_up_on() -> None:
    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=(JSON,), body=bytes(16 * 1024 * 1024))

    async with open_doors(answering, stalled_s=SOON_S) as street, line(street) as caller:
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.say(post())
        await until(lambda: bool(street.pipeline.asked) and not street.server.server_state.connections)


async def test_what_comes_of_a_refused_body_is_let_pass_so_that_the_refusal_is_seen() -> None:
    """Most clients send all of a body before they listen."""
    async with open_doors() as street, line(street) as caller:
        caller.say(post(b"x" * (2 * LIMIT_BYTES)), post(PROMPT))
        await caller.writer.drain()
        assert [413, 200] == [(await caller.hear()).status, (await caller.hear()).status]
