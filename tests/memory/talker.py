"""A server that speaks as Redis does, and answers as the test says: late, or wrong, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from router.memory.redis_replies import PREFIX


class Talker:
    """`say(key)` answers GET."""

    def __init__(self, say: Callable[[bytes], Awaitable[bytes | None]]) -> None:
        self.url = ""
        self.connections = 0
        self.values: dict[bytes, bytes] = {}  # as they were set
        self.written = asyncio.Event()
        self._say = say

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Talker]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                command = await self._read(reader)
                value: bytes | None = b"OK"
                if command[0] == b"GET":
                    value = await self._say(command[1].removeprefix(PREFIX))
                elif command[0] == b"SET":
                    self.values[command[1].removeprefix(PREFIX)] = command[2]
                    self.written.set()
                writer.write(b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value))
                await writer.drain()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> list[bytes]:
        parts = int((await reader.readuntil(b"\r\n"))[1:])
        command = []
        for _ in range(parts):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            command.append((await reader.readexactly(size + 2))[:-2])
        return command
