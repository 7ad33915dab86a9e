"""HTTP as strict as we need it: uvicorn's httptools protocol, with what it lets through taken out.

Slow heads and bodies, oversized heads, absolute targets, a missing or repeated Host, repeated keys and
lengths, and their underscore twins each end in a 4xx and a closed connection, before any ASGI code.
Rule: the cost on the ordinary path is one pass over the headers; a timer is set only for what is slow.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..errors import RequestError, error_body
from .failures import headers_of

HEAD_BYTES_MAX = 32 * 1024
BODY_GRACE_S = 10.0
ONCE = frozenset({b"host", b"authorization", b"x-api-key", b"content-length", b"transfer-encoding", b"idempotency-key"})


class Pace:
    """How slow a client may be. Set on the protocol class that `strict_protocol` makes."""

    def __init__(self, head_s: float, body_bytes_per_s: int) -> None:
        self.head_s = head_s
        self.body_bytes_per_s = body_bytes_per_s


class StrictProtocol(HttpToolsProtocol):
    """One connection."""

    pace = Pace(10.0, 1024)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._refused = False
        self._head_bytes = 0  # of the request that is being read
        self._body_bytes = 0
        self._body_since_s = 0.0
        self._in_head = True
        self._in_body = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.pace.head_s, self._head_is_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._count(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse("router_bad_framing", "this service does not switch protocols")
        except httptools.HttpParserError:
            self._refuse("router_bad_framing", "the HTTP message is malformed")
        if not self._refused:
            self._watch()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        self._body_bytes = 0
        complaint = self._complaint()
        if complaint is not None:
            self._refuse("router_bad_framing", complaint)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            self._body_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            self._in_body = False
            self._head_bytes = 0
            super().on_message_complete()

    def _count(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)

    def _watch(self) -> None:
        """After each read: a timer for what is unfinished, none for what is done."""
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse("router_bad_framing", f"the request's head is larger than {HEAD_BYTES_MAX // 1024} KiB", 431)
            return
        if not self._in_head and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif self._in_head and self._head_bytes and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.pace.head_s, self._head_is_slow)
        if self._in_body and self._body_timer is None:
            self._body_since_s = self.loop.time()
            self._body_timer = self.loop.call_later(BODY_GRACE_S, self._look_at_body)
        elif not self._in_body and self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _head_is_slow(self) -> None:
        self._head_timer = None
        if self._head_bytes == 0:
            self.transport.close()  # a connection that never asked for anything is owed nothing
        else:
            self._refuse("router_client_slow", "the request's head took too long")

    def _look_at_body(self) -> None:
        self._body_timer = None
        if not self._in_body:
            return
        waited_s = self.loop.time() - self._body_since_s
        if self._body_bytes < waited_s * self.pace.body_bytes_per_s and not self.flow.read_paused:
            self._refuse("router_client_slow", "the request's body came too slowly")
            return
        self._body_timer = self.loop.call_later(BODY_GRACE_S / 2, self._look_at_body)

    def _complaint(self) -> str | None:
        """What is wrong with this head, if anything."""
        if not self.url.startswith(b"/"):
            return "the request's target must be a path"
        seen: set[bytes] = set()
        size = 0
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            plain = name.replace(b"_", b"-") if b"_" in name else name
            if plain not in ONCE:
                continue
            if plain in seen or plain is not name:
                return f"the header {plain.decode('latin-1')} comes twice, or under a misleading name"
            seen.add(plain)
            if plain == b"transfer-encoding" and value.lower() != b"chunked":
                return "transfer-encoding may only be chunked"
        if b"host" not in seen:
            return "the header host is missing"
        if b"content-length" in seen and b"transfer-encoding" in seen:
            return "content-length and transfer-encoding exclude each other"
        return f"the request's head is larger than {HEAD_BYTES_MAX // 1024} KiB" if size > HEAD_BYTES_MAX else None

    def _refuse(self, code: str, message: str, status: int | None = None) -> None:
        """Answer in the one shape, and close. A request that is being answered is left to the close."""
        self._refused = True
        self._forget_timers()
        error = RequestError(code, message, status=status)
        answering = self.cycle is not None and not self.cycle.response_complete and self.cycle.response_started
        if not answering and not self.transport.is_closing():
            self.transport.write(_response(error))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _forget_timers(self) -> None:
        for timer in (self._head_timer, self._body_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._body_timer = None


def strict_protocol(head_s: float, body_bytes_per_s: int) -> type[StrictProtocol]:
    """The protocol with this pace."""
    return type("PacedProtocol", (StrictProtocol,), {"pace": Pace(head_s, body_bytes_per_s)})


def _response(error: RequestError) -> bytes:
    body = error_body(error, "none")
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers_of(error)]
    lines += [f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
