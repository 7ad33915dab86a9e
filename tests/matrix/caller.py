"""A caller who says what he likes over a socket of his own, and hears all of it, byte by byte.

Rule: no test here. Each request has a connection and a request id of its own, by which the ledger knows it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

SECRET = "canary-7b1f-in-a-prompt"
TURN: Any = {"role": "user", "content": f"What is the capital of France? {SECRET}"}
_numbers = itertools.count(1)


class Told(NamedTuple):
    """One answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def code(self) -> str:
        """Of our own errors."""
        return str(self.json["error"]["details"]["error_code"])

    @property
    def router(self) -> dict[str, Any]:
        """The receipt of /complete."""
        found: dict[str, Any] = self.json["router"]
        return found

    @property
    def text(self) -> str:
        return "".join(block["text"] for block in self.json["content"] if block["type"] == "text")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Of a stream: each event's data. What is not whole is not an event."""
        *frames, rest = self.body.split(b"\n\n")
        assert not rest, "a stream ends with a whole event"
        return [msgspec.json.decode(frame.partition(b"data: ")[2]) for frame in frames]

    @property
    def names(self) -> list[str]:
        return [event["type"] for event in self.events]


class Line:
    """One connection with one request on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, path: str, fields: object, headers: dict[str, str]) -> None:
        body = fields if isinstance(fields, bytes) else msgspec.json.encode(fields)
        lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
        named = {"x-request-id": f"matrix-{next(_numbers)}", **headers}
        lines += [f"{name}: {value}" for name, value in named.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self._writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = text.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert len(headers) == len(lines), "no header comes twice"
        return int(status.split()[1]), headers

    async def answer(self) -> Told:
        """All of it. A body that ends before its end is no answer, and raises."""
        status, headers = await self.head()
        if "content-length" in headers:
            return Told(status, headers, await self.reader.readexactly(int(headers["content-length"])))
        parts = []
        while part := await self.chunk():
            parts.append(part)
        return Told(status, headers, b"".join(parts))

    async def chunk(self) -> bytes:
        """The next piece of a stream; empty at its end."""
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def event(self, name: str) -> None:
        """Reads a stream until this event has begun."""
        await self.reader.readuntil(b"event: " + name.encode())

    def leave(self) -> None:
        """As a caller whose train goes into a tunnel."""
        self._writer.transport.abort()


async def until(true: Callable[[], bool]) -> None:
    """For what nothing announces."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def post(port: int, path: str, fields: object, headers: dict[str, str] | None = None) -> Told:
    async with line(port) as one:
        await one.send(path, fields, headers or {})
        return await one.answer()


async def get(port: int, path: str) -> Told:
    async with line(port) as one:
        one._writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return await one.answer()


def asked(**fields: object) -> dict[str, object]:
    """A request to /v1/messages, which has a model and a limit."""
    return {"model": "sonnet", "max_tokens": 200, "messages": [TURN], **fields}


def prompt(words: str = "What is the capital of France?", **fields: object) -> dict[str, object]:
    """A request to /complete."""
    return {"prompt": f"{words} {SECRET}", "model": "sonnet", **fields}


def of_task(name: str, words: str = "What is the capital of France?") -> dict[str, object]:
    """A request to /complete of this task."""
    return prompt(words, router={"task": name})
