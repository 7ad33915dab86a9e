"""How much of an answer is believed: caps on the head, the body, an error's body and an event.

They hold below the SDK, which has none: it inflates what is compressed, joins lines without end and
reads error bodies whole. Rule: nothing is ever inflated, nothing is read past its cap.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import msgspec

COMPRESSED = "tierwise.compressed"  # in a response's extensions: it came compressed although identity was asked
_ERROR_BODY_S = 5.0  # an error's status is worth more than waiting for its body


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes, each far above what the API sends."""

    answer_bytes: int = 32 * 1024 * 1024
    event_bytes: int = 4 * 1024 * 1024
    error_bytes: int = 1024 * 1024
    head_bytes: int = 64 * 1024


DEFAULT_CAPS = Caps()


class TooBig(Exception):
    """An answer passed a cap; its text says which, in our words."""


class Guard:
    """A response hook: it sees every head before anybody, the SDK included, reads a body.

    An error's body is read here, under its cap, and handed on from memory; what cannot be read of it
    is left out, because the status already tells what happened.
    """

    def __init__(self, caps: Caps) -> None:
        self._caps = caps

    async def __call__(self, response: httpx2.Response) -> None:
        head_bytes = sum(len(name) + len(value) for name, value in response.headers.raw)
        if head_bytes > self._caps.head_bytes:
            raise TooBig(f"a head of more than {self._caps.head_bytes} bytes")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            response.extensions[COMPRESSED] = True
            del response.headers["content-encoding"]
        if response.is_success:
            return
        body = b"" if COMPRESSED in response.extensions else await self._error_body(response)
        await response.stream.aclose()  # type: ignore[union-attr]  # an async client's response
        response.stream = httpx2.ByteStream(body)

    async def _error_body(self, response: httpx2.Response) -> bytes:
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream), "an async client's response"
        try:
            async with asyncio.timeout(_ERROR_BODY_S):
                return await _read(aiter(stream), self._caps.error_bytes)
        except (TimeoutError, TooBig, httpx2.TransportError):
            return b""


async def _read(chunks: AsyncIterator[bytes], cap_bytes: int) -> bytes:
    parts: list[bytes] = []
    seen = 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > cap_bytes:
            raise TooBig(f"an error of more than {cap_bytes} bytes")
        parts.append(chunk)
    return b"".join(parts)
