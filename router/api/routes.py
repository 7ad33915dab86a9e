"""The paths of the service, and who answers at each.

Rule: Litestar finds the handler; the handler hands a Door the right reader and the right act.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.types import Receive, Scope, Send

from ..errors import RequestError
from ..serving import Served
from ..vocabulary import Ask, Caller
from ..wire.ask import read_complete, read_counted, read_messages
from .door import Door, Front, headers_of, request_id_of
from .failures import allowed, answer, of_the_framework
from .openapi import DOCUMENT

JSON_HEADERS = (("content-type", "application/json"),)


class Handles(Protocol):
    """The pipeline, as the doors know it."""

    async def handle(self, ask: Ask, caller: Caller) -> Served: ...
    async def explain(self, ask: Ask, caller: Caller) -> dict[str, object]: ...


class Counts(Protocol):
    async def count_tokens(self, ask: Ask) -> Served: ...
    def models(self) -> bytes: ...
    def model(self, name: str) -> bytes: ...


class Health(Protocol):
    def ready(self) -> tuple[bool, dict[str, object]]: ...
    def metrics(self) -> bytes: ...


class Opened(Response[bytes]):
    """Litestar's way to a Door: the response is the whole of the request's handling."""

    def __init__(self, door: Door) -> None:
        super().__init__(b"")
        self._door = door

    def to_asgi_response(self, *_arguments: Any, **_named: Any) -> Callable[[Scope, Receive, Send], Awaitable[None]]:  # type: ignore[override]
        return self._door


def build_api(*, front: Front, pipeline: Handles, counting: Counts, health: Health) -> Litestar:
    """The ASGI application."""

    async def explain_it(ask: Ask, caller: Caller) -> Served:
        told = await pipeline.explain(ask, caller)
        return Served(status=200, headers=JSON_HEADERS, body=msgspec.json.encode(told))

    async def count_it(ask: Ask, _caller: Caller) -> Served:
        return await counting.count_tokens(ask)

    complete_door = Door(front, read_complete, pipeline.handle)
    messages_door = Door(front, read_messages, pipeline.handle)
    count_door = Door(front, read_counted, count_it)
    explain_door = Door(front, read_complete, explain_it)

    @post("/complete", status_code=200)
    async def complete() -> Opened:
        return Opened(complete_door)

    @post("/v1/messages", status_code=200)
    async def messages() -> Opened:
        return Opened(messages_door)

    @post("/v1/messages/count_tokens", status_code=200)
    async def count_tokens() -> Opened:
        return Opened(count_door)

    @post("/explain", status_code=200)
    async def explain() -> Opened:
        return Opened(explain_door)

    @get("/v1/models", media_type=MediaType.JSON)
    async def models(request: Request[Any, Any, Any]) -> Response[bytes]:
        _known_caller(front, request)
        return _json(counting.models())

    @get("/v1/models/{name:str}", media_type=MediaType.JSON)
    async def model(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
        _known_caller(front, request)
        return _json(counting.model(name))

    return Litestar(
        route_handlers=[complete, messages, count_tokens, explain, models, model, *_about(health)],
        exception_handlers={Exception: _refused(front), RequestError: _refused(front)},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _about(health: Health) -> list[Any]:
    """The paths that tell of the service itself."""

    @get("/health/live", media_type=MediaType.JSON)
    async def live() -> Response[bytes]:
        return _json(b'{"status":"live"}')

    @get("/health/ready", media_type=MediaType.JSON)
    async def ready() -> Response[bytes]:
        is_ready, told = health.ready()
        return _json(msgspec.json.encode(told), 200 if is_ready else 503)

    @get("/metrics")
    async def metrics() -> Response[bytes]:
        return Response(health.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @get("/schema", media_type=MediaType.JSON)
    async def schema() -> Response[bytes]:
        return _json(DOCUMENT)

    return [live, ready, metrics, schema]


def _json(body: bytes, status: int = 200) -> Response[bytes]:
    return Response(body, media_type=MediaType.JSON, status_code=status)


def _known_caller(front: Front, request: Request[Any, Any, Any]) -> None:
    headers = headers_of(request.scope)
    front.keys.caller(headers, request_id_of(headers, front.clock))


def _refused(front: Front) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    def refused(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
        error = fault if isinstance(fault, RequestError) else of_the_framework(fault)
        front.events.count("refusals", error.code)
        request_id = request_id_of(headers_of(request.scope), front.clock)
        status, headers, body = answer(error, request_id)
        named = {**dict(headers), **allowed(fault), "x-request-id": request_id, "request-id": request_id}
        return Response(body, status_code=status, headers=named, media_type=MediaType.JSON)

    return refused
