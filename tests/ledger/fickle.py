"""Books over a store and a journal that refuse while a test says so; the rest of them is real."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from router.ledger.books import Books
from router.ledger.journal import FOLDER, Journal
from router.ledger.records import Note
from router.ledger.sqlite import FILE, UNKNOWN_NOTE, SqliteStore
from router.ledger.store import StoreFailed
from router.vocabulary import LedgerRow
from tests.ledger.samples import StoppedClock, ended


class FickleStore(SqliteStore):
    """The real store, which refuses while a test says so; `tried` counts and wakes."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / FILE)
        self.failure: StoreFailed | None = None
        self.tried = threading.Semaphore(0)

    def put(self, rows: Collection[LedgerRow], notes: Collection[Note] = ()) -> None:
        self.tried.release()
        if self.failure is not None:
            raise self.failure
        super().put(rows, notes)


class FickleJournal(Journal):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / FOLDER)
        self.failing = False

    def append(self, record: bytes) -> int:
        if self.failing:
            raise OSError(28, "No space left on device")
        return super().append(record)


def started(data_dir: Path, store: SqliteStore | None = None, waiting_max: int = 10_000) -> Books:
    books = Books(data_dir, StoppedClock(), store=store, waiting_max=waiting_max, commit_every_s=0.001)
    books.start()
    return books


def unknown(number: int) -> LedgerRow:
    figures = {"status": 0, "input_tokens": 0, "output_tokens": 0, "cost_note": UNKNOWN_NOTE}
    return ended(number, outcome="unknown", billed="unknown", cost_pico=1_000_000 + number, **figures)
