"""Requests that are kept with their text, in a file of their own beside the ledger: the ledger itself holds none.

Rule: opt-in (`sampling.keep`), only this user may read the file, and what is old or too much is deleted, also when
nothing more is kept. Nothing here is worth waiting for: a thread of its own writes, and under pressure a row is dropped
and counted.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from ..ports import Clock, Events
from ..vocabulary import Sampled
from .report import NoLedger

FILE = "prompts.sqlite"
WAITING_MAX = 1_000
AT_ONCE_MAX = 64
BUSY_MS = 2_000
DAY_MS = 86_400_000
MB = 1024 * 1024
PURGE_EVERY_S = 60.0  # while rows come
TEND_EVERY_S = 3600.0  # whether they come or not

_SCHEMA = """
CREATE TABLE IF NOT EXISTS prompts (
    request_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, task TEXT NOT NULL, bytes INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS prompts_at ON prompts (at_ms);
"""
# A row and all that are newer, in bytes: those beyond the limit are the oldest, and no more of them than must go.
_TOO_MUCH = """
DELETE FROM prompts WHERE request_id IN (
    SELECT request_id FROM (
        SELECT request_id, sum(bytes) OVER (ORDER BY at_ms DESC, request_id DESC) AS with_newer FROM prompts
    ) WHERE with_newer > ?
)
"""
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Sampled).decode


class _Work(msgspec.Struct, frozen=True):
    """What to write, and the limits that hold then; without a row it only has what is too old or too much deleted."""

    sampled: Sampled | None
    days: int
    max_bytes: int


class PromptStore:
    """Implements ports.Samples. The file appears with the first prompt that is kept."""

    def __init__(self, data_dir: Path, clock: Clock, events: Events) -> None:
        self._path = data_dir / FILE
        self._clock = clock
        self._events = events
        self._waiting: queue.Queue[_Work | None] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None
        self._purge_from_s = 0.0  # monotonic
        self._troubles: deque[str] = (
            deque()
        )  # of the writer's thread: counted by who asks, because counters have no lock

    def keep(self, sampled: Sampled, days: int, max_mb: int) -> None:
        is_taken = self._begin(_Work(sampled, days, max_mb * MB))
        self._events.count("samples", "taken" if is_taken else "dropped")
        self._tell()

    async def tend(self, limits: Callable[[], tuple[int, int]]) -> None:
        """Runs beside the service: deletes at its start and once an hour, by the days and MB that hold at that time.

        What was promised to be deleted does not wait for another row to come: the policy may keep none any more.
        """
        while True:
            if self._path.exists():
                days, max_mb = limits()
                self._tell()
                self._begin(_Work(None, days, max_mb * MB))  # where the queue is full, those rows have it done
            await self._clock.sleep(TEND_EVERY_S)

    def close(self) -> None:
        """What was kept before is written first."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()
        self._tell()

    def _tell(self) -> None:
        while self._troubles:
            self._events.count("samples", self._troubles.popleft())

    def _begin(self, work: _Work) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="prompts", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            return False
        return True

    def _write(self) -> None:
        over = False
        limits: _Work | None = None
        while not over:
            waited = [self._waiting.get()]
            while waited[-1] is not None and len(waited) < AT_ONCE_MAX and not self._waiting.empty():
                waited.append(self._waiting.get())
            over = waited[-1] is None
            works = [work for work in waited if work is not None]
            limits = works[-1] if works else limits
            self._save(works, limits, last=over)

    def _save(self, works: list[_Work], limits: _Work | None, *, last: bool) -> None:
        asked = any(work.sampled is None for work in works)
        if all(work.sampled is None for work in works) and not self._path.exists():
            return  # somebody has deleted it: there is nothing to do
        now_s = self._clock.monotonic()
        try:
            with closing(_opened(self._path)) as connection:
                self._insert(connection, works)
                if limits is not None and (last or asked or now_s >= self._purge_from_s):
                    self._purge_from_s = now_s + PURGE_EVERY_S
                    _purge(connection, limits, self._clock.now_ms())
        except (apsw.Error, OSError):
            self._troubles.append("failed")

    def _insert(self, connection: apsw.Connection, works: list[_Work]) -> None:
        with connection:
            for work in works:
                if work.sampled is not None and not _insert(connection, work.sampled, work.max_bytes):
                    self._troubles.append("too_big")


def kept_prompts(data_dir: Path, since_ms: int = 0, task: str | None = None) -> Iterator[Sampled]:
    """From then on, newest first. Raises NoLedger where nothing was ever kept.

    Where no service runs nothing is deleted: who reads begins at `oldest_ms`, and so passes over what is too old.
    """
    path = data_dir / FILE
    if not path.exists():
        raise NoLedger(
            f"no prompts were kept in {data_dir}: set `sampling: {{keep: 0.05}}` in the policy, and serve for a while"
        )
    select = "SELECT data FROM prompts WHERE at_ms >= ? AND (? IS NULL OR task = ?) ORDER BY at_ms DESC, request_id"
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(BUSY_MS)
            for (data,) in connection.execute(select, (since_ms, task, task)):
                yield _DECODE(data)
    except apsw.Error as error:
        raise NoLedger(f"the kept prompts in {data_dir} cannot be read: {error}") from error


def oldest_ms(days: int, now_ms: int) -> int:
    """What is older than that is kept too long."""
    return now_ms - days * DAY_MS


def _opened(path: Path) -> apsw.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is gone
    connection.execute(_SCHEMA)
    return connection


def _insert(connection: apsw.Connection, sampled: Sampled, max_bytes: int) -> bool:
    """Not one that is more than all may be: every other would have to go for it, and then it too."""
    data = _ENCODE(sampled)
    if len(data) > max_bytes:
        return False
    row = (sampled.request_id, sampled.at_ms, sampled.task, len(data), data)
    connection.execute("INSERT OR REPLACE INTO prompts VALUES (?, ?, ?, ?, ?)", row)
    return True


def _purge(connection: apsw.Connection, limits: _Work, now_ms: int) -> None:
    """What is too old, then the oldest of what is too much; and nothing of it stays in the log of changes."""
    with connection:
        connection.execute("DELETE FROM prompts WHERE at_ms < ?", (oldest_ms(limits.days, now_ms),))
        if _total(connection) > limits.max_bytes:
            connection.execute(_TOO_MUCH, (limits.max_bytes,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _total(connection: apsw.Connection) -> int:
    ((total,),) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM prompts")
    return int(total)
