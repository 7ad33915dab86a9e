"""The bytes of one answer: read under the caps and a clock, and hung up in one place.

Rule: whatever happens, `close` is the end of it: the connection goes back to the pool when it was read
to its end, and is cut otherwise, at once, so that the API stops generating.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Callable
from typing import cast

import httpx2

from .caps import TooBig

_READ = httpx2.ByteStream(b"")
_LAST_BYTES_S = 0.05  # for the end of a body whose content is complete: usually it is there already


class Body:
    """What follows a head. `released` is called once, when the connection is free again."""

    def __init__(self, response: httpx2.Response, cap_bytes: int, released: Callable[[], None]) -> None:
        self._response = response
        # The raw bytes: `aiter_bytes` would inflate them, `aiter_raw` costs two more layers a chunk.
        self._chunks = cast(AsyncGenerator[bytes, None], aiter(cast(httpx2.AsyncByteStream, response.stream)))
        self._cap_bytes = cap_bytes
        self._seen_bytes = 0
        self._ended = False
        self._released = released
        self._closed = False
        self._closing: asyncio.Task[None] | None = None
        self._silence = Silence(self._hang_up)

    async def read(self, within_s: float) -> bytes:
        """What came next, as it came; nothing at the end. Raises TimeoutError after silence."""
        self._silence.begin(within_s)
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._ended = True
            return b""
        except httpx2.TransportError:
            if self._silence.was_too_long:
                raise TimeoutError from None
            raise
        finally:
            self._silence.end()
        self._seen_bytes += len(chunk)
        if self._seen_bytes > self._cap_bytes:
            raise TooBig(f"an answer of more than {self._cap_bytes} bytes")
        return chunk

    async def read_all(self, idle_s: float, until_s: float) -> bytes:
        """The whole body. `until_s` is on the loop's clock."""
        loop = asyncio.get_running_loop()
        parts: list[bytes] = []
        while chunk := await self.read(min(idle_s, until_s - loop.time())):
            parts.append(chunk)
        return b"".join(parts)

    async def close(self, *, complete: bool = False) -> None:
        """Hang up. `complete`: the content is known to be whole, so its last bytes are worth a moment.

        A cancellation does not stop it: it runs as a task of its own, and only the wait is cancelled.
        """
        try:
            if complete and not self._ended and self._closing is None:
                await self._drain()
        finally:
            self._hang_up()
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def _hang_up(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._silence.over()
        if self._ended:  # the connection went back to its pool by itself
            self._let_go()
        else:
            self._closing = asyncio.get_running_loop().create_task(self._cut())

    async def _cut(self) -> None:
        try:
            await self._response.aclose()
            await self._chunks.aclose()
        except (httpx2.TransportError, RuntimeError):
            pass  # cut all the same: it broke off meanwhile, or another task is still reading
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """A response and its stream hold each other: undone here, they go at once, and not in a collection."""
        self._response.stream = _READ
        self._released()

    async def _drain(self) -> None:
        with contextlib.suppress(TimeoutError, httpx2.TransportError):
            async with asyncio.timeout(_LAST_BYTES_S):
                async for _ in self._chunks:
                    pass
                self._ended = True


class Silence:
    """Watches how long one read waits. One timer for all the reads of a body: a timeout for each would
    cost a third of what passing on an event costs."""

    def __init__(self, too_long: Callable[[], None]) -> None:
        self.was_too_long = False
        self._too_long = too_long
        self._loop = asyncio.get_running_loop()
        self._until_s = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, within_s: float) -> None:
        """A read begins. Its end is never before an earlier read's, so a timer that runs is early enough."""
        self._until_s = self._loop.time() + within_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._until_s, self._look)

    def end(self) -> None:
        self._until_s = math.inf

    def over(self) -> None:
        self._too_long = _nothing  # it holds us, as we hold it
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._until_s > self._loop.time():
            # Something was read meanwhile; between two reads the next one winds the clock up again.
            if self._until_s != math.inf:
                self._timer = self._loop.call_at(self._until_s, self._look)
            return
        self.was_too_long = True
        self._too_long()


def _nothing() -> None:
    pass
