"""The books: what every attempt may cost before it is sent, and what it did cost when it ended.

Rule: `intend` and `settle` write to the journal and return; a thread of its own fills the store and lets
go of journal segments that are in it. Nothing is acknowledged before the operating system has it.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from pathlib import Path

import msgspec

from ..errors import RequestError, StartError
from ..ports import Clock
from ..vocabulary import LedgerRow
from .journal import FOLDER, Journal, put_away, segments
from .lock import DirectoryLock
from .records import Note, Record, latest, pack
from .sqlite import FILE, SqliteStore
from .store import Store, StoreFailed

COMMIT_EVERY_S = 0.2  # a row is on the disk after this and one commit: within half a second
WAITING_MAX = 10_000  # rows that the store has not taken; beyond them nothing new is sent
BATCH_MAX = 5_000
FLUSH_S = 30.0
# A refusal is believed for so long; then the service calls itself well again, and the next request tries.
REFUSAL_S = 5.0


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What the last process left behind."""

    rows: int = 0  # that were still in the journal
    unknown: int = 0  # intents without an end
    damaged_bytes: int = 0  # of the journal; the segments are kept beside it


class Books:
    """Implements ports.Ledger."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        *,
        store: Store | None = None,
        journal: Journal | None = None,
        waiting_max: int = WAITING_MAX,
        commit_every_s: float = COMMIT_EVERY_S,
    ) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._store = store or SqliteStore(data_dir / FILE)
        self._journal = journal or Journal(data_dir / FOLDER)
        self._lock = DirectoryLock(data_dir)
        self._waiting_max = waiting_max
        self._commit_every_s = commit_every_s
        self.lost_notes = 0  # that neither the journal nor the store took
        self._waiting: deque[tuple[int, Record]] = deque()  # with the journal segment that holds the record
        self._changed = threading.Condition()
        self._hurry = False
        self._closing = False
        self._writer: threading.Thread | None = None
        self._journal_trouble: tuple[float, str] | None = None  # since when, what
        self._store_trouble: StoreFailed | None = None

    def start(self) -> Recovered:
        """Take the data directory over, bring the store up to date, and begin. Raises StartError."""
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._data_dir / FOLDER).mkdir(exist_ok=True, mode=0o700)
            self._lock.take()
            self._store.open()
            recovered = self._recover()
            self._journal.open()
        except (OSError, StoreFailed) as error:
            self._let_go()
            raise StartError(f"the books in {self._data_dir} cannot be opened: {error}") from error
        except StartError:
            self._let_go()
            raise
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()
        return recovered

    def intend(self, row: LedgerRow) -> None:
        """Before the first byte leaves. Raises RequestError when the books cannot be written."""
        row, record = pack(row)
        with self._changed:
            if len(self._waiting) >= self._waiting_max or (self._store_trouble and self._store_trouble.lasting):
                raise _unavailable()
            if not self._append(row, record):
                raise _unavailable()

    def settle(self, row: LedgerRow) -> None:
        """As the attempt ends. Never raises: what the journal does not take, the store may take later.

        No bound is needed here: each attempt settles once, and no new one begins past the bound.
        """
        row, record = pack(row)
        with self._changed:
            if not self._append(row, record):
                self._enqueue(row)

    def note(self, note: Note) -> None:
        """What was decided, or changed. Never raises: no request is lost for a note, only the note."""
        note, record = pack(note)
        with self._changed:
            if len(self._waiting) >= 2 * self._waiting_max or not self._append(note, record):
                self.lost_notes += 1

    def flush(self, within_s: float = FLUSH_S) -> bool:
        """Wait until everything so far is in the store; false when it did not get there in time."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            written = self._changed.wait_for(lambda: not self._waiting, within_s)
            self._hurry = False
        return written

    def health(self) -> str | None:
        """None is fine; otherwise what is wrong, in a sentence."""
        store_trouble = self._store_trouble  # read once: the writer's thread may clear it meanwhile
        if store_trouble is not None:
            return str(store_trouble)
        if self._writer is None or not self._writer.is_alive():
            return "the ledger is not being written; restart the service"
        if self._journal_trouble is not None:
            since_s, trouble = self._journal_trouble
            return trouble if self._clock.monotonic() - since_s < REFUSAL_S else None
        return None

    def close(self) -> None:
        """Write what there is and let go. What the store does not take stays in the journal."""
        if self._writer is not None:
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            self._writer.join()
            self._writer = None
            if not self._waiting:
                self._journal.release(before=self._journal.number + 1)
        self._let_go()

    def _append(self, row: Record, record: bytes) -> bool:
        try:
            self._journal.append(record)
        except OSError as error:
            trouble = f"the journal in {self._data_dir / FOLDER} cannot be written: {error.strerror}"
            self._journal_trouble = (self._clock.monotonic(), trouble)
            return False
        self._journal_trouble = None
        self._enqueue(row)
        return True

    def _enqueue(self, row: Record) -> None:
        self._waiting.append((self._journal.number, row))
        if len(self._waiting) == 1:
            self._changed.notify_all()

    def _recover(self) -> Recovered:
        """The journal's rows into the store; what was begun and not ended costs at most its worst."""
        left = list(segments(self._data_dir / FOLDER))
        for segment in left:
            self._store.put(latest(segment.rows).values(), segment.notes)
        unknown = self._store.end_intents()
        for segment in left:
            put_away(segment)
        return Recovered(
            rows=sum(len(segment.rows) for segment in left),
            unknown=unknown,
            damaged_bytes=sum(segment.damaged_bytes for segment in left),
        )

    def _write(self) -> None:
        """The writer's thread: one commit for all that came in a while, until the books are closed."""
        while self._gather():
            written = self._commit()
            with self._changed:
                if self._closing and (not written or not self._waiting):
                    return
                if not written:
                    self._changed.wait_for(lambda: self._closing, self._commit_every_s)

    def _gather(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._hurry or self._closing, self._commit_every_s)
            return bool(self._waiting)

    def _commit(self) -> bool:
        with self._changed:
            batch = [row for _, row in islice(self._waiting, BATCH_MAX)]
        try:
            rows = latest([row for row in batch if isinstance(row, LedgerRow)])
            self._store.put(rows.values(), [note for note in batch if not isinstance(note, LedgerRow)])
        except StoreFailed as error:
            self._store_trouble = error
            return False
        with self._changed:
            for _ in batch:
                self._waiting.popleft()
            self._store_trouble = None
            needed = self._waiting[0][0] if self._waiting else self._journal.number
            self._changed.notify_all()
        self._journal.release(before=needed)
        return True

    def _let_go(self) -> None:
        with self._changed:
            self._journal.close()
        self._store.close()
        self._lock.release()


def _unavailable() -> RequestError:
    return RequestError(
        "router_ledger_unavailable",
        "the ledger cannot be written at the moment, so nothing was sent and nothing is owed; try again",
        retry_after_s=5,
    )
