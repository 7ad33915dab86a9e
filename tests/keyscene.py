"""One process that answers requests with keys from a real file, and an act that does what the test says.

Rule: no test here.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from router.errors import RequestError
from router.ledger.idempotency import StoredKeys
from router.ledger.jobs_sqlite import SqliteJobs
from router.relay import DRAINING
from router.repeating import Repeating
from router.serving import Served
from router.vocabulary import Ask, Caller, Keyed
from router.wire.ask import read_complete

from .worlds import ListEvents, ScriptedClock

PROCESSES = itertools.count()
KEY = '"order-1"'
CALLER = Caller(tenant="acme", request_id="req_1")
BODY = b'{"prompt":"Pay the bill."}'
JSON = (("content-type", "application/json"), ("x-router-tier", "haiku"))
WHOLE = Served(status=200, headers=JSON, body=b'{"id":"msg_1"}')


class Fickle:
    """The real store, which fails on the calls that the test names."""

    def __init__(self, keys: StoredKeys) -> None:
        self.failing: set[str] = set()
        self.begun: list[Keyed] = []
        self.owners: list[str] = []  # whose beats came
        self.swept = 0
        self._keys = keys

    def _look(self, name: str) -> None:
        if name in self.failing:
            raise RequestError("router_ledger_unavailable", "scripted")

    async def begin(self, mine: Keyed) -> Keyed | None:
        self._look("begin")
        self.begun.append(mine)
        return await self._keys.begin(mine)

    async def finish(self, mine: Keyed) -> bool:
        self._look("finish")
        return await self._keys.finish(mine)

    async def forget(self, mine: Keyed) -> None:
        self._look("forget")
        await self._keys.forget(mine)

    async def beat(self, owner: str) -> None:
        self.owners.append(owner)
        await self._keys.beat(owner)

    async def sweep(self) -> int:
        self.swept += 1
        return await self._keys.sweep()


class Scene:
    """One process, and an act that does what the test says."""

    def __init__(self, database: SqliteJobs, clock: ScriptedClock, drain_s: float) -> None:
        self.clock = clock
        self.events = ListEvents()
        self.store = Fickle(StoredKeys(database))
        self.repeating = Repeating(store=self.store, clock=clock, events=self.events, drain_s=drain_s)
        self.acts = 0
        self.gate = asyncio.Event()  # shut, a slow act waits at it
        self.does: Served | Exception | None = WHOLE

    async def act(self, _ask: Ask, _caller: Caller) -> Served:
        self.acts += 1
        if self.does is None:
            await self.gate.wait()
            return WHOLE
        if isinstance(self.does, Exception):
            raise self.does
        return self.does

    async def ask(self, key: str = KEY, body: bytes = BODY, caller: Caller = CALLER) -> Served:
        return await self.repeating.handle(key, body, read_complete(body, {}), caller, self.act)

    async def code(self, key: str = KEY, body: bytes = BODY, caller: Caller = CALLER) -> str:
        with pytest.raises(RequestError) as refused:
            await self.ask(key, body, caller)
        return refused.value.code

    def chunks(self, *parts: bytes) -> AsyncGenerator[bytes, None]:
        """A stream that waits at the gate before its last part, and has a last word when the service stops."""

        async def source() -> AsyncGenerator[bytes, None]:
            try:
                for part in parts[:-1]:
                    yield part
                await self.gate.wait()
                yield parts[-1]
            except asyncio.CancelledError as cancelled:
                if cancelled.args != (DRAINING,):
                    raise
                yield b"[draining]"
            finally:
                self.events.count("source", "closed")

        return source()

    def streams(self, *parts: bytes) -> None:
        self.does = Served(status=200, headers=(("content-type", "text/event-stream"),), chunks=self.chunks(*parts))

    @property
    def closed(self) -> int:
        return self.events.counts.count(("source", "closed"))


@asynccontextmanager
async def scene(folder: Path, drain_s: float = 30.0) -> AsyncIterator[Scene]:
    clock = ScriptedClock()
    clock._ids = 1000 * next(PROCESSES)  # no two processes give the same names
    database = SqliteJobs(folder, clock)
    await database.open()
    it = Scene(database, clock, drain_s)
    try:
        yield it
    finally:
        await it.repeating.close()
        await database.close()


async def whole(served: Served) -> bytes:
    return served.body if served.chunks is None else b"".join([chunk async for chunk in served.chunks])


async def left(asking: asyncio.Task[Served]) -> None:
    """The caller leaves."""
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
