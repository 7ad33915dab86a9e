"""A job as JSON: what GET /jobs/{id} says, and what a webhook is told.

Rule: pure. An answer goes out as the bytes that were stored; it is never read and written again.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from ..vocabulary import Job, JobState

NOTHING = msgspec.Raw(b"null")


class _Error(msgspec.Struct):
    error: msgspec.Raw = NOTHING


def job_fields(job: Job) -> dict[str, object]:
    """What anybody may know who may know of the job at all."""
    return {
        "type": "job",
        "id": job.job_id,
        "status": job.state.value,
        "url": f"/jobs/{job.job_id}",
        "request_id": job.request_id,
        "created_at": moment(job.at_ms),
        "answered_at": moment(job.answered_ms) if job.answered_ms else None,
        "tries": job.tries,
        "answer": msgspec.Raw(job.answer) if job.state is JobState.DONE else None,
        "error": _error(job),
    }


def told_of_job(job: Job, delivery_id: str) -> bytes:
    """The body of a webhook."""
    fields = job_fields(job)
    wanted = ("status", "url", "request_id", "answered_at", "answer", "error")
    told = {"id": delivery_id, "type": "job", "job": job.job_id, **{name: fields[name] for name in wanted}}
    return msgspec.json.encode(told)


def moment(at_ms: int) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(job: Job) -> msgspec.Raw | None:
    """The inner error of the one error shape; an answer that is no such shape says at least its status."""
    if job.state is not JobState.FAILED:
        return None
    try:
        return msgspec.json.decode(job.answer, type=_Error).error
    except (msgspec.DecodeError, msgspec.ValidationError):
        return msgspec.Raw(msgspec.json.encode({"type": "api_error", "message": f"the API answered {job.status}"}))
