"""The store in one SQLite file: its schema, its safety settings, and the only SQL that writes.

Rule: one connection writes, in one thread at a time; everybody else opens the file to read (report.py).
Every commit is synced to the disk before it counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec

from ..errors import StartError
from ..vocabulary import Audit, Decided, LedgerRow, Observed
from .records import INTENT, Note, storable
from .store import StoreFailed

FILE = "ledger.sqlite"
Work = tuple[str, list[Any]]  # a statement, and what is bound to it each time
COLUMNS = LedgerRow.__struct_fields__
# quick_check reads the whole file. Up to this size that is well under a second at start; above it a
# restart would be held up, and a damaged page is still noticed when it is read or written.
CHECKED_BYTES_MAX = 256 * 1024 * 1024
BUSY_MS = 2000
UNKNOWN_NOTE = "its end was not seen: an upper bound"

# Each migration is one transaction; `user_version` counts those that were made. A change to LedgerRow
# is a new entry at the end, never an edit of an old one.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE attempts (
        attempt_id TEXT PRIMARY KEY, request_id TEXT, at_ms INTEGER, role TEXT, number INTEGER, door TEXT,
        tenant TEXT, session TEXT, user TEXT, feature TEXT, task TEXT, workload TEXT, tier TEXT, model TEXT,
        reason TEXT, outcome TEXT, billed TEXT, status INTEGER, stop_reason TEXT, input_tokens INTEGER,
        output_tokens INTEGER, cache_read_tokens INTEGER, cache_write_5m_tokens INTEGER,
        cache_write_1h_tokens INTEGER, thinking_tokens INTEGER, cost_pico INTEGER, worst_pico INTEGER,
        cost_note TEXT, latency_ms INTEGER, ttft_ms INTEGER, upstream_request_id TEXT, message_id TEXT,
        policy_hash TEXT, prices_hash TEXT
    );
    CREATE INDEX attempts_at ON attempts (at_ms);
    CREATE INDEX attempts_request ON attempts (request_id);
    CREATE INDEX attempts_open ON attempts (billed) WHERE billed = 'intent';
    """,
    """
    CREATE TABLE decisions (
        at_ms INTEGER, request_id TEXT, data BLOB, PRIMARY KEY (at_ms, request_id)
    ) WITHOUT ROWID;
    CREATE INDEX decisions_request ON decisions (request_id);
    CREATE TABLE audit (
        audit_id TEXT PRIMARY KEY, at_ms INTEGER, who TEXT, action TEXT, old_hash TEXT, new_hash TEXT, diff TEXT,
        detail TEXT
    );
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows stay'); END;
    CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows stay'); END;
    """,
    """
    ALTER TABLE attempts ADD COLUMN prefix TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN plain_pico INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN cache_write_pico INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN cache_expected_tokens INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN cache_cause TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN cache_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN cache_lost_tokens INTEGER NOT NULL DEFAULT 0;
    UPDATE attempts SET plain_pico = cost_pico;
    """,
    """
    CREATE TABLE observed (
        at_ms INTEGER, request_id TEXT, data BLOB, PRIMARY KEY (at_ms, request_id)
    ) WITHOUT ROWID;
    """,
)
AUDIT_COLUMNS = Audit.__struct_fields__

_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
_PUT = (
    f"INSERT INTO attempts ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "  # noqa: S608  our own names
    f"ON CONFLICT (attempt_id) DO UPDATE SET {_CHANGED} WHERE excluded.billed <> '{INTENT}'"
)
_DECIDE = "INSERT OR IGNORE INTO decisions (at_ms, request_id, data) VALUES (?, ?, ?)"
_OBSERVE = "INSERT OR IGNORE INTO observed (at_ms, request_id, data) VALUES (?, ?, ?)"
_AUDIT = f"INSERT OR IGNORE INTO audit VALUES ({', '.join('?' * len(AUDIT_COLUMNS))})"  # noqa: S608  as above
_encode = msgspec.msgpack.Encoder().encode
_END_INTENTS = "UPDATE attempts SET billed = 'unknown', outcome = 'unknown', cost_pico = worst_pico, cost_note = ?"


