"""Jobs and keys in one SQLite file of their own, beside the ledger: prompts are in it, and the ledger holds none.

Rule: one connection, in one thread, and never in the loop. What waits together is written together: one commit,
one sync, and only then is anybody told.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw
import msgspec

from ..errors import StartError
from ..ports import Clock
from .jobs_sql import AFTER_A_DEATH, MIGRATIONS, Row, Step, unavailable
from .sqlite import check_version

FILE = "jobs.sqlite"
BUSY_MS = 2000
AT_ONCE_MAX = 64  # transactions in one commit


class _Work(msgspec.Struct):
    """A transaction, and who waits for it."""

    steps: tuple[Step, ...]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[list[list[Row]]]

    def tell(self, rows: list[list[Row]] | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._tell, rows)

    def _tell(self, rows: list[list[Row]] | None) -> None:
        if self.done.done():
            return
        if rows is None:
            self.done.set_exception(unavailable("cannot be written"))
        else:
            self.done.set_result(rows)


class SqliteJobs:
    """Implements jobs_sql.Database. The data directory's lock (lock.py) makes this the only process."""

    shared = False

    def __init__(
        self, data_dir: Path, clock: Clock, connect: Callable[[str], apsw.Connection] = apsw.Connection
    ) -> None:
        self._path = data_dir / FILE
        self._clock = clock
        self._connect = connect
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Raises StartError for a file that is damaged, newer than this program, or cannot be opened."""
        connection = await asyncio.to_thread(self._opened)
        self._thread = threading.Thread(target=self._work, args=(connection,), name="jobs", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """What was asked before is done first."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def run(self, *steps: Step) -> list[list[Row]]:
        if self._thread is None:
            raise unavailable("is closed")
        loop = asyncio.get_running_loop()
        work = _Work(steps, loop, loop.create_future())
        self._queue.put(work)
        return await work.done

    def _opened(self) -> apsw.Connection:
        check_version(apsw.sqlite_lib_version())
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = self._connect(str(self._path))
            connection.set_busy_timeout(BUSY_MS)
            for name, value in (("journal_mode", "wal"), ("synchronous", "full"), ("secure_delete", True)):
                connection.pragma(name, value)
            for name, value in (("trusted_schema", False), ("cell_size_check", True)):
                connection.pragma(name, value)
            self._migrate(connection)
        except (apsw.Error, OSError) as error:
            raise StartError(
                f"the jobs in {self._path} cannot be opened: {error}; move the file away to begin a new one"
            ) from error
        return connection

    def _migrate(self, connection: apsw.Connection) -> None:
        version = int(connection.pragma("user_version"))
        if version > len(MIGRATIONS):
            connection.close()
            raise StartError(
                f"the jobs in {self._path} were written by a newer Tierwise (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); run that version, or give this one its own TIERWISE_DATA_DIR"
            )
        with connection:
            for migration in MIGRATIONS[version:]:
                for statement in migration:
                    connection.execute(statement)
            connection.pragma("user_version", len(MIGRATIONS))
            for statement in AFTER_A_DEATH:
                connection.execute(statement)

    # ---- in the thread

    def _work(self, connection: apsw.Connection) -> None:
        open_ = True
        while open_:
            waiting: list[_Work] = []
            first = self._queue.get()
            while first is not None:
                waiting.append(first)
                if len(waiting) == AT_ONCE_MAX or self._queue.empty():
                    break
                first = self._queue.get()
            open_ = first is not None
            self._together(connection, waiting)
        with suppress(apsw.Error):  # only the log's merging into the file can fail here, and it is kept then
            connection.close()

    def _together(self, connection: apsw.Connection, waiting: list[_Work]) -> None:
        """All in one commit; where that fails, each by itself, so that one bad one harms no other."""
        done = self._committed(connection, waiting)
        if done is not None:
            for work, rows in zip(waiting, done, strict=True):
                work.tell(rows)
        elif len(waiting) == 1:
            waiting[0].tell(None)
        else:
            for work in waiting:
                self._together(connection, [work])

    def _committed(self, connection: apsw.Connection, waiting: list[_Work]) -> list[list[list[Row]]] | None:
        now = {"now": self._clock.now_ms()}
        done: list[list[list[Row]]] = []
        try:
            with connection:
                done = [
                    [list(connection.execute(statement, {**bound, **now})) for statement, bound in work.steps]
                    for work in waiting
                ]
        except (apsw.Error, MemoryError, OverflowError, TypeError, ValueError):  # what no database can hold, too
            return None
        return done
