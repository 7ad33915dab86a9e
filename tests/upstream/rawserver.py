"""A server that does to a socket exactly what a test says, and remembers what it received."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

JSON = "content-type: application/json"
SSE = "content-type: text/event-stream; charset=utf-8"


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self, *, with_body: bool = True) -> Request:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0")) if with_body else 0
        return Request(method, path, headers, await self._reader.readexactly(length))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Returns when the client has hung up."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionResetError:
            pass

    def cut(self) -> None:
        """Close as a crash does: with a reset, not with an end."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def end(self) -> None:
        self._writer.close()


Script = Callable[[Wire], Awaitable[None]]


class RawServer:
    """Plays one script on every connection. `requests` and `connections` are what it saw."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.url = ""
        self.connections = 0
        self.hung_up = asyncio.Event()  # some connection is over

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._script(Wire(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.hung_up.set()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[RawServer]:
    server = RawServer(script)
    listening = await asyncio.start_server(server.play, "127.0.0.1", 0, limit=2**20)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


def answering(*responses: bytes) -> Script:
    """Each request of a connection gets the next response, whole; then the connection ends."""

    async def script(wire: Wire) -> None:
        for response in responses:
            await wire.request()
            await wire.send(response)

    return script


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A response with its length. Without headers of its own it is JSON."""
    lines = (f"HTTP/1.1 {status} Anything", *(headers or (JSON,)), f"content-length: {len(body)}", "", "")
    return "\r\n".join(lines).encode("latin-1") + body


def chunked(*parts: bytes, headers: tuple[str, ...] = (SSE,)) -> bytes:
    """A streamed response, with its end."""
    return head(*headers) + b"".join(chunk(part) for part in parts) + b"0\r\n\r\n"


def head(*headers: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *headers, "transfer-encoding: chunked", "", "")).encode("latin-1")


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


def message(text: str = "Paris.", *, stop: str = "end_turn", **changed: object) -> bytes:
    content = [{"type": "text", "text": text}] if text else []
    fields: dict[str, object] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }
    return msgspec.json.encode({**fields, **changed})


def error(type_: str, code: str | None = None, text: str = "as it came") -> bytes:
    fields: dict[str, object] = {"type": type_, "message": text}
    if code is not None:
        fields["details"] = {"error_code": code}
    return msgspec.json.encode({"type": "error", "error": fields, "request_id": "req_1"})


def event(name: str, **fields: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))


def delta(text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def events(*texts: str) -> tuple[bytes, ...]:
    """A whole stream, event by event."""
    opening = msgspec.json.decode(message(""))
    usage = {"input_tokens": 10, "output_tokens": 1}
    return (
        event("message_start", message={**opening, "stop_reason": None, "usage": usage}),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        *(delta(text) for text in texts or ("Par", "is.")),
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 5}),
        event("message_stop"),
    )
