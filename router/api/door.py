"""One request at a door: read the bytes, ask the pipeline, write what it serves, notice who leaves.

Rule: ASGI in, ASGI out; no decision. Everything that goes wrong ends in the one error shape.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

import msgspec
from litestar.types import Message, Receive, Scope, Send

from ..errors import RequestError
from ..ports import Clock, Events
from ..serving import Served
from ..vocabulary import Ask, Caller
from .admission import Admission
from .auth import Keys
from .failures import answer, internal

# A caller is watched for leaving only once a request takes longer than most: a watch costs a task.
WATCH_AFTER_S = 0.02
# A reader who takes nothing for so long is gone (row P4).
STALLED_S = 60.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_log = logging.getLogger("tierwise")

Read = Callable[[bytes, Mapping[str, str]], Ask]
Act = Callable[[Ask, Caller], Awaitable[Served]]


class Gone(Exception):
    """The caller has left; nobody is there to be answered."""


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
            self._front.events.count("refusals", error.code)
            await writer.refuse(error)
        except Exception as fault:  # noqa: BLE001 - the one broad catch of the doors
            _log.error("request %s failed: %s", request_id, type(fault).__name__, exc_info=_without_values(fault))
            await writer.refuse(internal())

    async def _answer(self, headers: Mapping[str, str], request_id: str, receive: Receive, writer: Writer) -> None:
        front = self._front
        caller = front.keys.caller(headers, request_id)
        with front.admission.admitted():
            body = await read_body(headers, receive, front.body_limit_bytes)
            with front.admission.holding(len(body)):
                await self._act_watched(self._read(body, headers), caller, receive, writer)

    async def _act_watched(self, ask: Ask, caller: Caller, receive: Receive, writer: Writer) -> None:
        """Raises Gone when the caller leaves first; what was begun has then been settled."""
        watch = Watch(receive)
        try:
            await writer.serve(await self._act(ask, caller))
        except asyncio.CancelledError:
            if not watch.caller_left:
                raise
            watch.forgive()
            raise Gone from None
        finally:
            watch.stop()


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

    def forgive(self) -> None:
        """The cancellation has been dealt with: the task may end in peace."""
        if self._request is not None:
            self._request.uncancel()

    def _begin(self) -> None:
        self._watching = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.caller_left = True
        if self._request is not None:
            self._request.cancel()


class Writer:
    """Writes one response. Once its head is out, an error can only end it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._started = False

    async def serve(self, served: Served) -> None:
        if served.chunks is None:
            await self._whole(served.status, served.headers, served.body)
            return
        async with aclosing(served.chunks) as chunks:
            await self._head(served.status, served.headers)
            async for chunk in chunks:
                async with asyncio.timeout(STALLED_S):
                    await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, error: RequestError) -> None:
        if not self._started:
            await self._whole(*answer(error, self._request_id))

    async def _whole(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        await self._head(status, (*headers, ("content-length", str(len(body)))))
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _head(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        encoded.append((b"x-request-id", self._request_id.encode()))
        if not any(name == b"request-id" for name, _ in encoded):
            encoded.append((b"request-id", self._request_id.encode()))
        self._started = True
        start: Message = {"type": "http.response.start", "status": status, "headers": encoded}
        await self._send(start)


async def read_body(headers: Mapping[str, str], receive: Receive, limit_bytes: int) -> bytes:
    """The whole body, as bytes. Raises RequestError for what we do not take, Gone when it breaks off."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError("router_encoding", "send the body uncompressed", field="content-encoding")
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise RequestError("router_encoding", "send JSON, not a form", field="content-type")
    if int(headers.get("content-length") or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message["body"]
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        parts.append(part)
        if not message["more_body"]:
            return b"".join(parts)


def headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def request_id_of(headers: Mapping[str, str], clock: Clock) -> str:
    """The caller's own, when it is one that can be logged as it is; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else clock.new_id("req")


def _too_large(limit_bytes: int) -> RequestError:
    return RequestError("router_too_large", f"the body is larger than {limit_bytes // (1024 * 1024)} MB")


def _without_values(fault: BaseException) -> BaseException:
    """The fault's place without its words, which may quote a request."""
    return RuntimeError(type(fault).__name__).with_traceback(fault.__traceback__)
