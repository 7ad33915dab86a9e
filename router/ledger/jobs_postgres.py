"""Jobs and keys in Postgres, for many processes: any of them runs what is due, and takes over from one that died.

Rule: the database's own clock decides when a lease is over, so that no machine's wrong clock takes a job away. A
connection on which anything went wrong, a cancellation too, is closed and never used again.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import StartError
from ..ports import Clock
from .jobs_sql import MIGRATIONS, Row, Step, unavailable

if TYPE_CHECKING:
    import psycopg

CONNECTIONS = 4
CONNECT_S = 5
STATEMENTS_S = 10.0
MIGRATING = 7_430_221_905  # the number under which one process at a time changes the tables
UNREADABLE = "TIERWISE_JOBS_URL: is no address of a PostgreSQL; expected postgresql://user:password@host:5432/name"
UNREACHED = (
    "TIERWISE_JOBS_URL: no PostgreSQL lets us in there; look at its host, port, user, password and name of the database"
)
OWN_TIME = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
_BOUND = re.compile(r"(?<![:\w]):([a-z_]+)")


class PostgresJobs:
    """Implements jobs_sql.Database. `clock` is for tests, which move it; without one the database tells the time."""

    shared = True

    def __init__(self, url: str, *, clock: Clock | None = None, connections: int = CONNECTIONS) -> None:
        try:
            import psycopg  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise StartError("jobs in Postgres need the extra `postgres`: pip install tierwise[postgres]") from error
        self._driver: Any = psycopg
        self._url = url
        self._clock = clock
        self._idle: deque[psycopg.AsyncConnection[Row]] = deque()
        self._free = asyncio.Semaphore(connections)
        self._closed = False

    def __repr__(self) -> str:
        return "PostgresJobs()"

    async def open(self) -> None:
        """Makes or changes the tables. Raises StartError; what the driver says is not in it: it names the address."""
        self._check()
        try:
            connection = await self._connected()
        except (self._driver.Error, OSError, TimeoutError):
            raise StartError(UNREACHED) from None
        try:
            async with connection:
                await self._migrate(connection)
        except (self._driver.Error, OSError, TimeoutError) as error:
            code = getattr(error, "sqlstate", None) or type(error).__name__
            raise StartError(f"TIERWISE_JOBS_URL: the tables cannot be made ({code})") from None

    def _check(self) -> None:
        try:
            self._driver.conninfo.conninfo_to_dict(self._url)
        except self._driver.Error:
            raise StartError(UNREADABLE) from None

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def run(self, *steps: Step) -> list[list[Row]]:
        if self._closed:
            raise unavailable("is closed")
        async with self._free:
            while self._idle:
                rows = await self._tried(self._idle.pop(), steps, is_last=False)
                if rows is not None:
                    return rows
            return await self._anew(steps)

    async def _anew(self, steps: tuple[Step, ...]) -> list[list[Row]]:
        try:
            connection = await self._connected()
        except (self._driver.Error, OSError, TimeoutError):
            raise unavailable("cannot be reached") from None
        rows = await self._tried(connection, steps, is_last=True)
        assert rows is not None, "a last try raises"
        return rows

    async def _tried(
        self, connection: psycopg.AsyncConnection[Row], steps: tuple[Step, ...], *, is_last: bool
    ) -> list[list[Row]] | None:
        """None: the connection was stale, and nothing was done; another one may be tried."""
        begun = False
        try:
            async with asyncio.timeout(STATEMENTS_S):
                rows = [await self._rows(connection, step) for step in steps]
                begun = True
                await connection.commit()
        except self._driver.OperationalError:
            if begun or is_last:
                raise unavailable("cannot be written") from None
            rows = None
        except (self._driver.Error, OSError, TimeoutError):
            raise unavailable("cannot be written") from None
        else:
            if not self._closed:
                self._idle.append(connection)
            return rows
        finally:
            if connection not in self._idle:
                await connection.close()
        return rows

    async def _rows(self, connection: psycopg.AsyncConnection[Row], step: Step) -> list[Row]:
        statement, bound = step
        now = {} if self._clock is None else {"now": self._clock.now_ms()}
        cursor = await connection.execute(
            _spelt(statement, self._clock is None).encode(), {**bound, **now}, binary=True, prepare=True
        )
        return await cursor.fetchall()

    async def _connected(self) -> psycopg.AsyncConnection[Row]:
        connection: psycopg.AsyncConnection[Row] = await self._driver.AsyncConnection.connect(
            self._url, connect_timeout=CONNECT_S, application_name="tierwise"
        )
        return connection

    async def _migrate(self, connection: psycopg.AsyncConnection[Row]) -> None:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
        await connection.execute("CREATE TABLE IF NOT EXISTS jobs_schema (version BIGINT NOT NULL)")
        found = await (await connection.execute("SELECT coalesce(max(version), 0) FROM jobs_schema")).fetchone()
        version = int(found[0]) if found else 0
        if version > len(MIGRATIONS):
            raise StartError(
                f"the jobs' database was written by a newer Tierwise (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); run that version, or give this one a database of its own"
            )
        for migration in MIGRATIONS[version:]:
            for statement in migration:
                await connection.execute(statement.encode())
        if version < len(MIGRATIONS):
            await connection.execute("DELETE FROM jobs_schema")
            await connection.execute("INSERT INTO jobs_schema VALUES (%s)", (len(MIGRATIONS),))


@cache
def _spelt(statement: str, own_time: bool) -> str:
    """The statement as the driver has it; the texts are our own and few."""
    spelt = _BOUND.sub(lambda found: f"%({found[1]})s", statement)
    return spelt.replace("%(now)s", OWN_TIME) if own_time else spelt
