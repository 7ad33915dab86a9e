"""The books as a whole: a store or a journal that fails and recovers, a second process, a full disk."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest

from router.errors import RequestError, StartError
from router.ledger.books import REFUSAL_S, Books, Recovered
from router.ledger.journal import FOLDER
from router.ledger.records import storable
from router.ledger.report import rows
from router.ledger.sqlite import FILE, SqliteStore
from router.ledger.store import StoreFailed
from tests.ledger.faulty_disk import faulty_disk
from tests.ledger.fickle import FickleJournal, FickleStore, started
from tests.ledger.samples import StoppedClock, ended, intent
from tests.ledger.test_journal import no_file_grows_beyond
from tests.ledger.test_records import ODD


def test_what_was_settled_is_in_the_ledger_when_flush_returns(tmp_path: Path) -> None:
    books = started(tmp_path)
    books.intend(intent(1))
    books.settle(ended(1))
    assert books.flush()
    assert ([("att_1", 101)], None) == (_stored(tmp_path), books.health())
    books.close()


def test_a_row_goes_to_the_store_without_anybody_asking(tmp_path: Path) -> None:
    store = FickleStore(tmp_path)
    books = started(tmp_path, store)
    while store.tried.acquire(blocking=False):
        """What the start wrote."""
    books.settle(ended(1))
    assert store.tried.acquire(timeout=30)
    books.close()


def _stored(data_dir: Path) -> list[tuple[apsw.SQLiteValue, ...]]:
    connection = apsw.Connection(str(data_dir / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute("SELECT attempt_id, cost_pico FROM attempts ORDER BY attempt_id"))
    finally:
        connection.close()


def test_after_a_close_there_is_one_file_and_no_journal(tmp_path: Path) -> None:
    books = started(tmp_path)
    books.settle(ended(1))
    books.close()
    books.close()
    assert {FILE, FOLDER, "ledger.lock"} == {path.name for path in tmp_path.iterdir()}
    assert ([], [("att_1", 101)]) == (list((tmp_path / FOLDER).iterdir()), _stored(tmp_path))


def test_a_settlement_after_the_close_neither_raises_nor_is_lost_as_an_intent(tmp_path: Path) -> None:
    books = started(tmp_path)
    books.intend(intent(1))
    books.close()
    books.settle(ended(1))
    assert Recovered(rows=0, unknown=1) == Books(tmp_path, StoppedClock()).start()


def test_odd_names_are_booked(tmp_path: Path) -> None:
    books = started(tmp_path)
    odd = ended(1, user=ODD, feature="\ud83d", session="\x00")
    books.intend(odd)
    books.settle(odd)
    books.close()
    assert [storable(odd)] == rows(tmp_path)


def test_a_second_service_on_the_same_data_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    books = started(tmp_path)
    with pytest.raises(StartError, match=rf"\(process {os.getpid()}\) keeps its books in"):
        started(tmp_path)
    books.close()
    started(tmp_path).close()


def test_a_start_that_fails_lets_go_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 1000)
    with pytest.raises(StartError, match="is damaged"):
        started(tmp_path)
    (tmp_path / FILE).unlink()
    started(tmp_path).close()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"file/data cannot be opened"):
        started(tmp_path / "file" / "data")


def test_books_that_were_not_started_refuse(tmp_path: Path) -> None:
    books = Books(tmp_path, StoppedClock())
    with pytest.raises(RequestError, match="cannot be written at the moment"):
        books.intend(intent(1))
    assert books.health() is not None


def test_damage_in_the_journal_is_reported_kept_aside_and_costs_only_its_record(tmp_path: Path) -> None:
    store = FickleStore(tmp_path)
    books = started(tmp_path, store)
    store.failure = StoreFailed("gone")
    books.settle(ended(1))
    books.settle(ended(2))
    books.close()
    (segment,) = (tmp_path / FOLDER).iterdir()
    content = bytearray(segment.read_bytes())
    content[20] ^= 1
    segment.write_bytes(content)
    recovered = Books(tmp_path, StoppedClock()).start()
    assert Recovered(rows=1, unknown=0, damaged_bytes=len(content) // 2) == recovered
    assert [ended(2)] == rows(tmp_path)
    assert "00000001.damaged" in {path.name for path in (tmp_path / FOLDER).iterdir()}


def test_while_the_store_refuses_work_goes_on_up_to_the_bound_and_then_is_refused_until_it_recovers(
    tmp_path: Path,
) -> None:
    store = FickleStore(tmp_path)
    books = started(tmp_path, store, waiting_max=3)
    store.failure = StoreFailed("the disk is full")
    for number in range(3):
        books.intend(intent(number))
    with pytest.raises(RequestError) as refused:
        books.intend(intent(3))
    assert ("router_ledger_unavailable", 503, 5) == (
        refused.value.code,
        refused.value.status,
        refused.value.retry_after_s,
    )
    books.settle(ended(0))
    for _ in range(2):
        store.tried.acquire()
    assert ("the disk is full", False) == (books.health(), books.flush(within_s=0))
    store.failure = None
    assert books.flush()
    books.intend(intent(4))
    books.close()
    assert [ended(0), intent(1), intent(2), intent(4)] == rows(tmp_path)


def test_a_store_that_is_damaged_ends_new_work_at_once(tmp_path: Path) -> None:
    store = FickleStore(tmp_path)
    books = started(tmp_path, store)
    store.failure = StoreFailed("the ledger is damaged", lasting=True)
    books.intend(intent(1))
    books.flush(within_s=0)
    for _ in range(2):
        store.tried.acquire()
    with pytest.raises(RequestError, match="nothing was sent"):
        books.intend(intent(2))
    books.settle(ended(1))
    books.close()
    started(tmp_path).close()
    assert [ended(1)] == rows(tmp_path)


def test_a_journal_that_cannot_be_written_refuses_new_work_and_keeps_the_settlements(tmp_path: Path) -> None:
    clock, journal = StoppedClock(), FickleJournal(tmp_path)
    books = Books(tmp_path, clock, journal=journal)
    books.start()
    books.intend(intent(1))
    journal.failing = True
    with pytest.raises(RequestError, match="nothing was sent"):
        books.intend(intent(2))
    books.settle(ended(1))
    assert f"the journal in {tmp_path / FOLDER} cannot be written: No space left on device" == books.health()
    journal.failing = False
    clock.now_s += REFUSAL_S
    assert books.health() is None, "so that a readiness check lets the next request try"
    books.intend(intent(3))
    books.close()
    assert [ended(1), intent(3)] == rows(tmp_path)


def test_a_disk_that_is_full_for_journal_and_store_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    books = started(tmp_path)
    written = []
    with no_file_grows_beyond((tmp_path / FILE).stat().st_size + 2000):
        for number in range(500):
            try:
                books.intend(intent(number, at_ms=number))
            except RequestError:
                break
            written.append(number)
        assert books.flush(within_s=0) is False
        books.close()
    started(tmp_path).close()
    assert (True, written) == (0 < len(written) < 500, [row.at_ms for row in rows(tmp_path)])


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError, apsw.BusyError])
def test_a_disk_that_refuses_the_nth_write_of_the_store_loses_nothing_and_it_recovers(
    tmp_path: Path, error: type[apsw.Error]
) -> None:
    with faulty_disk() as disk:
        disk.error = error
        books = started(tmp_path, SqliteStore(tmp_path / FILE, disk.connect))
        expected = []
        for number in range(25):
            disk.refuse_after = number
            books.intend(intent(number, at_ms=number, reason="x" * 2000))
            if number % 3 == 0:
                books.settle(ended(number, at_ms=number))
            books.flush(within_s=0)
            expected.append(number)
        disk.refuse_after = None
        assert books.flush()
        assert (expected, None) == ([row.at_ms for row in rows(tmp_path)], books.health())
        books.close()
