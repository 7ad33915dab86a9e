"""A caller who leaves ends the work at once, whenever that is, and whatever was begun is closed to the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from router.serving import Served
from router.vocabulary import Ask, Caller

from .street import SSE, STREAM, Street, line, open_doors, post, until

pytestmark = pytest.mark.anyio


class Work:
    """A pipeline that never gets to its end by itself, and says what became of it."""

    def __init__(self, chunks_before_waiting: int | None) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.closed = asyncio.Event()
        self._chunks = chunks_before_waiting

    async def answering(self, _ask: Ask, _caller: Caller) -> Served:
        if self._chunks is not None:
            return Served(status=200, headers=SSE, chunks=self._stream(self._chunks))
        try:
            await self._for_ever()
        finally:
            await self._close()
        raise AssertionError("not reached")

    async def _stream(self, chunks: int) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(chunks):
                yield b"data: x\n\n"
            await self._for_ever()
        finally:
            await self._close()

    async def _for_ever(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _close(self) -> None:
        for _ in range(3):  # closing an upstream call takes a few turns of the loop
            await asyncio.sleep(0)
        self.closed.set()


async def empty(street: Street) -> None:
    await until(lambda: not street.server.server_state.tasks)


@pytest.mark.parametrize("chunks", [None, 0, 1, 5])
async def test_who_leaves_before_during_or_after_the_first_byte_ends_the_work(
    chunks: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(chunks)
    async with open_doors(work.answering) as street:
        async with line(street) as caller:
            caller.say(post(STREAM))
            await work.begun.wait()
        await work.cancelled.wait()
        await work.closed.wait()
        await empty(street)
        assert (0, 0) == (street.admission.in_flight, street.admission.body_bytes)
    assert [] == caplog.records


async def test_who_leaves_in_the_middle_of_a_body_was_never_asking() -> None:
    async with open_doors() as street:
        async with line(street) as caller:
            caller.say(post(STREAM)[:-3])
            await until(lambda: street.admission.in_flight == 1)
        await empty(street)
        assert (0, 0) == (street.admission.in_flight, street.admission.body_bytes)
        assert [] == street.pipeline.asked


async def test_who_leaves_with_a_second_request_behind_the_first_ends_the_first() -> None:
    work = Work(None)
    async with open_doors(work.answering) as street:
        async with line(street) as caller:
            caller.say(post(), post())
            await work.begun.wait()
        await work.closed.wait()
        await empty(street)
        assert 1 == len(street.pipeline.asked)


async def test_a_stream_is_closed_to_the_end_even_when_its_request_is_cancelled_twice() -> None:
    closing, closed, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stream() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(1024 * 1024)
        finally:
            closing.set()
            await go_on.wait()
            closed.set()

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=SSE, chunks=stream())

    async with open_doors(answering) as street:
        async with line(street) as caller:
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            caller.say(post(STREAM))
            await until(lambda: len(street.pipeline.asked) == 1)
        await closing.wait()
        for task in street.server.server_state.tasks:
            task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await closed.wait()


async def test_who_stays_for_a_long_answer_gets_it() -> None:
    """The watch for leaving takes nothing away from a request that takes its time."""
    go_on = asyncio.Event()

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        await go_on.wait()
        return Served(status=200, headers=(), body=b"late")

    async with open_doors(answering) as street, line(street) as caller:
        for _ in range(2):
            caller.say(post())
            assert b"late" == (await caller.hear()).body
