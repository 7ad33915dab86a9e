"""The tables of jobs and of keys, and the seam behind which either database stands.

Rule: one text for both, with `:name` for what is bound and `:now` for the time in milliseconds. Each database says
how it tells the time, and whether others may work on the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import RequestError

Value = int | str | bytes
Row = tuple[Any, ...]
Step = tuple[str, Mapping[str, Value]]  # a statement, and what is bound in it

LEASE_MS = 30_000


class Database(Protocol):
    """Where the rows are. `run` raises RequestError(router_ledger_unavailable) when nothing of it was done."""

    @property
    def shared(self) -> bool: ...  # other processes work on the same rows
    async def run(self, *steps: Step) -> list[list[Row]]: ...  # in one transaction, durable; each step's rows


# Each migration is one transaction. A change is a new entry at the end, never an edit of an old one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE jobs (
            job_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, request_id TEXT NOT NULL, at_ms BIGINT NOT NULL,
            state TEXT NOT NULL, door TEXT NOT NULL, body BYTEA NOT NULL, headers BYTEA NOT NULL,
            webhook TEXT NOT NULL, tries BIGINT NOT NULL, owner TEXT NOT NULL, lease_until_ms BIGINT NOT NULL,
            not_before_ms BIGINT NOT NULL, answered_ms BIGINT NOT NULL, status BIGINT NOT NULL,
            answer_headers BYTEA NOT NULL, answer BYTEA NOT NULL, error TEXT NOT NULL, size BIGINT NOT NULL,
            telling TEXT NOT NULL, telling_tries BIGINT NOT NULL, telling_ms BIGINT NOT NULL
        )
        """,
        "CREATE INDEX jobs_open ON jobs (not_before_ms, at_ms) WHERE state IN ('queued', 'running')",
        "CREATE INDEX jobs_telling ON jobs (telling_ms) WHERE telling = 'pending'",
        "CREATE INDEX jobs_answered ON jobs (answered_ms) WHERE answered_ms > 0",
        "CREATE INDEX jobs_size ON jobs (state, size)",
        """
        CREATE TABLE idempotency (
            tenant TEXT NOT NULL, key BYTEA NOT NULL, body BYTEA NOT NULL, token TEXT NOT NULL, owner TEXT NOT NULL,
            state TEXT NOT NULL, at_ms BIGINT NOT NULL, lease_until_ms BIGINT NOT NULL, status BIGINT NOT NULL,
            headers BYTEA NOT NULL, answer BYTEA NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (tenant, key)
        )
        """,
        "CREATE INDEX idempotency_at ON idempotency (at_ms)",
        "CREATE INDEX idempotency_size ON idempotency (size)",
        "CREATE INDEX idempotency_running ON idempotency (owner) WHERE state = 'running'",
    ),
    (
        "DROP INDEX jobs_open",  # the oldest goes first, however often it was tried
        "CREATE INDEX jobs_open ON jobs (at_ms) WHERE state IN ('queued', 'running')",
        "DROP INDEX jobs_size",  # each tenant's share is counted too
        "CREATE INDEX jobs_size ON jobs (state, tenant, size)",
    ),
)
# For a database that one process has for itself: whoever ran these is dead.
AFTER_A_DEATH: tuple[str, ...] = (
    "UPDATE jobs SET state = 'queued', not_before_ms = 0 WHERE state = 'running'",
    "UPDATE jobs SET telling_ms = 0 WHERE telling = 'pending' AND telling_tries < 2",
    "UPDATE idempotency SET state = 'unknown' WHERE state = 'running'",
)


def unavailable(why: str) -> RequestError:
    """`why` is for the one who reads the message: never a statement, never a value."""
    return RequestError("router_ledger_unavailable", f"the store of jobs and keys {why}", retry_after_s=5)
