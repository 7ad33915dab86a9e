"""One HTTP/1.1 connection: requests in, plays out.

Rule: no knowledge of the Messages API. A raw protocol rather than a framework, because a fault must
be able to close the connection at any byte, and because a benchmark must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import httptools
import msgspec

from .bill import Entry
from .clock import Clock
from .play import Ending, Play

BODY_BYTES_MAX = 32 * 1024 * 1024
AT_ONCE_BYTES = 64 * 1024
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}


class Request(msgspec.Struct):
    """One request as it came. `headers` has lower-case names and the last of equal ones."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes
    too_large: bool = False
    keep_alive: bool = True


class Connection(asyncio.Protocol):
    """Reads one request after the other and performs the play that answers each."""

    def __init__(self, respond: Callable[[Request], Play], clock: Clock, family: set[Connection]) -> None:
        self._respond = respond
        self._clock = clock
        self._family = family
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._dates: tuple[int, str] = (0, "")
        self._begin()

    # --- what the event loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._family.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._family.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            self._transport.abort()
            raise
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(BAD_REQUEST)
            self._transport.close()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        self._transport.abort()

    # --- what the parser calls ---

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= BODY_BYTES_MAX:
            self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers},
            raw_headers=self._headers,
            body=b"".join(self._body),
            too_large=self._size > BODY_BYTES_MAX,
            keep_alive=self._parser.should_keep_alive(),
        )
        self._begin()
        if self._task is not None:
            self._waiting.append(request)
        else:
            self._serve(request)

    def _begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0

    # --- answering ---

    def _serve(self, request: Request) -> None:
        play = self._respond(request)
        size = sum(len(frame.data) for frame in play.frames)
        slow = play.head_delay_s > 0 or play.ending is Ending.SILENT or any(frame.pause_s for frame in play.frames)
        if slow or size > AT_ONCE_BYTES:
            self._task = asyncio.get_running_loop().create_task(self._perform(play, request.keep_alive))
            self._task.add_done_callback(self._performed)
        else:
            self._perform_at_once(play, request.keep_alive)

    def _performed(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            self._transport.abort()
        while self._waiting and self._task is None and not self._transport.is_closing():
            self._serve(self._waiting.popleft())

    def _perform_at_once(self, play: Play, keep_alive: bool) -> None:
        """The usual case: all of it in one write."""
        if play.begin is not None:
            play.begin()
        pieces = [self._head(play, keep_alive), *(_chunk(play, frame.data) for frame in play.frames)]
        if play.entry is not None and play.frames:
            play.entry.produced(play.frames[-1].output_tokens)
        self._end(play, pieces, keep_alive)

    async def _perform(self, play: Play, keep_alive: bool) -> None:
        """With pauses, and no faster than the client reads."""
        if play.head_delay_s > 0:
            await self._clock.sleep(play.head_delay_s)
        if play.begin is not None:
            play.begin()
        self._transport.write(self._head(play, keep_alive))
        for frame in play.frames:
            if frame.pause_s > 0:
                await self._clock.sleep(frame.pause_s)
            await self._writable.wait()
            self._transport.write(_chunk(play, frame.data))
            _produced(play.entry, frame.output_tokens)
        if play.ending is Ending.SILENT:
            await asyncio.get_running_loop().create_future()
        self._end(play, [], keep_alive)

    def _end(self, play: Play, pieces: list[bytes], keep_alive: bool) -> None:
        if play.stream and play.ending is Ending.CLEAN:
            pieces.append(b"0\r\n\r\n")
        self._transport.write(b"".join(pieces))
        if play.entry is not None and play.whole:
            play.entry.finish(play.stop_reason, play.thinking_tokens)
        if play.ending is Ending.CUT or not keep_alive:
            self._transport.close()

    def _head(self, play: Play, keep_alive: bool) -> bytes:
        if play.speechless:
            return b""
        lines = [f"HTTP/1.1 {play.status} {REASONS.get(play.status, 'Unknown')}\r\ndate: {self._date()}\r\n"]
        lines.extend(f"{name}: {value}\r\n" for name, value in play.headers)
        if play.stream:
            lines.append("transfer-encoding: chunked\r\n")
        else:
            length = play.length if play.length is not None else sum(len(frame.data) for frame in play.frames)
            lines.append(f"content-length: {length}\r\n")
        lines.append("\r\n" if keep_alive else "connection: close\r\n\r\n")
        return "".join(lines).encode("latin-1")

    def _date(self) -> str:
        second = self._clock.now_ms() // 1000
        if self._dates[0] != second:
            self._dates = (second, formatdate(second, usegmt=True))
        return self._dates[1]


def _chunk(play: Play, data: bytes) -> bytes:
    """A piece of the body in its framing; an empty chunk would end the body."""
    if not play.stream or not data:
        return data
    return b"%x\r\n%b\r\n" % (len(data), data)


def _produced(entry: Entry | None, output_tokens: int) -> None:
    if entry is not None:
        entry.produced(output_tokens)
