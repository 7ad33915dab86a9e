"""What a door reads of a request: its headers, its id, and its body within the limits.

Rule: bytes and headers as they came; what they mean is for wire/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from litestar.types import Receive, Scope

from ..errors import RequestError
from ..ports import Clock
from .admission import Place

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Gone(Exception):
    """The caller has left; nobody is there to be answered."""


def headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name. A header that comes again is joined by commas, as HTTP has it."""
    pairs = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    return headers if len(headers) == len(list(pairs)) else _joined(scope)


def _joined(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for encoded, value in scope["headers"]:
        name = encoded.decode("latin-1")
        said = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {said}" if name in headers else said
    return headers


def request_id_of(headers: Mapping[str, str], clock: Clock) -> str:
    """The caller's own, when it is one that can be logged as it is; else a new one."""
    given = headers.get("x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else clock.new_id("req")


async def read_body(headers: Mapping[str, str], receive: Receive, limit_bytes: int, place: Place) -> bytes:
    """The whole body, as bytes. Raises RequestError for what we do not take, Gone when it breaks off."""
    _only_plain_json(headers)
    declared = int(headers.get("content-length") or 0)
    if declared > limit_bytes:
        raise _too_large(limit_bytes)
    place.hold(declared)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message["body"]
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if not declared:
            place.hold(len(part))
        parts.append(part)
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _only_plain_json(headers: Mapping[str, str]) -> None:
    """Any content type whose body is JSON: `curl -d` sends none of its own."""
    encoding = headers.get("content-encoding")
    if encoding and encoding.strip().lower() != "identity":
        raise RequestError("router_encoding", "send the body uncompressed", field="content-encoding")
    if headers.get("content-type", "").lower().lstrip().startswith("multipart/"):
        raise RequestError("router_encoding", "send JSON, not a form", field="content-type")


def _too_large(limit_bytes: int) -> RequestError:
    return RequestError("router_too_large", f"the body is larger than {limit_bytes // (1024 * 1024)} MB")
