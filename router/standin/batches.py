"""Message batches, in small: every item runs at once, at half the price.

Rule: items fail one by one, as a result each; only a malformed batch is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .clock import Clock
from .prompt import Json
from .refused import NOT_FOUND, Refused

ITEMS_MAX = 100_000
LIFE = timedelta(hours=24)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")

RunItem = Callable[[Any, Mapping[str, str], str], bytes]

_encode = msgspec.json.Encoder().encode


class Batch(msgspec.Struct):
    """A batch that has run."""

    id: str
    workspace: str
    created: datetime
    counts: dict[str, int]
    results: list[bytes]


class Batches:
    """All batches of all workspaces; none sees another's."""

    def __init__(self, clock: Clock, run: RunItem, new_id: Callable[[str], str]) -> None:
        self._clock = clock
        self._run = run
        self._new_id = new_id
        self._batches: dict[str, Batch] = {}

    def create(self, body: Any, headers: Mapping[str, str], workspace: str) -> Json:
        """POST /v1/messages/batches. The answer still says in_progress, as the real one would."""
        items = _checked(body)
        results = [self._result(item, headers, workspace) for item in items]
        counts = dict.fromkeys(COUNTS, 0)
        for kind, _ in results:
            counts[kind] += 1
        batch = Batch(self._new_id("msgbatch"), workspace, self._now(), counts, [line for _, line in results])
        self._batches[batch.id] = batch
        running = dict.fromkeys(COUNTS, 0) | {"processing": len(items)}
        return _described(batch) | {
            "processing_status": "in_progress",
            "ended_at": None,
            "results_url": None,
            "request_counts": running,
        }

    def retrieve(self, batch_id: str, workspace: str) -> Json:
        """GET /v1/messages/batches/{id}; also the answer to cancel: there is nothing left to cancel."""
        return _described(self._find(batch_id, workspace))

    def listing(self, workspace: str) -> Json:
        """GET /v1/messages/batches, the newest first."""
        page = [_described(batch) for batch in reversed(self._batches.values()) if batch.workspace == workspace]
        return {
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": False,
        }

    def results(self, batch_id: str, workspace: str) -> bytes:
        """GET /v1/messages/batches/{id}/results, as JSONL."""
        return b"\n".join(self._find(batch_id, workspace).results) + b"\n"

    def _find(self, batch_id: str, workspace: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None or batch.workspace != workspace:
            raise Refused(f"batch: {batch_id}", NOT_FOUND, 404)
        return batch

    def _result(self, item: Json, headers: Mapping[str, str], workspace: str) -> tuple[str, bytes]:
        result: Json
        try:
            message = self._run(item["params"], headers, workspace)
            result = {"type": "succeeded", "message": msgspec.Raw(message)}
        except Refused as refused:
            error = {"type": refused.type, "message": refused.message}
            result = {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}
        return str(result["type"]), _encode({"custom_id": item["custom_id"], "result": result})

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def _checked(body: Any) -> list[Json]:
    items = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= ITEMS_MAX:
        raise Refused(f"requests: Input should be a list of 1 to {ITEMS_MAX} items")
    seen: set[str] = set()
    for index, item in enumerate(items):
        custom_id = item.get("custom_id") if isinstance(item, dict) else None
        if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
            raise Refused(f"requests.{index}.custom_id: String should match pattern '^{CUSTOM_ID.pattern}$'")
        if custom_id in seen:
            raise Refused(f"requests.{index}.custom_id: must be unique, but {custom_id!r} is repeated")
        if "params" not in item:
            raise Refused(f"requests.{index}.params: Field required")
        seen.add(custom_id)
    return items


def _described(batch: Batch) -> Json:
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": batch.counts,
        "created_at": _time(batch.created),
        "ended_at": _time(batch.created),
        "expires_at": _time(batch.created + LIFE),
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"/v1/messages/batches/{batch.id}/results",
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
