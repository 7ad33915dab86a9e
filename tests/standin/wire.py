"""A client that is nothing but a socket, to see exactly which bytes come and how the connection ends.

Rule: it sends what it is told and interprets nothing but the framing of a body.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from router.standin import StandIn

HEAD = (
    "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer test\r\nanthropic-version: 2026-10-21\r\n"
    "content-length: {length}\r\n{more}\r\n"
)


class Reply(msgspec.Struct):
    """All that came until the connection closed or the body was whole."""

    head: str
    rest: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(" ", 2)[1])

    @property
    def body(self) -> bytes:
        """The body without its chunk framing, as far as it came."""
        if "transfer-encoding: chunked" not in self.head:
            return self.rest
        whole, rest = b"", self.rest
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            whole += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return whole

    @property
    def ended(self) -> bool:
        """The body is whole by its own framing."""
        if "transfer-encoding: chunked" in self.head:
            return self.rest.endswith(b"0\r\n\r\n")
        promised = self.head.lower().split("content-length: ")[1].split("\r\n")[0]
        return len(self.rest) == int(promised)

    @property
    def events(self) -> list[str]:
        return [line.removeprefix("event: ") for line in self.body.decode().split("\n") if line.startswith("event: ")]


async def post(standin: StandIn, body: bytes, path: str = "/v1/messages") -> Reply | None:
    """One request on a connection of its own; None when nothing at all came back."""
    reader, writer = await connect(standin)
    writer.write(HEAD.format(path=path, length=len(body), more="connection: close\r\n").encode() + body)
    answer = await reader.read(-1)
    await hang_up(writer)
    if not answer:
        return None
    head, _, rest = answer.partition(b"\r\n\r\n")
    return Reply(head.decode(), rest)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def connect(standin: StandIn) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = standin.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))
