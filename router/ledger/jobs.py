"""Jobs in a database: what the trunk asks of it, as statements. The same for SQLite and Postgres.

Rule: every change of a job that runs names its lease, owner and number of tries, so that a run that has lost it
changes nothing. What is bound is never logged.
"""

from __future__ import annotations

import re

import msgspec

from ..vocabulary import Door, Job, JobState, Telling
from .jobs_sql import LEASE_MS, Database, Row, Value

QUEUED_MAX = 10_000
BYTES_MAX = 4 * 1024 * 1024 * 1024
TOLD_OF_EACH = 2  # at once, so that one tenant's slow receiver does not keep the others'

_COLUMNS = (
    "job_id, tenant, request_id, at_ms, state, door, {body}, headers, webhook, tries, owner, not_before_ms, "
    "answered_ms, status, answer_headers, answer, error, telling, telling_tries"
)
_WHOLE = _COLUMNS.format(body="body")
_TOLD = _COLUMNS.format(body="job_id")  # nobody who asks how a job stands needs its request
_MINE = "job_id = :job_id AND state = 'running' AND owner = :owner AND tries = :tries"

# What stands between the texts are names of our own.
_ADD = """
INSERT INTO jobs (job_id, tenant, request_id, at_ms, state, door, body, headers, webhook, tries, owner,
    lease_until_ms, not_before_ms, answered_ms, status, answer_headers, answer, error, size, telling, telling_tries,
    telling_ms)
SELECT :job_id, :tenant, :request_id, :at_ms, 'queued', :door, :body, :headers, :webhook, 0, '',
    0, :not_before_ms, 0, 0, :empty, :empty, '', :size, 'none', 0, 0
FROM (
    SELECT
        coalesce(sum(CASE WHEN state IN ('queued', 'running') THEN 1 ELSE 0 END), 0) AS waiting,
        coalesce(sum(CASE WHEN state IN ('queued', 'running') AND tenant = :tenant THEN 1 ELSE 0 END), 0) AS own,
        coalesce(sum(size), 0) AS bytes,
        coalesce(sum(CASE WHEN tenant = :tenant THEN size ELSE 0 END), 0) AS own_bytes
    FROM jobs
) AS room
WHERE waiting < :queued_max AND bytes + :size <= :bytes_max
    AND (own = waiting OR own < :own_max) AND (own_bytes = bytes OR own_bytes + :size <= :own_bytes_max)
RETURNING job_id
"""
_GET = f"SELECT {_TOLD} FROM jobs WHERE job_id = :job_id AND tenant = :tenant"  # noqa: S608
_CLAIM = f"""
UPDATE jobs SET state = 'running', owner = :owner, tries = tries + 1, lease_until_ms = :now + :lease
WHERE job_id IN (
    SELECT job_id FROM jobs
    WHERE (state = 'queued' AND not_before_ms <= :now)
        OR (state = 'running' AND :shared = 1 AND lease_until_ms < :now)
    ORDER BY at_ms LIMIT :limit {{locked}}
)
RETURNING {_WHOLE}
"""  # noqa: S608
_BEAT = """
UPDATE jobs SET lease_until_ms = :now + :lease WHERE state = 'running' AND owner = :owner RETURNING job_id
"""
_LATER = f"""
UPDATE jobs SET state = 'queued', owner = '', not_before_ms = :now + :wait_ms WHERE {_MINE} RETURNING job_id
"""  # noqa: S608
_FINISH = f"""
UPDATE jobs SET state = :state, answered_ms = :now, status = :status, answer_headers = :answer_headers,
    answer = :answer, error = :error, body = :empty, size = :size, telling_ms = :now,
    telling = CASE WHEN webhook = '' THEN 'none' ELSE 'pending' END
WHERE {_MINE} RETURNING job_id
"""  # noqa: S608
_CANCEL = """
UPDATE jobs SET state = 'cancelled', answered_ms = :now, body = :empty, size = 0
WHERE job_id = :job_id AND tenant = :tenant AND state IN ('queued', 'running') RETURNING job_id
"""
_SWEEP = """
DELETE FROM jobs WHERE answered_ms > 0 AND answered_ms < :now - :keep_ms AND telling <> 'pending' RETURNING job_id
"""
_DUE = f"""
UPDATE jobs SET telling_tries = telling_tries + 1, telling_ms = :now + :hold_ms
WHERE job_id IN (
    SELECT job_id FROM jobs
    WHERE telling = 'pending' AND telling_ms <= :now AND job_id IN (
        SELECT job_id FROM (
            SELECT job_id, row_number() OVER (PARTITION BY tenant ORDER BY telling_ms, at_ms) AS place
            FROM jobs WHERE telling = 'pending' AND telling_ms <= :now
        ) AS due WHERE place <= :each
    )
    ORDER BY telling_ms LIMIT :limit {{locked}}
)
RETURNING {_TOLD}
"""  # noqa: S608
_TELL = """
UPDATE jobs SET telling = :telling, telling_ms = :now + :wait_ms WHERE job_id = :job_id AND telling = 'pending'
RETURNING job_id
"""
_ID = re.compile(r"\w{1,64}", re.ASCII)
_HEADERS = msgspec.json.Decoder(tuple[tuple[str, str], ...])


