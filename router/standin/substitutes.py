"""Answers that come instead of a message: an error status, a page, a redirect, or nothing at all.

Rule: pure. Nothing was generated, so none of them has a row in the bill.
"""

from __future__ import annotations

import msgspec

from .faults import Fault
from .messages import Frame
from .play import Ending, Play, error_type

SUBSTITUTES = frozenset({"status", "close", "redirect", "html", "null"})
ELSEWHERE = "/_standin/elsewhere"
PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
JSON = ("content-type", "application/json")


def substitute(fault: Fault, request_id: str) -> Play:
    """What comes instead of the message."""
    if fault.kind == "close":
        return Play(frames=[], speechless=True, ending=Ending.CUT)
    if fault.kind == "redirect":
        return Play(status=307, headers=(("location", fault.location or ELSEWHERE),), frames=[Frame(b"")])
    if fault.kind == "html":
        return Play(headers=(("content-type", "text/html"),), frames=[Frame(PAGE)])
    if fault.kind == "null":
        return Play(headers=(JSON,), frames=[Frame(b"null")])
    status = fault.status if fault.kind == "status" else 529
    body = error_body(
        error_type(fault, status), fault.message or f"The stand-in was told to fail ({status}).", request_id,
        fault.error_code,
    )  # fmt: skip
    retry = (("retry-after", str(fault.retry_after)),) if fault.retry_after is not None else ()
    return Play(
        status=status if fault.kind == "status" else 200,
        headers=(JSON, *retry),
        frames=[Frame(body)],
        head_delay_s=fault.delay_s or 0.0,
    )


def error_body(kind: str, message: str, request_id: str, code: str | None = None) -> bytes:
    """The API's error shape."""
    error: dict[str, object] = {"type": kind, "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})
