"""The one error shape, for everything that can go wrong at a door.

Rule: the only broad catch of the doors leads here; what a caller sees of our own faults is an id.
"""

from __future__ import annotations

from collections.abc import Mapping

from litestar.exceptions import ClientException, MethodNotAllowedException, NotFoundException

from ..errors import CODES, RequestError, error_body

Headers = tuple[tuple[str, str], ...]


def headers_of(error: RequestError) -> Headers:
    """`retry-after` and `x-should-retry`, as the code has it."""
    headers = [("content-type", "application/json")]
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(error.retry_after_s)))
    retry = CODES[error.code].retry
    if retry is not None:
        headers.append(("x-should-retry", "true" if retry else "false"))
    return tuple(headers)


def answer(error: RequestError, request_id: str) -> tuple[int, Headers, bytes]:
    return error.status, headers_of(error), error_body(error, request_id)


def of_the_framework(error: Exception) -> RequestError:
    """Litestar's own exceptions: no such path, not with this method, or a host that is none."""
    if isinstance(error, MethodNotAllowedException):
        return RequestError("router_method", "this path does not take this method; see GET /schema")
    if isinstance(error, NotFoundException):
        return RequestError("router_not_found", "there is no such path; see GET /schema")
    if isinstance(error, ClientException):
        return RequestError("router_bad_framing", "the header host names no host", field="host")
    return internal()


def internal() -> RequestError:
    return RequestError("router_internal", "this is our fault; the service's log has the request id")


def allowed(error: Exception) -> Mapping[str, str]:
    """The `allow` header that a 405 owes."""
    return dict(error.headers or {}) if isinstance(error, MethodNotAllowedException) else {}