class StoredJobs:
    """Implements deferring.JobStore and delivering.Outbox."""

    def __init__(
        self, database: Database, *, queued_max: int = QUEUED_MAX, bytes_max: int = BYTES_MAX, lease_ms: int = LEASE_MS
    ) -> None:
        self._database = database
        self._queued_max = queued_max
        self._bytes_max = bytes_max
        self._lease_ms = lease_ms
        # Who comes second takes other rows, where there may be a second one.
        self._locked = "FOR UPDATE SKIP LOCKED" if database.shared else ""

    async def add(self, job: Job) -> bool:
        room: dict[str, Value] = {
            "queued_max": self._queued_max,
            "bytes_max": self._bytes_max,
            "own_max": self._queued_max // 2,
            "own_bytes_max": self._bytes_max // 2,
        }
        kept: dict[str, Value] = {
            "job_id": job.job_id,
            "tenant": job.tenant,
            "request_id": job.request_id,
            "at_ms": job.at_ms,
            "door": job.door.value,
            "body": job.body,
            "headers": msgspec.json.encode(job.headers),
            "webhook": job.webhook,
            "not_before_ms": job.not_before_ms,
            "size": len(job.body),
            "empty": b"",
        }
        return bool(await self._run(_ADD, {**kept, **room}))

    async def get(self, job_id: str, tenant: str) -> Job | None:
        rows = await self._run(_GET, {"job_id": _plain(job_id), "tenant": tenant})
        return _told(rows[0]) if rows else None

    async def claim(self, owner: str, limit: int) -> list[Job]:
        bound: dict[str, Value] = {"owner": owner, "limit": limit, "lease": self._lease_ms}
        bound["shared"] = int(self._database.shared)
        rows = await self._run(_CLAIM.format(locked=self._locked), bound)
        return sorted((_job(row) for row in rows), key=lambda job: job.at_ms)

    async def beat(self, owner: str) -> frozenset[str]:
        rows = await self._run(_BEAT, {"owner": owner, "lease": self._lease_ms})
        return frozenset(str(row[0]) for row in rows)

    async def later(self, job: Job, wait_ms: int) -> bool:
        return bool(await self._run(_LATER, {**_lease(job), "wait_ms": wait_ms}))

    async def finish(self, job: Job) -> bool:
        ended: dict[str, Value] = {
            "state": job.state.value,
            "status": job.status,
            "answer_headers": msgspec.json.encode(job.answer_headers),
            "answer": job.answer,
            "error": job.error,
            "size": len(job.answer),
            "empty": b"",
        }
        return bool(await self._run(_FINISH, {**_lease(job), **ended}))

    async def cancel(self, job_id: str, tenant: str) -> Job | None:
        bound: dict[str, Value] = {"job_id": _plain(job_id), "tenant": tenant, "empty": b""}
        _, rows = await self._database.run((_CANCEL, bound), (_GET, bound))
        return _told(rows[0]) if rows else None

    async def sweep(self, keep_ms: int) -> int:
        return len(await self._run(_SWEEP, {"keep_ms": keep_ms}))

    async def due(self, limit: int, hold_ms: int) -> list[Job]:
        rows = await self._run(
            _DUE.format(locked=self._locked), {"limit": limit, "hold_ms": hold_ms, "each": TOLD_OF_EACH}
        )
        return [_told(row) for row in rows]

    async def told(self, job_id: str, telling: Telling, wait_ms: int) -> None:
        await self._run(_TELL, {"job_id": job_id, "telling": telling.value, "wait_ms": wait_ms})

    async def _run(self, statement: str, bound: dict[str, Value]) -> list[Row]:
        (rows,) = await self._database.run((statement, bound))
        return rows


def _lease(job: Job) -> dict[str, Value]:
    return {"job_id": job.job_id, "owner": job.owner, "tries": job.tries}


def _plain(job_id: str) -> str:
    """As it may be bound: a path may hold what no database takes, and none of our ids does."""
    return job_id if _ID.fullmatch(job_id) else ""


def _told(row: Row) -> Job:
    return msgspec.structs.replace(_job(row), body=b"")


def _job(row: Row) -> Job:
    return Job(
        job_id=row[0],
        tenant=row[1],
        request_id=row[2],
        at_ms=row[3],
        state=JobState(row[4]),
        door=Door(row[5]),
        body=row[6],
        headers=_HEADERS.decode(row[7]),
        webhook=row[8],
        tries=row[9],
        owner=row[10],
        not_before_ms=row[11],
        answered_ms=row[12],
        status=row[13],
        answer_headers=_HEADERS.decode(row[14]) if row[14] else (),
        answer=row[15],
        error=row[16],
        telling=Telling(row[17]),
        telling_tries=row[18],
    )
