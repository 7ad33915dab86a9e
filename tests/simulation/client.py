"""One request at the real door, to its end, and all that its caller got.

Rule: the caller only sees what the network shows: messages of ASGI, and when they came.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar.types import Message

from .composing import Process
from .traffic import Request


class Got(msgspec.Struct, kw_only=True):
    """What the caller got."""

    began_s: float
    ended_s: float = 0.0
    dawdled_s: float = 0.0
    heads: int = 0
    ends: int = 0  # last pieces of a body
    late: int = 0  # messages after the last
    status: int = 0
    headers: dict[str, str] = {}
    chunks: list[bytes] = []
    left: bool = False  # he went before the end
    cancelled: str = ""  # the process was stopped: drain | kill
    fault: str = ""  # the door itself broke

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Client:
    """The caller of one request."""

    def __init__(self, request: Request, began_s: float) -> None:
        self.got = Got(began_s=began_s)
        self._request = request
        self._asked = False

    async def ask(self, process: Process) -> None:
        door = process.complete if self._request.own_door else process.messages
        scope: Any = {"type": "http", "method": "POST", "path": "/", "headers": list(self._request.headers)}
        try:
            await door(scope, self._receive, self._send)
        except asyncio.CancelledError:
            if not self.got.cancelled:
                self.got.fault = "the door let a cancellation through that nobody asked for"
        finally:
            self.got.ended_s = asyncio.get_running_loop().time()

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        loop = asyncio.get_running_loop()
        leaves_after_s = self._request.leaves_after_s
        if leaves_after_s is None:
            await loop.create_future()
            raise AssertionError("never comes here")
        await asyncio.sleep(max(0.0, self.got.began_s + leaves_after_s - loop.time()))
        self.got.left = True
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        got = self.got
        if message["type"] == "http.response.start":
            got.heads += 1
            got.status = message["status"]
            got.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            return
        assert message["type"] == "http.response.body", "the doors send nothing else"
        if got.ends:
            got.late += 1
        if message["body"]:
            got.chunks.append(message["body"])
        if not message["more_body"]:
            got.ends += 1
        elif self._request.dawdles_s:
            got.dawdled_s += self._request.dawdles_s
            await asyncio.sleep(self._request.dawdles_s)
