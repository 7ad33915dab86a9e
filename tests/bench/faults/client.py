"""The one who asks: an open loop over raw sockets, whose requests leave on schedule whatever became of the others.

Rule: a wait is counted from the instant at which the request was due, so that a slow system cannot slow its
own load. Nothing is tried again, but for a kept-alive connection that was closed before it took the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from .judge import Ended, Raw

IDLE_MAX = 256


class Broken(Exception):
    """The response ended before its framing did. `got` is what came of the body."""

    def __init__(self, got: bytes) -> None:
        super().__init__("broken")
        self.got = got


@dataclass
class _Begun:
    """A response whose head may have come already."""

    status: int = 0
    headers: dict[str, str] | None = None


class Client:
    """Connections to one server, used again while they live."""

    def __init__(self, url: str, timeout_s: float) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._timeout_s = timeout_s
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.reconnects = 0

    async def post(self, path: str, body: bytes, more: str = "") -> Raw:
        """`more` is lines of further headers, each with its end."""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\ncontent-type: application/json\r\n"
            f"x-api-key: bench\r\nanthropic-version: 2023-06-01\r\n{more}content-length: {len(body)}\r\n\r\n"
        ).encode()
        begun = _Begun()
        got, ended = await self._ended(head + body, begun)
        return Raw(begun.status, begun.headers or {}, got, ended)

    async def _ended(self, request: bytes, begun: _Begun) -> tuple[bytes, Ended]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(request, begun), "clean"
        except TimeoutError:
            return b"", "timeout"
        except Broken as broken:
            return broken.got, "broken"
        except ConnectionRefusedError:
            return b"", "refused"
        except (OSError, EOFError, ValueError, LookupError):
            return b"", "broken"

    async def _answer(self, request: bytes, begun: _Begun) -> bytes:
        while True:
            kept = self._kept()
            reader, writer = kept or await asyncio.open_connection(self._host, self._port)
            try:
                with _closing_unless_done(writer):
                    writer.write(request)
                    body = await read_answer(reader, begun)
            except (OSError, EOFError) as lost:
                begun_reply = isinstance(lost, asyncio.IncompleteReadError) and bool(lost.partial)
                if kept is None or begun.status or begun_reply:
                    raise
                self.reconnects += 1
                continue
            self._keep(reader, writer, begun.headers or {})
            return body

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    def _keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
        framed = "content-length" in headers or headers.get("transfer-encoding") == "chunked"
        if framed and headers.get("connection", "") != "close" and len(self._idle) < IDLE_MAX:
            self._idle.append((reader, writer))
        else:
            writer.close()

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


@contextmanager
def _closing_unless_done(writer: asyncio.StreamWriter) -> Iterator[None]:
    """A response that was given up leaves the rest of it on the connection."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            writer.close()


async def read_answer(reader: asyncio.StreamReader, begun: _Begun) -> bytes:
    """The body; what is known of the head is left in `begun`, however it ends."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    begun.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    begun.status = int(first.split()[1])
    if begun.headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    length = begun.headers.get("content-length")
    if length is None:
        return await reader.read()
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as short:
        raise Broken(short.partial) from short


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    try:
        while size := int(await reader.readline() or b"?", 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    except asyncio.IncompleteReadError as short:
        raise Broken(bytes(body + short.partial)) from short
    except (OSError, ValueError) as lost:
        raise Broken(bytes(body)) from lost
    return bytes(body)


async def open_loop(number: int, rate: float, ask: Callable[[int, float], Awaitable[None]]) -> None:
    """Calls `ask(i, due)` for each of `number` requests when it is due, and waits for all of them at the end."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    asking = set()
    for index in range(number):
        due = began + index / rate
        await asyncio.sleep(max(0.0, due - loop.time()))
        asking.add(asyncio.ensure_future(ask(index, due)))
    await asyncio.gather(*asking)
