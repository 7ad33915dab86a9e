"""The two databases that jobs and keys may be in, and jobs and keys to put there.

Rule: no test here; whatever holds for one database is tried on both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from msgspec.structs import replace

from router.ledger.jobs_postgres import PostgresJobs
from router.ledger.jobs_sql import Database
from router.ledger.jobs_sqlite import SqliteJobs
from router.vocabulary import Job, JobState, Keyed, KeyedState
from tests.worlds import ScriptedClock

# More than a lease: what a dead process ran is anybody's then.
LONG_S = 60.0


class Place:
    """One database for one test, which processes open, close, and die on."""

    def __init__(self, *, sqlite: Path | None = None, postgres: str = "") -> None:
        self.clock = ScriptedClock()
        self._sqlite = sqlite
        self.url = postgres

    @property
    def shared(self) -> bool:
        return self._sqlite is None

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Database]:
        """A process on it; after its death the next one has what it left."""
        database = SqliteJobs(self._sqlite, self.clock) if self._sqlite else PostgresJobs(self.url, clock=self.clock)
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def beside(self, first: Database) -> AsyncIterator[Database]:
        """Another process at the same time, where there can be one."""
        if not self.shared:
            yield first
            return
        async with self.process() as other:
            yield other

    def pass_away(self) -> None:
        """The time in which a dead process is found to be dead."""
        if self.shared:
            self.clock.now_s += LONG_S


@asynccontextmanager
async def place(kind: str, folder: Path, postgres: Callable[[], str]) -> AsyncIterator[Place]:
    """Postgres: a database of the test's own in the one server of all tests."""
    if kind == "sqlite":
        yield Place(sqlite=folder)
        return
    url, name = postgres(), f"test_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}".encode())
    yield Place(postgres=url.replace("/postgres?", f"/{name}?"))


def job(number: int = 1, **more: object) -> Job:
    fields: dict[str, object] = {
        "job_id": f"job_{number}",
        "tenant": "acme",
        "request_id": f"req_{number}",
        "at_ms": 1_795_001_000_000 + number,
        "body": b'{"prompt":"\\u0000 number %d"}' % number,
        "headers": (("x-router-task", "question"),),
    }
    return Job(**{**fields, **more})  # type: ignore[arg-type]


def answered(running: Job, text: bytes = b'{"id":"msg_1"}') -> Job:
    headers = (("x-router-tier", "haiku"),)
    return replace(running, state=JobState.DONE, status=200, answer=text, answer_headers=headers)


def keyed(token: str = "key_1", **more: object) -> Keyed:
    fields: dict[str, object] = {
        "tenant": "acme",
        "key": b"k" * 32,
        "body": b"b" * 32,
        "token": token,
        "owner": "run_1",
    }
    return Keyed(**{**fields, **more})  # type: ignore[arg-type]


def ended(mine: Keyed, answer: bytes = b"the answer", state: KeyedState = KeyedState.DONE) -> Keyed:
    headers = (("content-type", "application/json"),)
    return replace(mine, state=state, status=200, headers=headers, answer=answer)
