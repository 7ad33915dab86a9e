"""One process with its jobs in a real file, and a pipeline that does what the test says.

Rule: no test here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from router.decide.policy import Rulebook
from router.deferring import Deferring, Handles
from router.ledger.jobs import StoredJobs
from router.ledger.jobs_sqlite import SqliteJobs
from router.ports import Clock
from router.serving import Served
from router.vocabulary import Ask, Caller, Job, JobState
from router.wire.ask import read_complete

from .rulebooks import default_rules
from .worlds import ListEvents, ScriptedClock, message

CALLER = Caller(tenant="acme", request_id="req_1")
SECRETS = {"authorization": "Bearer k", "x-api-key": "k", "cookie": "c", "idempotency-key": "i", "x-forwarded-for": "1"}
ANSWER = Served(status=200, headers=(("content-type", "application/json"),), body=message())


def ask(text: str = "Later, please.", /, **more: object) -> Ask:
    body = {"prompt": text, **more, "router": {"fallback": "defer", "deadline_s": 3, "task": "general"}}
    headers = {**SECRETS, "anthropic-beta": "b-1", "x-router-feature": "mail", "x-team": "red"}
    return read_complete(msgspec.json.encode(body), headers)


def rules(**jobs: object) -> Callable[[], Rulebook]:
    found = default_rules()
    policy = replace(found.policy, jobs=replace(found.policy.jobs, **jobs))
    return lambda: replace(found, policy=policy)


C = TypeVar("C", bound=Clock)


class Scene(Generic[C]):
    """One process with its jobs, and a handle that does what the script says: an answer, an error, or waiting."""

    def __init__(self, database: SqliteJobs, clock: C, in_force: Callable[[], Rulebook]) -> None:
        self.clock = clock
        self.events = ListEvents()
        self.database = database
        self.jobs = StoredJobs(database)
        self.draining = False
        self.deferring = Deferring(
            store=self.jobs,
            rules=in_force,
            secret=lambda: "secret",
            clock=clock,
            events=self.events,
            draining=lambda: self.draining,
        )
        self.asked: list[tuple[Ask, Caller]] = []
        self.script: list[Served | Exception | asyncio.Event] = []
        self.ended = 0

    async def handle(self, ask: Ask, caller: Caller) -> Served:
        self.asked.append((ask, caller))
        does = self.script.pop(0) if self.script else ANSWER
        if isinstance(does, Exception):
            raise does
        if isinstance(does, asyncio.Event):
            try:
                await does.wait()
            finally:
                self.ended += 1
            return ANSWER
        return does

    @asynccontextmanager
    async def running(self, handle: Handles | None = None) -> AsyncIterator[None]:
        keeping = asyncio.ensure_future(self.deferring.keep(handle or self.handle))
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def ends(self, job: Job) -> Job:
        """The job, once it has ended."""
        while True:
            found = await self.jobs.get(job.job_id, job.tenant)
            assert found is not None
            if found.state not in (JobState.QUEUED, JobState.RUNNING):
                return found


@asynccontextmanager
async def scene(folder: Path, in_force: Callable[[], Rulebook] = default_rules) -> AsyncIterator[Scene[ScriptedClock]]:
    clock = ScriptedClock()
    database = SqliteJobs(folder, clock)
    await database.open()
    try:
        yield Scene(database, clock, in_force)
    finally:
        await database.close()
