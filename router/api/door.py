"""One request at a door: read the bytes, ask the pipeline, write what it serves, notice who leaves.

Rule: ASGI in, ASGI out; no decision. Everything that goes wrong ends in the one error shape.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from litestar.types import Receive, Scope, Send

from ..errors import RequestError
from ..ports import Clock, Events
from ..relay import DRAINING
from ..serving import Served
from ..vocabulary import Ask, Caller
from .admission import Admission, draining
from .auth import Keys
from .failures import internal
from .request import Gone, headers_of, read_body, request_id_of
from .writer import Writer

# A caller is watched for leaving only once a request takes longer than most: a watch costs a task.
WATCH_AFTER_S = 0.02
RETRY_AFTER_S_MAX = 5
_log = logging.getLogger("tierwise")

Read = Callable[[bytes, Mapping[str, str]], Ask]
Act = Callable[[Ask, Caller], Awaitable[Served]]


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """What every door shares."""

    keys: Keys
    admission: Admission
    clock: Clock
    events: Events
    body_limit_bytes: int


class Door:
    """An ASGI application for one request of one kind."""

    def __init__(self, front: Front, read: Read, act: Act) -> None:
        self._front = front
        self._read = read
        self._act = act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        request_id = request_id_of(headers, self._front.clock)
        writer = Writer(send, request_id)
        try:
            await self._answer(headers, request_id, receive, writer)
        except Gone:
            return
        except RequestError as error:
            await self._refuse(error, headers, writer)
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (DRAINING,):
                raise
            await self._refuse(draining(), headers, writer)
        except Exception as fault:  # noqa: BLE001 - the one broad catch of the doors
            log_fault(request_id, fault)
            await self._refuse(internal(), headers, writer)

    async def _answer(self, headers: Mapping[str, str], request_id: str, receive: Receive, writer: Writer) -> None:
        front = self._front
        caller = front.keys.caller(headers, request_id)
        can_wait = headers.get("x-router-workload", "interactive") != "interactive"
        with front.admission.admitted(can_wait=can_wait) as place:
            body = await read_body(headers, receive, front.body_limit_bytes, place)
            await self._act_watched(self._read(body, headers), caller, receive, writer)

    async def _act_watched(self, ask: Ask, caller: Caller, receive: Receive, writer: Writer) -> None:
        """Raises Gone when the caller leaves first; what was begun has then been settled."""
        watch = Watch(receive)
        try:
            await writer.serve(await self._act(ask, caller))
        except asyncio.CancelledError:
            if not watch.caller_left:
                raise
            raise Gone from None
        finally:
            watch.stop()

    async def _refuse(self, error: RequestError, headers: Mapping[str, str], writer: Writer) -> None:
        self._front.events.count("refusals", error.code)
        if error.code == "router_overloaded" and error.retry_after_s is None:
            # Spread out, so that those who were turned away do not come back all at once.
            error.retry_after_s = 1 + int(self._front.clock.dice() * RETRY_AFTER_S_MAX)
        # Who waits for a 100 before sending a body may send it or not: the connection ends either way.
        more = (("connection", "close"),) if "expect" in headers else ()
        await writer.refuse(error, *more)


class Watch:
    """Cancels the request's own task when its caller leaves."""

    def __init__(self, receive: Receive) -> None:
        self.caller_left = False
        self._receive = receive
        self._request = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._begin)

    def stop(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.caller_left = True
        if self._request is not None:
            self._request.cancel()


def log_fault(request_id: str, fault: BaseException) -> None:
    """A fault of our own: its kind and its place, without its words, which may quote a request."""
    nameless = RuntimeError(type(fault).__name__).with_traceback(fault.__traceback__)
    _log.error("request %s failed: %s", request_id, type(fault).__name__, exc_info=nameless)
