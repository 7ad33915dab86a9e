"""A shutdown takes nothing new, lets open answers finish, and ends the rest with a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from router.api.admission import Admission
from router.serving import Served
from router.vocabulary import Ask, Caller

from .street import JSON, SSE, STREAM, Street, ask, line, open_doors, post, until

pytestmark = pytest.mark.anyio


class Held:
    """Answers once it is let."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let = asyncio.Event()
        self.settled = False

    async def answering(self, ask: Ask, _caller: Caller) -> Served:
        if ask.facts.stream:
            return Served(status=200, headers=SSE, chunks=self._stream())
        self.begun.set()
        await self.let.wait()
        return Served(status=200, headers=(JSON,), body=b"{}")

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: first\n\n"
            self.begun.set()
            await self.let.wait()
            yield b"data: last\n\n"
        finally:
            self.settled = True


async def refuses_connections(street: Street) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", street.port)
        except ConnectionRefusedError:
            return
        writer.close()
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("body", [b'{"prompt":"hi"}', STREAM])
async def test_open_answers_finish_while_new_connections_are_refused(body: bytes) -> None:
    held = Held()
    async with open_doors(held.answering) as street, line(street) as caller:
        caller.say(post(body))
        await held.begun.wait()
        street.server.stop()
        await refuses_connections(street)
        held.let.set()
        told = await caller.hear()
        assert (200, True) == (told.status, told.body in (b"{}", b"data: first\n\ndata: last\n\n"))
        assert await caller.is_closed()
        await street.serving


async def test_while_draining_a_request_on_an_open_connection_is_told_to_go_elsewhere() -> None:
    async with open_doors() as street:
        street.admission.draining = True
        told = await ask(street, post())
        assert (503, "router_draining") == (told.status, told.code)
        assert ("1", "true") == (told.headers["retry-after"], told.headers["x-should-retry"])
        assert 503 == (await ask(street, b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")).status
        assert 200 == (await ask(street, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")).status


async def test_at_the_limit_a_whole_answer_becomes_a_503() -> None:
    held = Held()
    async with open_doors(held.answering, drain_s=0.02) as street, line(street) as caller:
        caller.say(post())
        await held.begun.wait()
        street.server.stop()
        told = await caller.hear()
        assert (503, "router_draining") == (told.status, told.code)
        await street.serving


async def test_at_the_limit_a_stream_ends_with_an_error_event_and_is_settled_before_we_are_gone() -> None:
    held = Held()
    async with open_doors(held.answering, drain_s=0.02) as street, line(street) as caller:
        caller.say(post(STREAM))
        await held.begun.wait()
        street.server.stop()
        told = await caller.hear()
        first, last = told.body.removesuffix(b"\n\n").split(b"\n\n")
        assert b"data: first" == first
        assert last.startswith(b"event: error\n")
        assert b'"error_code":"router_draining"' in last
        await street.serving
        assert held.settled


async def test_told_a_second_time_it_does_not_wait_but_settles_all_the_same() -> None:
    held = Held()
    async with open_doors(held.answering, drain_s=1000) as street, line(street) as caller:
        caller.say(post(STREAM))
        await held.begun.wait()
        street.server.stop()
        street.server.stop()
        assert b"router_draining" in (await caller.hear()).body
        await street.serving
        assert held.settled


async def test_an_answer_on_its_way_is_not_cut_by_the_end_of_the_process() -> None:
    """Its task is done when its bytes are in a buffer; the caller has it when they were read."""
    body = bytes(32 * 1024 * 1024)

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=(JSON,), body=body)

    async with open_doors(answering) as street, line(street) as caller:
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.say(post())
        await until(lambda: bool(street.pipeline.asked) and not street.server.server_state.tasks)
        street.server.stop()
        await refuses_connections(street)
        assert not street.serving.done()
        caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(body) == len((await caller.hear()).body)
        await street.serving


async def test_an_idle_connection_does_not_hold_a_shutdown_up() -> None:
    async with open_doors(drain_s=1000) as street, line(street) as caller:
        caller.say(post())
        assert 200 == (await caller.hear()).status
        await street.stopped()
        assert await caller.is_closed()


def test_a_place_is_given_back_with_all_that_it_held() -> None:
    admission = Admission(1)
    with admission.admitted() as place:
        place.hold(7)
        place.hold(5)
        assert (1, 12) == (admission.in_flight, admission.body_bytes)
    assert (0, 0) == (admission.in_flight, admission.body_bytes)
