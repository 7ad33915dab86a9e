"""The service and the stand-in behind it, as child processes, and what the tests of this folder send.

Rule: no test here; whatever is asked of the stand-in goes through its own endpoints.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec

from ..processes import Process

POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}, sonnet: {model: claude-sonnet-5-5}, opus: {model: claude-opus-5-5}}
default: {tier: sonnet, task: general}
tasks: {general: {description: Anything., max_tokens: 2000}, question: {description: A short question.}}
fallbacks: {canned: "Please try again. ({request_id})", backoff_ms: 1}
limits: {idle_timeout_s: 0.3, first_byte_s: 1.0}
breaker: {enabled: false}  # each test has its own faults; tests/matrix is about many
retries: {burst: 100000}
pacing: {enabled: false}
"""
TURN: Any = {"role": "user", "content": "What is the capital of France?"}
TOOL: Any = {
    "name": "look_up",
    "description": "Looks something up.",
    "input_schema": {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]},
}
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
BETA = {"anthropic-beta": "something-new-2026-11-01,other-2026-01-01", "anthropic-version": "2026-10-21"}


class Street:
    """The service, and what is behind it."""

    def __init__(self, front: Process, back: Process, data_dir: Path) -> None:
        self.front = front
        self.back = back
        self.data_dir = data_dir

    def fresh(self) -> None:
        for path in ("faults", "bill", "seen"):
            self.back.request("DELETE", f"/_standin/{path}")

    def fault(self, **fault: object) -> None:
        status, _ = self.back.request("POST", "/_standin/faults", msgspec.json.encode([fault]))
        assert status == 200

    def bill(self) -> list[dict[str, object]]:
        found = msgspec.json.decode(self.back.get("/_standin/bill")[1])["rows"]
        assert isinstance(found, list)
        return found

    def arrived(self) -> list[bytes]:
        requests = msgspec.json.decode(self.back.get("/_standin/seen")[1])["requests"]
        return [base64.b64decode(request["body_base64"]) for request in requests if request["method"] == "POST"]

    def headers_arrived(self) -> dict[str, str]:
        return dict(msgspec.json.decode(self.back.get("/_standin/seen")[1])["requests"][-1]["headers"])

    def calls(self) -> int:
        counts = msgspec.json.decode(self.back.get("/_standin/seen")[1])["counts"]
        return int(counts.get("/v1/messages", 0))


def raw(street: Street, fields: dict[str, object], **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return street.front.request("POST", "/v1/messages", msgspec.json.encode(fields), named)


def messages(**fields: object) -> dict[str, object]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 500, "messages": [TURN], **fields}


def events_of(body: bytes) -> list[str]:
    frames = [frame for frame in body.split(b"\n\n") if frame]
    return [frame.split(b"\n")[0].removeprefix(b"event: ").decode() for frame in frames]
