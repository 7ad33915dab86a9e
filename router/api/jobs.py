"""The path of a job: how it stands, and its answer; or that nobody wants it any more.

Rule: who may not know of a job is told what those are told who ask for one that never was.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from litestar import Request, Response, delete, get
from litestar.params import FromPath

from ..vocabulary import Caller, Job, JobState
from ..wire.jobs import job_fields
from .door import Front
from .request import headers_of, request_id_of

RETRY_AFTER_S = 2
OPEN = frozenset({JobState.QUEUED, JobState.RUNNING})
AnyRequest = Request[Any, Any, Any]


class Jobs(Protocol):
    """router.deferring, as this door knows it. Both raise RequestError(router_job_unknown)."""

    async def status(self, job_id: str, caller: Caller) -> Job: ...
    async def cancel(self, job_id: str, caller: Caller) -> Job: ...


def job_routes(front: Front, jobs: Jobs) -> list[Any]:
    def who(request: AnyRequest) -> Caller:
        headers = headers_of(request.scope)
        return front.keys.caller(headers, request_id_of(headers, front.clock))

    @get("/jobs/{name:str}")
    async def job(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        caller = who(request)
        return _told(caller, await jobs.status(name, caller))

    @delete("/jobs/{name:str}", status_code=200)
    async def cancel(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        caller = who(request)
        return _told(caller, await jobs.cancel(name, caller))

    return [job, cancel]


def _told(caller: Caller, job: Job) -> Response[bytes]:
    fields = job_fields(job)
    named = {
        "x-request-id": caller.request_id,
        "request-id": caller.request_id,
        "location": str(fields["url"]),
        "cache-control": "no-store",
    }
    if job.state in OPEN:
        named["retry-after"] = str(RETRY_AFTER_S)
    return Response(msgspec.json.encode(fields), status_code=200, media_type="application/json", headers=named)
