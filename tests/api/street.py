"""The doors over a pipeline that each test scripts, on a real socket, and a client that says exactly what it says.

Rule: no test here; a request is written byte by byte, so that a test can say what no client library would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from router.api.admin import AdminKey
from router.api.admission import Admission
from router.api.auth import Keys
from router.api.door import Act, Front
from router.api.routes import build_api
from router.api.server import Ground, Server, listen, server_of
from router.clock import SystemClock
from router.errors import RequestError
from router.serving import Served
from router.telemetry import JsonEvents
from router.vocabulary import Ask, Caller, Job

BODY = b'{"id":"msg_1","type":"message"}'
JSON = ("content-type", "application/json")
SSE = (("content-type", "text/event-stream"),)
PROMPT = b'{"prompt":"hi"}'
STREAM = b'{"prompt":"hi","stream":true}'
LIMIT_BYTES = 1024 * 1024

Answering = Callable[[Ask, Caller], Awaitable[Served]]


async def plain(_ask: Ask, _caller: Caller) -> Served:
    return Served(status=200, headers=(JSON,), body=BODY)


class Scripted:
    """Answers as the test says; knows what it was asked."""

    def __init__(self, answering: Answering) -> None:
        self.asked: list[tuple[Ask, Caller]] = []
        self._answering = answering

    async def handle(self, ask: Ask, caller: Caller) -> Served:
        self.asked.append((ask, caller))
        return await self._answering(ask, caller)

    async def explain(self, _ask: Ask, _caller: Caller) -> dict[str, object]:
        return {"reason": "because"}

    async def count_tokens(self, _ask: Ask) -> Served:
        return Served(status=200, headers=(JSON,), body=b'{"input_tokens":1}')

    def models(self) -> bytes:
        return b'{"data":[]}'

    def model(self, name: str) -> bytes:
        if name.startswith("broken"):
            raise ValueError(name)
        raise RequestError("router_unknown_model", f"there is no model {name}")


class Health:
    def __init__(self, admission: Admission, events: JsonEvents) -> None:
        self._admission = admission
        self._events = events

    def ready(self) -> tuple[bool, dict[str, object]]:
        return not self._admission.draining, {"status": "ready"}

    def metrics(self) -> bytes:
        return self._events.metrics()


class Street(msgspec.Struct, kw_only=True):
    """Open doors."""

    port: int
    pipeline: Scripted
    admission: Admission
    events: JsonEvents
    server: Server
    serving: asyncio.Task[None]

    async def stopped(self) -> None:
        self.server.stop()
        await self.serving


ADMIN_KEY = "the-key-of-the-admin"


class Administered:
    """What an admin may change, as a list of what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def reload(self, who: str) -> dict[str, object]:
        return self._told(f"reload by {who}")

    def promote(self, who: str) -> dict[str, object]:
        return self._told(f"promote by {who}")

    def abort(self, who: str) -> dict[str, object]:
        raise RequestError("router_conflict", f"there is nothing to abort for {who}")

    def status(self) -> dict[str, object]:
        return self._told("status")

    def _told(self, what: str) -> dict[str, object]:
        self.asked.append(what)
        return {"told": what}


class Repeated:
    """Nothing is remembered of a key."""

    def over(self, act: Act) -> Act:
        return act


class NoJobs:
    """There are no jobs here."""

    async def status(self, job_id: str, _caller: Caller) -> Job:
        raise RequestError("router_job_unknown", f"there is no job {job_id}")

    cancel = status


@asynccontextmanager
async def open_doors(
    answering: Answering = plain,
    *,
    keys: Mapping[str, str] | None = None,
    admission: Admission | None = None,
    **ground: Any,
) -> AsyncIterator[Street]:
    clock, room = SystemClock(), admission or Admission(100)
    events = JsonEvents(write=None, clock=clock)
    pipeline = Scripted(answering)
    front = Front(
        keys=Keys(keys or {}, b"pepper"), admission=room, clock=clock, events=events, body_limit_bytes=LIMIT_BYTES
    )
    admin = (AdminKey(ADMIN_KEY), Administered())
    app = build_api(
        front=front,
        pipeline=pipeline,
        counting=pipeline,
        health=Health(room, events),
        admin=admin,
        later=(Repeated(), NoJobs()),
    )
    patience = {"drain_s": 5.0, "head_s": 5.0, "body_bytes_per_s": 1024, **ground}
    server = server_of(app, Ground(host="127.0.0.1", port=0, **patience), room)
    listening = listen("127.0.0.1", 0)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    street = Street(
        port=listening.getsockname()[1],
        pipeline=pipeline,
        admission=room,
        events=events,
        server=server,
        serving=serving,
    )
    try:
        yield street
    finally:
        server.stop()
        server.stop()
        await serving


class Told(msgspec.Struct, frozen=True):
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(self.error["details"]["error_code"])

    @property
    def error(self) -> dict[str, Any]:
        told = msgspec.json.decode(self.body)
        assert (told["type"], told["request_id"]) == ("error", self.headers["x-request-id"])
        return dict(told["error"])


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def say(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def hear(self) -> Told:
        """One whole response."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert len(lines) == len(headers), "no header comes twice"
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        else:
            body = b"".join([chunk async for chunk in self._chunks()])
        return Told(int(status.split()[1]), headers, body)

    async def head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def chunk(self) -> bytes:
        """One chunk of a chunked body; empty at its end."""
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def is_closed(self) -> bool:
        """True once the other side has ended; nothing may come before."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        while chunk := await self.chunk():
            yield chunk


@asynccontextmanager
async def line(street: Street) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def post(body: bytes = PROMPT, path: str = "/complete", /, **headers: str) -> bytes:
    """A well-formed request. Underscores in the names of headers stand for dashes."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(path: str, method: str = "GET", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def ask(street: Street, request: bytes) -> Told:
    async with line(street) as caller:
        caller.say(request)
        return await caller.hear()


async def until(true: Callable[[], bool]) -> None:
    """For what nothing announces; the test's own timeout bounds it."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
