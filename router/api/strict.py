"""HTTP as strict as we need it: uvicorn's httptools protocol, with what it lets through taken out.

Slow heads and bodies, readers who take nothing, oversized heads and whatever framing.py complains of end
in a 4xx of the one error shape and a closed connection, before any ASGI code.
Rule: the ordinary path pays one pass over the headers; a timer runs only for what is unfinished.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..errors import RequestError, error_body
from ..ports import Clock, Events
from .failures import headers_of
from .framing import HEAD_BYTES_MAX, complaint, too_large

# What may come of a body that was answered before it was read, so that its sender sees the answer.
DISCARDED_BYTES_MAX = 64 * 1024 * 1024
# What a chunked body may bring beside its bytes, and what each chunk's own line costs.
CHUNK_EXTRAS_MAX = 16 * 1024
CHUNK_LINE_BYTES = 32
HOP_BY_HOP = frozenset({b"connection", b"upgrade", b"http2-settings"})


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How slow a client may be, and who is told."""

    clock: Clock
    events: Events
    head_s: float = 10.0
    body_bytes_per_s: int = 1024
    body_window_s: float = 10.0  # the body's rate is judged over windows of this length
    stalled_s: float = 60.0  # a reader whose buffer stays full for so long is gone


class StrictProtocol(HttpToolsProtocol):
    """One connection."""

    pace: Pace  # set on the class that `strict_protocol` makes

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._refused = False
        self._in_head = False
        self._in_body = False
        self._upgrading = False
        self._running: RequestResponseCycle | None = None
        self._head_bytes = 0  # of an unfinished head, after the chunk it began in
        self._body_bytes = 0
        self._body_wire_bytes = 0  # the same with everything around it
        self._chunks = 0
        self._judged_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.pace.head_s, self._head_is_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timers()
        if self._running is not None:  # uvicorn tells the newest request only; this one may be older
            _disconnect(self._running)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        was_in_head, was_reading = self._in_head, self.cycle if self._in_body else None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(RequestError("router_bad_framing", "the HTTP message is malformed"))
        if not self._refused and (self._in_head or self._in_body or self._head_timer or self._body_timer):
            self._watch(len(data) if was_in_head else 0)
            self._watch_body(len(data) if was_reading is self.cycle else 0)

    # ---- what the parser tells

    def on_message_begin(self) -> None:
        if not self._refused:
            super().on_message_begin()
            self._in_head, self._head_bytes = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer is no header: it could bring a second key
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        found = complaint(self.url, self.headers, self.parser.get_http_version())
        if found is not None:
            self._refuse(found)
            return
        self._in_head = False
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        self._in_body = True
        self._body_bytes = self._body_wire_bytes = self._judged_bytes = self._chunks = 0
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_bytes += len(body)
        if not self.cycle.response_complete:
            super().on_body(body)
        elif self._body_bytes > DISCARDED_BYTES_MAX:
            self._refuse(RequestError("router_too_large", "the body goes on after it was refused"))

    def on_message_complete(self) -> None:
        if not self._refused and not self._upgrading:
            self._in_body = False
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _stay_with_http(self, rest: bytes) -> None:
        """An offer to switch protocols is passed over: the same request again, without the offer."""
        if self._refused:
            return
        self._upgrading = False
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name not in HOP_BY_HOP:
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([*head, b"\r\n", rest]))

    # ---- who is slow

    def _watch(self, size: int) -> None:
        """After each read: a timer for a head that is unfinished, none for one that is done."""
        if self._in_head:
            self._head_bytes += size
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(too_large())
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(self.pace.head_s, self._head_is_slow)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _watch_body(self, size: int) -> None:
        """The same for a body."""
        if not self._in_body:
            if self._body_timer is not None:
                self._body_timer.cancel()
                self._body_timer = None
            return
        self._body_wire_bytes += size
        extras = self._body_wire_bytes - self._body_bytes - CHUNK_LINE_BYTES * self._chunks
        if extras > CHUNK_EXTRAS_MAX:
            self._refuse(RequestError("router_bad_framing", "the chunks of the body bring too much beside their bytes"))
        elif self._body_timer is None:
            self._body_timer = self.loop.call_later(self.pace.body_window_s, self._judge_body)

    def _head_is_slow(self) -> None:
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            # We may not even be reading: it is for the answer that comes first to end.
            self._head_timer = self.loop.call_later(self.pace.head_s, self._head_is_slow)
        elif self._in_head:
            self._refuse(RequestError("router_client_slow", "the request's head took too long"))
        else:
            self.transport.close()  # a connection that never asked for anything is owed nothing

    def _judge_body(self) -> None:
        pace = self.pace
        came, self._judged_bytes = self._body_bytes - self._judged_bytes, self._body_bytes
        self._body_timer = None
        if came < pace.body_bytes_per_s * pace.body_window_s and not self.flow.read_paused:
            self._refuse(RequestError("router_client_slow", "the request's body came too slowly"))
            return
        self._body_timer = self.loop.call_later(pace.body_window_s, self._judge_body)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self.pace.stalled_s, self._reader_is_gone)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _reader_is_gone(self) -> None:
        self._stall_timer = None
        self.pace.events.count("stalled_readers")
        self.transport.abort()  # to close would wait for the reader

    def _forget_timers(self) -> None:
        for timer in (self._head_timer, self._body_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._body_timer = self._stall_timer = None

    # ---- the end

    def _refuse(self, error: RequestError) -> None:
        """Answer in the one shape, where no other answer is under way, and close."""
        if self._refused:
            return
        before = self.cycle if self._in_body else None  # the very request that is refused
        self._refused = True
        self._forget_timers()
        self.pace.events.count("refusals", error.code)
        if before is not None:
            speechless = before.response_started or bool(self.pipeline)
        else:
            speechless = self.cycle is not None and not self.cycle.response_complete
        if not speechless and not self.transport.is_closing():
            self.transport.write(_response(error, self.pace.clock.new_id("req")))
        for cycle in (self._running, self.cycle):
            if cycle is not None and not cycle.response_complete:
                _disconnect(cycle)
        self.transport.close()


def strict_protocol(pace: Pace) -> type[StrictProtocol]:
    """The protocol at this pace."""
    return type("PacedProtocol", (StrictProtocol,), {"pace": pace})


def _disconnect(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True
    cycle.message_event.set()


def _response(error: RequestError, request_id: str) -> bytes:
    body = error_body(error, request_id)
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers_of(error)]
    lines += [f"x-request-id: {request_id}", f"request-id: {request_id}"]
    lines += [f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
