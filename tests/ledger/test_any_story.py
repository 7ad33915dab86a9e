"""Any order of beginnings, ends, deaths and stops: the ledger is what was told."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.ledger.books import Books
from router.ledger.journal import FOLDER, Journal
from router.ledger.report import rows
from router.ledger.store import StoreFailed
from router.vocabulary import LedgerRow
from tests.ledger.fickle import FickleStore, unknown
from tests.ledger.samples import StoppedClock, ended, intent


class AnyStory(RuleBasedStateMachine):
    """Attempts begin, end, and the process dies or stops, in any order: the ledger is what was told."""

    numbers = st.integers(0, 4)

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.data_dir = Path(self.folder.name)
        self.truth: dict[str, LedgerRow] = {}
        self.open()

    def open(self) -> None:
        self.store = FickleStore(self.data_dir)
        self.journal = Journal(self.data_dir / FOLDER, segment_bytes=1500)
        self.books = Books(self.data_dir, StoppedClock(), store=self.store, journal=self.journal, commit_every_s=0.001)
        self.books.start()

    @rule(number=numbers)
    def intend(self, number: int) -> None:
        self.books.intend(intent(number))
        self.truth.setdefault(f"att_{number}", intent(number))

    @rule(number=numbers, billed=st.sampled_from(["settled", "estimated", "void", "unknown"]))
    def settle(self, number: int, billed: str) -> None:
        self.books.settle(ended(number, billed=billed))
        self.truth[f"att_{number}"] = ended(number, billed=billed)

    @rule()
    def flush(self) -> None:
        assert self.books.flush()

    @rule(torn=st.binary(max_size=3))
    def die_and_start_again(self, torn: bytes) -> None:
        self.store.failure = StoreFailed("dead")  # whatever was not in the store by now is only in the journal
        self.books.close()
        newest = max((self.data_dir / FOLDER).iterdir(), default=None)
        if newest is not None:
            with newest.open("ab") as file:
                file.write(b"\xff\xfeTW"[: len(torn)])
        self.start_again()

    @rule()
    def stop_and_start_again(self) -> None:
        self.books.close()
        self.start_again()

    def start_again(self) -> None:
        self.open()
        for name, row in self.truth.items():
            if row.billed == "intent":
                self.truth[name] = unknown(int(name.removeprefix("att_")))

    @invariant()
    def the_ledger_is_what_was_told(self) -> None:
        assert self.truth == {row.attempt_id: row for row in rows(self.data_dir)}

    def teardown(self) -> None:
        self.books.close()
        self.folder.cleanup()


# Threads and real files: on a machine under load its steps were once not repeatable, so it runs with the soak.
TestAnyStory = pytest.mark.soak(AnyStory.TestCase)
TestAnyStory.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
