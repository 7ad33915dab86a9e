"""Requests that are named by their callers: the same name and body get the same answer, without a second call.

Rule: trunk. A key is taken, durably, before anything is sent. What is begun under it is ended under it, whether its
caller stays or not; where its end was not seen, that is said, and nothing is generated a second time in silence.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from .collecting import Collected
from .errors import CODES, RequestError, error_body
from .ports import Clock, Events
from .relay import DRAINING
from .serving import Served
from .vocabulary import Ask, Caller, Keyed, KeyedState
from .wire.idempotency import HEADER, key_of

DRAIN_S = 60.0  # so long an answer whose caller left may take to its end
DRAINED_AT_ONCE = 200
OWED_MAX = 200
BEAT_S = 10.0  # less than half of the stores' lease
SWEEP_EVERY = 60  # beats
RETRY_AFTER_S_MAX = 5
OVERLOADED = 529
REPLAYED = ("idempotent-replayed", "true")
# These end a request before a model has generated anything: the key is free again. So do all that begin with 4, and
# whatever says itself that nothing was spent.
NOTHING_SPENT = frozenset(
    {
        "router_overloaded",
        "router_ledger_unavailable",
        "router_draining",
        "router_jobs_full",
        "router_tier_overloaded",
        "router_upstream_auth",
        "router_redirect",
    }
)

Act = Callable[[Ask, Caller], Awaitable[Served]]


class KeyStore(Protocol):
    """Durable. Each call raises RequestError(router_ledger_unavailable) when it could not be done."""

    async def begin(self, mine: Keyed) -> Keyed | None: ...  # what is there now, by its token; None: there is no room
    async def finish(self, mine: Keyed) -> bool: ...  # as it ended; False: the row is gone
    async def forget(self, mine: Keyed) -> None: ...  # the key is free again
    async def beat(self, owner: str) -> None: ...  # what it runs is alive
    async def sweep(self) -> int: ...  # forgets what is too old to be asked for


class Repeating:
    """Of one process."""

    def __init__(self, *, store: KeyStore, clock: Clock, events: Events, drain_s: float = DRAIN_S) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._drain_s = drain_s
        self._owner = clock.new_id("run")
        self._draining: set[asyncio.Task[None]] = set()
        self._owed: dict[str, tuple[Keyed, Keyed | None]] = {}  # ends that the store has not taken yet, by token

    def over(self, act: Act) -> Act:
        """The same act, once for each key: for a door."""

        async def acted(ask: Ask, caller: Caller) -> Served:
            key = ask.sent_headers.get(HEADER)
            if key is None:
                return await act(ask, caller)
            return await self.handle(key, ask.raw, ask, caller, act)

        return acted

    async def handle(self, key: str, raw_body: bytes, ask: Ask, caller: Caller, act: Act) -> Served:
        """The answer, or the answer again. Raises RequestError."""
        mine = Keyed(
            tenant=caller.tenant,
            key=hashlib.sha256(key_of(key).encode()).digest(),
            body=hashlib.sha256(raw_body).digest(),
            token=self._clock.new_id("key"),
            owner=self._owner,
        )
        run = asyncio.ensure_future(self._run(mine, ask, caller, act))
        try:
            await asyncio.wait({run})
        except asyncio.CancelledError as cancelled:
            if cancelled.args == (DRAINING,):
                run.cancel(DRAINING)
                await asyncio.wait({run})
            self._let_go(lambda within_s: self._left(run, within_s))
            raise
        return run.result()

    async def keep(self) -> None:
        """Tells the store that what runs is alive, and what it could not take before; until it is cancelled."""
        beats = 0
        while True:
            await self._clock.sleep(BEAT_S)
            beats += 1
            try:
                await self._store.beat(self._owner)
                await self._pay()
                if beats % SWEEP_EVERY == 0:
                    await self._store.sweep()
            except RequestError:
                self._events.count("keys", "store_failed")

    async def close(self) -> None:
        """Ends what still runs for callers who left. Before the books are closed."""
        while self._draining:
            for task in self._draining:
                task.cancel(DRAINING)
            await asyncio.wait(set(self._draining))
        try:
            await self._pay()
        except RequestError:
            self._events.count("keys", "store_failed")

    async def _run(self, mine: Keyed, ask: Ask, caller: Caller, act: Act) -> Served:
        there = await self._store.begin(mine)
        if there is None:
            raise RequestError("router_overloaded", "too many keys are kept already; nothing was sent")
        if there.token != mine.token:
            return self._again(there, mine)
        ended: Keyed | None = _unknown(mine)  # of whatever nobody foresaw
        try:
            served = await act(ask, caller)
            if served.chunks is not None:
                ended = mine
                return msgspec.structs.replace(served, chunks=self._passed(mine, served, Collected(served.chunks)))
            ended = _answer(mine, served, served.body)
        except RequestError as error:
            ended = _refusal(mine, error, caller.request_id)
            raise
        finally:
            await self._end(mine, ended)
        return served

    def _again(self, there: Keyed, mine: Keyed) -> Served:
        """What is there already. Raises RequestError."""
        if there.body != mine.body:
            message = f"this {HEADER} came with another body before; a new request needs a new key"
            raise RequestError("router_idempotency_reuse", message, field=HEADER)
        if there.state is KeyedState.RUNNING:
            wait_s = 1 + int(self._clock.dice() * RETRY_AFTER_S_MAX)
            message = "the request with this key is still running; ask again in a moment"
            raise RequestError("router_idempotency_running", message, field=HEADER, retry_after_s=wait_s)
        if there.state is KeyedState.UNKNOWN:
            message = "the request with this key was begun, and how it ended is not known; a new key asks anew"
            raise RequestError("router_outcome_unknown", message, field=HEADER)
        self._events.count("keys", "replayed")
        return Served(status=there.status, headers=(*there.headers, REPLAYED), body=there.answer)

    # ---- a stream is kept while it passes, and its end is kept before its caller sees it

    async def _passed(self, mine: Keyed, served: Served, collected: Collected) -> AsyncGenerator[bytes, None]:
        ended = False
        try:
            while (chunk := await collected.next()) is not None:
                yield chunk
            ended = True
            await self._end(mine, _answer(mine, served, collected.body))
        finally:
            if not ended:
                self._let_go(lambda within_s: self._drained(mine, served, collected, within_s))

    # ---- who leaves does not end what was begun

    def _let_go(self, draining: Callable[[float], Coroutine[Any, Any, None]]) -> None:
        within_s = self._drain_s if len(self._draining) < DRAINED_AT_ONCE else 0.0
        task = asyncio.ensure_future(draining(within_s))
        self._draining.add(task)
        task.add_done_callback(self._is_over)

    def _is_over(self, task: asyncio.Task[None]) -> None:
        self._draining.discard(task)
        failed = not task.cancelled() and task.exception() is not None
        self._events.count("keys", "drain_failed" if failed else "drained")

    async def _left(self, run: asyncio.Task[Served], within_s: float) -> None:
        """A run whose caller left before there was anything to read. It ends its own key."""
        try:
            async with asyncio.timeout(within_s):
                await asyncio.wait({run})
        except TimeoutError:
            pass
        finally:
            run.cancel()
            await asyncio.wait({run})
            await self._unread(run)

    async def _unread(self, run: asyncio.Task[Served]) -> None:
        if run.cancelled() or run.exception() is not None:
            return
        chunks = run.result().chunks
        if chunks is not None:
            await anext(chunks, b"")  # begun first: a generator that never was is closed without running
            await chunks.aclose()

    async def _drained(self, mine: Keyed, served: Served, collected: Collected, within_s: float) -> None:
        """The rest of a stream that nobody reads."""
        ended: Keyed | None = _unknown(mine)
        try:
            async with asyncio.timeout(within_s):
                while await collected.next() is not None:
                    pass
            ended = _answer(mine, served, collected.body)
        except TimeoutError:
            pass
        finally:
            await collected.close()
            await self._end(mine, ended)

    # ---- what the store must know in the end

    async def _end(self, mine: Keyed, ended: Keyed | None) -> None:
        """None frees the key; a row that still runs is left as it is. What the store does not take now is owed."""
        if ended is mine:
            return
        try:
            await self._write(mine, ended)
        except RequestError:
            self._events.count("keys", "store_failed")
            self._owe(mine, ended)
        except asyncio.CancelledError:
            self._owe(mine, ended)
            raise

    def _owe(self, mine: Keyed, ended: Keyed | None) -> None:
        if len(self._owed) >= OWED_MAX:
            ended = ended and _unknown(mine)  # no room to remember an answer by
        self._owed[mine.token] = (mine, ended)

    async def _pay(self) -> None:
        for mine, ended in list(self._owed.values()):
            await self._write(mine, ended)

    async def _write(self, mine: Keyed, ended: Keyed | None) -> None:
        if ended is None:
            await self._store.forget(mine)
        else:
            await self._store.finish(ended)
        self._owed.pop(mine.token, None)


def _unknown(mine: Keyed) -> Keyed:
    return msgspec.structs.replace(mine, state=KeyedState.UNKNOWN)


def _answer(mine: Keyed, served: Served, body: bytes | None) -> Keyed | None:
    """The answer, to be given again; None where nothing was generated, so that the key may be used again."""
    if 400 <= served.status < 500 or served.status == OVERLOADED:
        return None
    if body is None:  # larger than what can be kept
        return _unknown(mine)
    return msgspec.structs.replace(
        mine, state=KeyedState.DONE, status=served.status, headers=served.headers, answer=body
    )


def _refusal(mine: Keyed, error: RequestError, request_id: str) -> Keyed | None:
    """The error, to be given again; None where it came before a model had generated anything."""
    if error.status < 500 or error.code in NOTHING_SPENT or not error.spent:
        return None
    headers = [("content-type", "application/json")]
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(error.retry_after_s)))
    retry = CODES[error.code].retry
    if retry is not None:
        headers.append(("x-should-retry", "true" if retry else "false"))
    return msgspec.structs.replace(
        mine,
        state=KeyedState.DONE,
        status=error.status,
        headers=tuple(headers),
        answer=error_body(error, request_id),
    )
