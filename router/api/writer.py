"""Writes one response: whole, streamed, or refused.

Rule: what was begun is ended. A stream that fails ends with an `error` event, and its source is closed on
every way out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

from litestar.types import Message, Send

from ..errors import RequestError, error_body
from ..serving import Served
from ..wire.sse import encode
from .failures import Headers, answer

_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# A stream that is always ready must let others have their turn, the watch for its own caller's leaving too.
TURN_CHUNKS = 64
# What ends a stream: after it, an error would say of a whole answer that it is none.
LAST_WORDS = (b"event: message_stop", b"event: error")
_closing: set[asyncio.Future[None]] = set()  # the loop itself holds its tasks weakly only


class Writer:
    """One response. Once its head is out, an error can only end it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._started = False
        self._streaming = False
        self._last_chunk = b""
        self._begun = False  # the stream's source has been asked for its first chunk

    async def serve(self, served: Served) -> None:
        if served.chunks is None:
            await self._whole(served.status, served.headers, served.body)
            return
        try:
            await self._head(served.status, served.headers)
            self._streaming = True
            await self._pass_on(served.chunks)
        except BaseException:
            await _closed(served.chunks, self._begun)
            raise
        await self._last(b"")

    async def _pass_on(self, chunks: AsyncGenerator[bytes, None]) -> None:
        sent = 0
        self._begun = True
        async for chunk in chunks:
            self._last_chunk = chunk
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            sent += 1
            if sent % TURN_CHUNKS == 0:
                await asyncio.sleep(0)

    async def refuse(self, error: RequestError, *more: tuple[str, str]) -> None:
        """The error as the response, or as the last event of one that is under way."""
        if not self._started:
            status, headers, body = answer(error, self._request_id)
            await self._whole(status, (*headers, *more), body)
        elif self._streaming:
            ended = any(mark in self._last_chunk for mark in LAST_WORDS)
            await self._last(b"" if ended else encode("error", error_body(error, self._request_id)))

    async def _whole(self, status: int, headers: Headers, body: bytes) -> None:
        await self._head(status, (*headers, ("content-length", str(len(body)))))
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _last(self, body: bytes) -> None:
        self._streaming = False
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _head(self, status: int, headers: Headers) -> None:
        start: Message = {
            "type": "http.response.start",
            "status": status,
            "headers": stamped(headers, self._request_id),
        }
        self._started = True
        await self._send(start)


def stamped(headers: Headers, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers as bytes, with the request's id; `request-id` stays the API's own where there is one."""
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    if _CONTROLS.search(b"".join([value for _, value in encoded])):
        encoded = [(name, _CONTROLS.sub(b"?", value)) for name, value in encoded]
    ours = request_id.encode()
    encoded.append((b"x-request-id", ours))
    if not any(name == b"request-id" for name, _ in encoded):
        encoded.append((b"request-id", ours))
    return encoded


async def _closed(chunks: AsyncGenerator[bytes, None], begun: bool) -> None:
    """Closes a stream's source to the end, whoever else is cancelled meanwhile."""
    closing = asyncio.ensure_future(_ended(chunks, begun))
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    await asyncio.shield(closing)


async def _ended(chunks: AsyncGenerator[bytes, None], begun: bool) -> None:
    """A generator that was never begun is closed without running: begun first, so that it settles. Its
    first chunk is held ready and waits for nothing."""
    if not begun:
        await anext(chunks, b"")
    await chunks.aclose()