class SqliteStore:
    """Implements store.Store. `connect` opens the file, so that a test can stand between it and the disk."""

    def __init__(
        self,
        path: Path,
        connect: Callable[[str], apsw.Connection] = apsw.Connection,
        migrations: tuple[str, ...] = MIGRATIONS,
    ) -> None:
        self._path = path
        self._connect = connect
        self._migrations = migrations
        self._connection: apsw.Connection | None = None

    def open(self) -> None:
        """Raises StartError for a file that is damaged, newer than this program, or cannot be opened."""
        check_version(apsw.sqlite_lib_version())
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = self._connection = self._connect(str(self._path))
            connection.set_busy_timeout(BUSY_MS)
            self._prepare(connection)
            self._check(connection)
            self._migrate(connection)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            self.close()
            raise StartError(damaged(self._path, error)) from error
        except (apsw.Error, OSError) as error:
            self.close()
            raise StartError(f"the ledger {self._path} cannot be opened: {error}") from error
        except StartError:
            self.close()
            raise

    def put(self, rows: Collection[LedgerRow], notes: Collection[Note] = ()) -> None:
        decided = [(note.at_ms, note.request_id, _encode(note)) for note in notes if isinstance(note, Decided)]
        changed = [msgspec.structs.astuple(note) for note in notes if isinstance(note, Audit)]
        seen = [(note.at_ms, note.request_id, _encode(note)) for note in notes if isinstance(note, Observed)]
        noted: list[Work] = [(_DECIDE, decided), (_AUDIT, changed), (_OBSERVE, seen)]
        try:
            self._commit([(_PUT, [msgspec.structs.astuple(row) for row in rows]), *noted])
        except OverflowError:  # a figure that no database takes; rare enough to look at every row
            self._commit([(_PUT, [msgspec.structs.astuple(storable(row)) for row in rows]), *noted])

    def end_intents(self) -> int:
        return self._commit([(f"{_END_INTENTS} WHERE billed = '{INTENT}'", [(UNKNOWN_NOTE,)])])

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):  # only the log's merging into the file can fail here, and it is kept then
                connection.close()

    def _commit(self, work: Sequence[Work]) -> int:
        connection = self._connection
        assert connection is not None, "opened before it is written to"
        before = connection.total_changes()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement, bindings in work:
                connection.executemany(statement, bindings)
            connection.execute("COMMIT")
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise StoreFailed(damaged(self._path, error), lasting=True) from error
        except (apsw.Error, MemoryError) as error:
            raise StoreFailed(f"the ledger {self._path} cannot be written: {error}") from error
        finally:
            if connection.in_transaction:
                with suppress(apsw.Error):  # what it was is being raised already
                    connection.execute("ROLLBACK")
        return connection.total_changes() - before

    def _prepare(self, connection: apsw.Connection) -> None:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("trusted_schema", False)
        connection.pragma("cell_size_check", True)

    def _check(self, connection: apsw.Connection) -> None:
        if self._path.stat().st_size > CHECKED_BYTES_MAX:
            return
        found = connection.execute("PRAGMA quick_check(1)").get
        if found != "ok":
            raise apsw.CorruptError(str(found))

    def _migrate(self, connection: apsw.Connection) -> None:
        version = int(connection.pragma("user_version"))
        check_schema(self._path, version, len(self._migrations))
        if 0 < version < len(self._migrations):
            self._back_up(connection, version)
        for number, script in enumerate(self._migrations[version:], start=version + 1):
            connection.execute(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT")

    def _back_up(self, connection: apsw.Connection, version: int) -> None:
        """A copy of the file as it was, beside it, before its shape is changed."""
        copy = self._path.with_name(f"{self._path.name}.version-{version}")
        copy.unlink(missing_ok=True)  # of a migration that did not come to its end
        connection.execute("VACUUM INTO ?", (str(copy),))
        copy.chmod(0o600)


def check_version(version: str) -> None:
    """Raises StartError for a SQLite whose WAL can corrupt a file that two connections use."""
    numbers = tuple(int(part) for part in version.split(".")[:3])
    if numbers < (3, 51, 3) or numbers[:2] == (3, 52):
        raise StartError(
            f"SQLite {version} has a bug that can corrupt the ledger; "
            "install an apsw that carries 3.51.3, or 3.53 or newer"
        )


def check_schema(path: Path, found: int, known: int) -> None:
    """Raises StartError for a ledger that a newer program has written."""
    if found > known:
        raise StartError(
            f"the ledger {path} was written by a newer Tierwise (schema {found}, this one knows {known}); "
            "run that version, or give this one its own TIERWISE_DATA_DIR"
        )


def damaged(path: Path, error: Exception) -> str:
    return (
        f"the ledger {path} is damaged ({error}); it was left as it is. Restore a backup, or move the file away "
        "to begin a new one (docs/money.md)"
    )
