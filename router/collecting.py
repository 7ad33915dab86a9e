"""A stream that is kept while it passes, and that goes on when the one who reads it leaves.

Rule: trunk. Who reads is waited for, as without it; only what was passed on is kept, up to a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from .relay import DRAINING

BYTES_MAX = 32 * 1024 * 1024


class Collected:
    """The chunks of one answer. Each is fetched by a task of its own, which no reader's leaving cancels."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], bytes_max: int = BYTES_MAX) -> None:
        self._chunks = chunks
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._size = 0
        self._pull: asyncio.Task[bytes | None] | None = None
        self._broken = False

    @property
    def body(self) -> bytes | None:
        """All that came so far; None once it is more than can be kept, or when its source failed."""
        return None if self._broken or self._size > self._bytes_max else b"".join(self._parts)

    async def next(self) -> bytes | None:
        """The next chunk, None at the end. Cancelled, it loses nothing: the next call goes on."""
        pull = self._pull = self._pull or asyncio.ensure_future(self._pulled())
        try:
            await asyncio.wait({pull})
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (DRAINING,):
                raise
            pull.cancel(DRAINING)  # the source has its last words
            await asyncio.wait({pull})
        self._pull = None
        return pull.result()

    async def close(self) -> None:
        """Ends the source."""
        pull, self._pull = self._pull, None
        if pull is not None:
            pull.cancel()
            await asyncio.wait({pull})
        await self._chunks.aclose()

    async def _pulled(self) -> bytes | None:
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            return None
        except BaseException:
            self._broken = True  # asked again, it would only say that it is over
            raise
        self._size += len(chunk)
        if self._size <= self._bytes_max:
            self._parts.append(chunk)
        else:
            self._parts.clear()
        return chunk
