"""What is answered later, told of, or answered once: jobs, webhooks, idempotency keys.

Rule: builds the outboxes and what runs beside the requests for them, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

import msgspec

from ..deferring import Deferring
from ..delivering import Delivering
from ..ledger.idempotency import StoredKeys
from ..ledger.jobs import StoredJobs
from ..ledger.jobs_postgres import PostgresJobs
from ..ledger.jobs_sqlite import SqliteJobs
from ..pipeline import Pipeline
from ..ports import Clock
from ..repeating import Repeating
from ..settings import Settings
from ..steering.helm import Helm
from ..telemetry import JsonEvents
from ..upstream.hooks import Hooks


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered later, told of, or answered once."""

    deferring: Deferring
    delivering: Delivering
    repeating: Repeating

    def beside(self, pipeline: Pipeline) -> tuple[Coroutine[None, None, None], ...]:
        return self.deferring.keep(pipeline.handle), self.delivering.keep(), self.repeating.keep()


def open_later(
    database: SqliteJobs | PostgresJobs, helm: Helm, told: tuple[Clock, JsonEvents], draining: Callable[[], bool]
) -> Later:
    clock, events = told
    jobs = StoredJobs(database)
    return Later(
        deferring=Deferring(
            store=jobs,
            rules=lambda: helm.current,
            secret=lambda: helm.current.jobs_secret,
            clock=clock,
            events=events,
            draining=draining,
        ),
        delivering=Delivering(
            outbox=jobs,
            posts=Hooks(),
            rules=lambda: helm.current,
            secret=lambda: helm.current.jobs_secret,
            clock=clock,
            events=events,
        ),
        repeating=Repeating(store=StoredKeys(database), clock=clock, events=events),
    )


async def open_database(settings: Settings, clock: Clock, stack: AsyncExitStack) -> SqliteJobs | PostgresJobs:
    """Where jobs and keyed answers are kept: beside the ledger, or where many processes find them."""
    database = SqliteJobs(settings.data_dir, clock) if settings.jobs is None else PostgresJobs(settings.jobs)
    await database.open()
    stack.push_async_callback(database.close)
    return database
