"""The stand-in: every path it answers, on one local port.

Rule: it behaves as the documented API does, and knows nothing of who calls it. Whatever is not the
API (faults, the bill, what was seen) is under /_standin/ and needs no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from hashlib import blake2b

import msgspec

from .answers import Script
from .batches import Batches
from .bill import Statement
from .catalogue import listing, one
from .clock import Clock
from .connection import Connection, Request
from .faults import Fault, Faults
from .generator import Generator, Pace, decode
from .limits import Limits
from .messages import Frame
from .play import Play
from .refused import NOT_FOUND, Refused
from .rules import check_version
from .seen import Seen
from .substitutes import error_body

ORGANIZATION = ("anthropic-organization-id", "00000000-0000-4000-8000-00000000cafe")
JSON = ("content-type", "application/json")
JSONL = ("content-type", "application/x-jsonl")
EVENT_STREAM = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
CONTROL = "/_standin/"

_encode = msgspec.json.Encoder().encode
_read_faults = msgspec.json.Decoder(list[Fault])

Handler = Callable[[Request, str, str], Play]


class StandIn:
    """One stand-in with its own cache, bill, limits and faults. Building it opens nothing."""

    def __init__(
        self,
        *,
        clock: Clock,
        limits: Limits | None = None,
        keep_requests: bool = False,
        pace: Pace | None = None,
        script: Script | None = None,
    ) -> None:
        self._clock = clock
        self._number = 0
        self._born_ms = clock.now_ms()
        self._generator = Generator(clock, limits or Limits(), pace or Pace(), self._new_id, script)
        self._batches = Batches(clock, self._generator.batched, self._new_id)
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self.seen = Seen(keep_requests)
        self.url = ""
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/v1/messages"): self._create,
            ("POST", "/v1/messages/count_tokens"): self._count,
            ("POST", "/v1/messages/batches"): self._create_batch,
            ("GET", "/v1/messages/batches"): self._list_batches,
            ("GET", "/v1/models"): self._list_models,
        }
        self._controls: dict[tuple[str, str], Callable[[Request], bytes]] = {
            ("GET", "faults"): lambda request: _encode(self.faults.list()),
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): lambda request: self._cleared(self.faults.clear),
            ("GET", "bill"): lambda request: _encode(self.bill()),
            ("DELETE", "bill"): lambda request: self._cleared(self._generator.bill.clear),
            ("GET", "seen"): lambda request: _encode(self.seen.told()),
            ("DELETE", "seen"): lambda request: self._cleared(self.seen.clear),
        }

    @property
    def faults(self) -> Faults:
        return self._generator.faults

    def bill(self) -> Statement:
        return self._generator.bill.statement()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 finds a free one. `url` says where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, host, port)
        bound = self._server.sockets[0].getsockname()
        self.url = f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.abort()
        await self._server.wait_closed()
        self._server, self.url = None, ""

    def respond(self, request: Request) -> Play:
        """The play that answers a request. Never raises for what a client sent."""
        request_id = self._new_id("req")
        if request.path.startswith(CONTROL):
            return self._control(request, request_id)
        self.seen.note(request)
        stamp: tuple[tuple[str, str], ...] = (("request-id", request_id), ORGANIZATION)
        try:
            workspace = _workspace(request)
            stamp = (*stamp, ("anthropic-workspace-id", workspace))
            if request.too_large:
                raise Refused("Request exceeds the maximum size", "request_too_large", 413)
            play = self._route(request)(request, workspace, request_id)
        except Refused as refused:
            play = _refusal(refused, request_id)
        except RecursionError:
            play = _refusal(Refused("The request body is nested too deeply"), request_id)
        play.headers = (*play.headers, *stamp)
        return play

    # --- the API ---

    def _route(self, request: Request) -> Handler:
        handler = self._routes.get((request.method, request.path))
        if handler is not None:
            return handler
        if request.method == "GET" and request.path.startswith("/v1/models/"):
            return self._one_model
        if request.path.startswith("/v1/messages/batches/"):
            return self._one_batch
        raise Refused("Not found", NOT_FOUND, 404)

    def _create(self, request: Request, workspace: str, request_id: str) -> Play:
        play = self._generator.create(request.body, request.headers, workspace, request_id)
        if play.begin is not None:
            play.headers = (*play.headers, *(EVENT_STREAM if play.stream else (JSON,)))
        return play

    def _count(self, request: Request, workspace: str, request_id: str) -> Play:
        return _json({"input_tokens": self._generator.count(request.body, request.headers)})

    def _create_batch(self, request: Request, workspace: str, request_id: str) -> Play:
        check_version(request.headers)
        return _json(self._batches.create(decode(request.body), request.headers, workspace))

    def _list_batches(self, request: Request, workspace: str, request_id: str) -> Play:
        check_version(request.headers)
        return _json(self._batches.listing(workspace))

    def _one_batch(self, request: Request, workspace: str, request_id: str) -> Play:
        check_version(request.headers)
        batch_id, _, verb = request.path.removeprefix("/v1/messages/batches/").partition("/")
        if (request.method, verb) == ("GET", "results"):
            return Play(headers=(JSONL,), frames=[Frame(self._batches.results(batch_id, workspace))])
        if (request.method, verb) not in (("GET", ""), ("POST", "cancel")):
            raise Refused("Not found", NOT_FOUND, 404)
        told = self._batches.retrieve(batch_id, workspace)
        return _json(told | {"results_url": self.url + told["results_url"]})

    def _list_models(self, request: Request, workspace: str, request_id: str) -> Play:
        check_version(request.headers)
        return _json(listing(request.query, self._clock.now_ms()))

    def _one_model(self, request: Request, workspace: str, request_id: str) -> Play:
        check_version(request.headers)
        return _json(one(request.path.removeprefix("/v1/models/"), self._clock.now_ms()))

    # --- the controls ---

    def _control(self, request: Request, request_id: str) -> Play:
        control = self._controls.get((request.method, request.path.removeprefix(CONTROL)))
        if control is None:
            self.seen.note(request)
            return _refusal(Refused("Not found", NOT_FOUND, 404), request_id)
        try:
            return Play(headers=(JSON,), frames=[Frame(control(request))])
        except msgspec.DecodeError as error:
            return _refusal(Refused(f"faults: {error}"), request_id)

    def _add_faults(self, request: Request) -> bytes:
        self.faults.add(*_read_faults.decode(request.body))
        return _encode(self.faults.list())

    def _cleared(self, clear: Callable[[], None]) -> bytes:
        clear()
        return b"{}"

    # --- the rest ---

    def _connected(self) -> Connection:
        return Connection(self.respond, self._clock, self._connections)

    def _new_id(self, prefix: str) -> str:
        """Counted, and unique across restarts because it begins with the time of the start."""
        self._number += 1
        return f"{prefix}_{self._born_ms:x}{self._number:08d}"


@asynccontextmanager
async def running_standin(
    *,
    clock: Clock,
    limits: Limits | None = None,
    keep_requests: bool = False,
    pace: Pace | None = None,
    script: Script | None = None,
    port: int = 0,
) -> AsyncIterator[StandIn]:
    """A stand-in that listens for as long as the block runs. `script` has the texts of some answers, or of all."""
    standin = StandIn(clock=clock, limits=limits, keep_requests=keep_requests, pace=pace, script=script)
    await standin.start(port=port)
    try:
        yield standin
    finally:
        await standin.stop()


def _json(value: object) -> Play:
    return Play(headers=(JSON,), frames=[Frame(_encode(value))])


def _refusal(refused: Refused, request_id: str) -> Play:
    body = error_body(refused.type, refused.message, request_id, refused.code)
    return Play(status=refused.status, headers=(JSON, *refused.headers), frames=[Frame(body)])


def _workspace(request: Request) -> str:
    """Who asks: any key will do, and every key is a workspace of its own."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("x-api-key", "").strip() or (token.strip() if scheme.lower() == "bearer" else "")
    if not key:
        raise Refused("authentication failed: no API key was sent", "authentication_error", 401)
    return _workspace_of(key)


@lru_cache(maxsize=4096)
def _workspace_of(key: str) -> str:
    return "wrkspc_" + blake2b(key.encode(), digest_size=12).hexdigest()
