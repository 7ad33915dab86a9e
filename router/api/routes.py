"""The paths of the service, and who answers at each.

Rule: Litestar finds the handler; the handler hands a Door the right reader and the right act.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath
from litestar.types import Receive, Scope, Send

from ..errors import RequestError
from ..serving import Served
from ..vocabulary import Ask, Caller
from ..wire.ask import read_complete, read_counted, read_messages
from .admin import Administers, AdminKey, admin_routes
from .door import Act, Door, Front, log_fault
from .failures import allowed, answer, of_the_framework
from .jobs import Jobs, job_routes
from .openapi import DOCUMENT
from .request import headers_of, request_id_of

JSON_HEADERS = (("content-type", "application/json"),)
FRONT = "front"  # where the application keeps what the server under it shares with the doors

AnyRequest = Request[Any, Any, Any]


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


class Repeats(Protocol):
    """Requests with an idempotency-key, answered once."""

    def over(self, act: Act) -> Act: ...


def build_api(
    *,
    front: Front,
    pipeline: Handles,
    counting: Counts,
    health: Health,
    admin: tuple[AdminKey, Administers],
    later: tuple[Repeats, Jobs],
) -> Litestar:
    """The ASGI application."""
    repeating, jobs = later

    async def explain_it(ask: Ask, caller: Caller) -> Served:
        told = await pipeline.explain(ask, caller)
        return Served(status=200, headers=JSON_HEADERS, body=msgspec.json.encode(told))

    async def count_it(ask: Ask, _caller: Caller) -> Served:
        return await counting.count_tokens(ask)

    doors = {
        "/complete": Door(front, read_complete, repeating.over(pipeline.handle)),
        "/v1/messages": Door(front, read_messages, pipeline.handle),
        "/v1/messages/count_tokens": Door(front, read_counted, count_it),
        "/explain": Door(front, read_complete, explain_it),
    }
    return Litestar(
        route_handlers=[
            *(_opened(path, door) for path, door in doors.items()),
            *_models(front, counting),
            *_about(front, health),
            *job_routes(front, jobs),
            *admin_routes(*admin, front.clock),
        ],
        exception_handlers={Exception: _refused(front)},
        openapi_config=None,
        logging_config=None,
        debug=False,
        state=State({FRONT: front}),
    )


def _opened(path: str, door: Door) -> Any:
    @post(path, status_code=200)
    async def opened() -> Opened:
        return Opened(door)

    return opened


def _models(front: Front, counting: Counts) -> list[Any]:
    """The Models API, from the catalogue."""

    @get("/v1/models")
    async def models(request: AnyRequest) -> Response[bytes]:
        front.keys.caller(headers_of(request.scope), "")
        return _told(front, request, counting.models())

    @get("/v1/models/{name:str}")
    async def model(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        front.keys.caller(headers_of(request.scope), "")
        return _told(front, request, counting.model(name))

    return [models, model]


def _about(front: Front, health: Health) -> list[Any]:
    """The paths that tell of the service itself. They ask for no key: probes have none."""

    @get("/health/live")
    async def live(request: AnyRequest) -> Response[bytes]:
        return _told(front, request, b'{"status":"live"}')

    @get("/health/ready")
    async def ready(request: AnyRequest) -> Response[bytes]:
        is_ready, told = health.ready()
        return _told(front, request, msgspec.json.encode(told), status=200 if is_ready else 503)

    @get("/metrics")
    async def metrics(request: AnyRequest) -> Response[bytes]:
        return _told(front, request, health.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @get("/schema")
    async def schema(request: AnyRequest) -> Response[bytes]:
        return _told(front, request, DOCUMENT)

    return [live, ready, metrics, schema]


def _told(
    front: Front, request: AnyRequest, body: bytes, *, status: int = 200, media_type: str = "application/json"
) -> Response[bytes]:
    request_id = request_id_of(headers_of(request.scope), front.clock)
    named = {"x-request-id": request_id, "request-id": request_id}
    return Response(body, status_code=status, media_type=media_type, headers=named)


def _refused(front: Front) -> Callable[[AnyRequest, Exception], Response[bytes]]:
    """Whatever is raised outside a Door, in the one error shape."""

    def refused(request: AnyRequest, fault: Exception) -> Response[bytes]:
        error = fault if isinstance(fault, RequestError) else of_the_framework(fault)
        request_id = request_id_of(headers_of(request.scope), front.clock)
        if error.code == "router_internal":
            log_fault(request_id, fault)
        front.events.count("refusals", error.code)
        status, headers, body = answer(error, request_id)
        named = {**dict(headers), **allowed(fault), "x-request-id": request_id, "request-id": request_id}
        return Response(body, status_code=status, headers=named, media_type=MediaType.JSON)

    return refused
