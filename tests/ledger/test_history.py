"""Decisions and changes: kept like the rows of money, read as a stream, and never changed again."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import msgspec
import pytest

from router.ledger.books import Books
from router.ledger.history import (
    CHUNK,
    Spent,
    audits,
    count_decisions,
    decision,
    decisions,
    most_used,
    spent_by_caller,
)
from router.ledger.journal import FOLDER
from router.ledger.records import BEGINNING, PAYLOAD_MAX_BYTES, pack, unpack
from router.ledger.report import NoLedger, spending
from router.ledger.sqlite import FILE, MIGRATIONS, SqliteStore
from router.ledger.store import StoreFailed
from router.vocabulary import Audit, Decided, Facts, LedgerRow, Verdict, Words
from tests.ledger.fickle import FickleStore, started
from tests.ledger.samples import StoppedClock, ended

CHANGE = Audit(audit_id="aud_1", at_ms=5, who="admin", action="promote", old_hash="a", new_hash="b", diff="+x: 1")


def decided(number: int, request_id: str = "", at_ms: int = 0) -> Decided:
    return Decided(
        request_id=request_id or f"req_{number}",
        at_ms=at_ms or 1_000 + number,
        facts=Facts(turns=number, session=f"op:{number}"),
        words=Words(feature="chat"),
        verdict=Verdict(task="chat", difficulty=None, source="memory"),
        tier="sonnet",
        model="claude-sonnet-5-5",
        task="chat",
        reason="because",
    )


def answer(number: int, request_id: str = "", **more: object) -> LedgerRow:
    row = ended(number)
    named = {"request_id": request_id or f"req_{number}", "at_ms": 1_000 + number, "role": "answer", **more}
    return msgspec.structs.replace(row, **named)


def closed(folder: Path, *notes: Decided | Audit) -> None:
    books = started(folder)
    for note in notes:
        books.note(note)
    books.close()


# ---- the journal's records


@pytest.mark.parametrize("record", [decided(1), CHANGE])
def test_a_note_is_read_back_as_it_was(record: Decided | Audit) -> None:
    kept, data = pack(record)
    assert (record, ([record], 0)) == (kept, unpack(data))


def test_rows_and_notes_stand_in_one_journal_and_a_torn_one_costs_only_itself() -> None:
    row = ended(1)
    records = [pack(decided(1))[1], pack(row)[1], pack(CHANGE)[1]]
    whole = b"".join(records)
    assert ([decided(1), row, CHANGE], 0) == unpack(whole)
    damaged = bytearray(whole)
    damaged[len(records[0]) + 14] ^= 1
    assert ([decided(1), CHANGE], len(records[1])) == unpack(bytes(damaged))
    assert ([decided(1), row], 0) == unpack(whole[:-1])


def test_a_note_of_any_text_can_be_kept() -> None:
    hostile = msgspec.structs.replace(decided(1), reason="\ud800", words=Words(user="\udfff", max_cost_pico=2**80))
    kept, data = pack(hostile)
    assert ([kept], 0) == unpack(data)
    assert BEGINNING not in data[4:]


@pytest.mark.parametrize(
    "long",
    [
        msgspec.structs.replace(decided(1), edits=("x" * 40_000, "y" * 40_000)),
        msgspec.structs.replace(CHANGE, diff="x" * 200_000, detail="y" * 200_000),
    ],
)
def test_a_note_that_is_too_long_is_kept_without_its_words(long: Decided | Audit) -> None:
    kept, data = pack(long)
    assert len(data) < PAYLOAD_MAX_BYTES
    assert ([kept], 0) == unpack(data)
    assert kept.at_ms == long.at_ms


# ---- the books


def test_notes_are_in_the_store_when_the_books_are_closed(tmp_path: Path) -> None:
    closed(tmp_path, decided(1), CHANGE)
    assert ([decided(1)], [CHANGE]) == ([note for note, _ in decisions(tmp_path)], audits(tmp_path))
    assert [] == list((tmp_path / FOLDER).iterdir())


def test_notes_that_a_killed_process_left_in_the_journal_are_read_and_then_stored(tmp_path: Path) -> None:
    closed(tmp_path)
    left = b"".join(pack(note)[1] for note in (decided(1), CHANGE))
    (tmp_path / FOLDER / "00000099.journal").write_bytes(left)
    before = [note for note, _ in decisions(tmp_path)], audits(tmp_path)
    closed(tmp_path)
    after = [note for note, _ in decisions(tmp_path)], audits(tmp_path)
    assert ([decided(1)], [CHANGE]) == before == after


def test_a_note_never_raises_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    store = FickleStore(tmp_path)
    books = Books(tmp_path, StoppedClock(), store=store, waiting_max=2, commit_every_s=0.001)
    books.start()
    store.failure = StoreFailed("the disk is full")
    for number in range(10):
        books.note(decided(number))
    assert 6 == books.lost_notes
    store.failure = None
    books.close()
    assert 4 == count_decisions(tmp_path)


def test_a_change_stays_as_it_was_written(tmp_path: Path) -> None:
    closed(tmp_path, CHANGE)
    connection = apsw.Connection(str(tmp_path / FILE))
    for statement in ("UPDATE audit SET who = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(apsw.ConstraintError, match="audit rows stay"):
            connection.execute(statement)
    connection.close()
    assert [CHANGE] == audits(tmp_path)


def test_a_ledger_of_the_first_version_is_brought_up_to_date_with_its_rows(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / FILE, migrations=MIGRATIONS[:1])
    first.open()
    first._commit([(_PUT_FIRST, [msgspec.structs.astuple(ended(1))[:FIRST_COLUMNS]])])
    first.close()
    closed(tmp_path, decided(1))
    assert (1, 1) == (spending(tmp_path).total.attempts, count_decisions(tmp_path))
    assert (tmp_path / f"{FILE}.version-1").exists()


FIRST_COLUMNS = 34
_PUT_FIRST = f"INSERT INTO attempts VALUES ({', '.join('?' * FIRST_COLUMNS)})"  # noqa: S608  our own names


# ---- reading


def test_decisions_come_in_the_order_of_time_each_with_its_own_attempts(tmp_path: Path) -> None:
    books = started(tmp_path)
    numbers = list(range(CHUNK + 50))
    random.Random(1).shuffle(numbers)
    for number in numbers:
        books.note(decided(number))
        books.settle(answer(number, attempt_id=f"att_{number}", cost_pico=number))
    books.close()
    found = list(decisions(tmp_path))
    assert sorted(numbers) == [note.facts.turns for note, _ in found]
    assert [(number,) for number in sorted(numbers)] == [tuple(one.cost_pico for one in spent) for _, spent in found]
    assert CHUNK + 40 == len(list(decisions(tmp_path, since_ms=1_010)))


def test_where_an_id_was_used_again_an_attempt_belongs_to_the_decision_before_it(tmp_path: Path) -> None:
    books = started(tmp_path)
    for number, at_ms in enumerate((100, 200)):
        books.note(decided(number, "same", at_ms))
        row = answer(number, "same", attempt_id=f"att_{number}", at_ms=at_ms + 5, cost_pico=number)
        books.settle(row)
    books.close()
    assert [(0,), (1,)] == [tuple(one.cost_pico for one in spent) for _, spent in decisions(tmp_path)]


def test_the_classifiers_calls_and_what_still_runs_are_no_answers(tmp_path: Path) -> None:
    books = started(tmp_path)
    books.note(decided(1))
    books.settle(answer(1, attempt_id="a", role="classifier"))
    books.intend(answer(1, attempt_id="b", billed="intent"))
    found = list(decisions(tmp_path))
    books.close()
    assert [(decided(1), ())] == found


def test_a_past_request_is_found_with_all_its_attempts_while_the_service_runs(tmp_path: Path) -> None:
    books = started(tmp_path)
    books.note(decided(1))
    books.settle(answer(1, attempt_id="a", role="classifier"))
    books.settle(msgspec.structs.replace(answer(1, attempt_id="b"), number=2))
    note, rows = decision(tmp_path, "req_1")
    books.close()
    assert (decided(1), ["a", "b"]) == (note, [row.attempt_id for row in rows])
    assert (None, []) == decision(tmp_path, "nobody")


def test_the_newest_decision_of_an_id_is_the_one_that_is_told(tmp_path: Path) -> None:
    closed(tmp_path, decided(1, "same", 10), decided(2, "same", 20))
    note, _ = decision(tmp_path, "same")
    assert decided(2, "same", 20) == note


def test_what_each_task_used_is_counted_from_answers_that_are_settled(tmp_path: Path) -> None:
    books = started(tmp_path)
    for number, tokens in enumerate((10, 500, 40)):
        row = answer(number, attempt_id=f"{number}", task="chat", output_tokens=tokens, billed="settled")
        books.settle(row)
    books.settle(answer(9, attempt_id="9", task="chat", output_tokens=9_999, billed="void"))
    books.close()
    assert {"chat": (3, 500)} == most_used(tmp_path)


def test_what_each_caller_spent_is_added_exactly(tmp_path: Path) -> None:
    books = started(tmp_path)
    for number in range(3):
        row = answer(number, attempt_id=f"{number}", tenant="web", feature="chat", user="u", cost_pico=2**40 + 1)
        books.settle(row)
    books.close()
    assert [("web", "chat", "u", 3 * (2**40 + 1))] == list(spent_by_caller(tmp_path, 0))


def test_without_a_ledger_every_reader_says_so(tmp_path: Path) -> None:
    for read in (audits, most_used, count_decisions, lambda folder: list(decisions(folder))):
        with pytest.raises(NoLedger, match="there is no ledger in"):
            read(tmp_path)


def test_decisions_are_no_attempts(tmp_path: Path) -> None:
    closed(tmp_path, decided(1), CHANGE)
    assert 0 == spending(tmp_path).total.attempts


def test_an_attempts_figures_are_the_rows(tmp_path: Path) -> None:
    books = started(tmp_path)
    books.note(decided(1))
    row = answer(1)
    books.settle(row)
    books.close()
    ((_, (spent,)),) = decisions(tmp_path)
    assert {name: getattr(row, name) for name in Spent.__struct_fields__} == msgspec.structs.asdict(spent)


@pytest.mark.parametrize("in_the_journal", [False, True])
def test_a_second_opinion_is_no_answer_and_was_paid_for_all_the_same(tmp_path: Path, in_the_journal: bool) -> None:
    rows = [
        answer(1, attempt_id="a", at_ms=1_002, cost_pico=100, input_tokens=7),
        answer(1, attempt_id="b", at_ms=1_003, cost_pico=20, input_tokens=8, role="check", model="claude-haiku-4-5"),
        answer(2, attempt_id="c", at_ms=1_004, cost_pico=5, input_tokens=9),
    ]
    books = started(tmp_path)
    for note in (decided(1), decided(2)):
        books.note(note)
    for row in rows:
        books.settle(row)
    if in_the_journal:
        found = list(decisions(tmp_path))
        books.close()
    else:
        books.close()
        found = list(decisions(tmp_path))
    told = [[(one.model, one.input_tokens, one.cost_pico) for one in spent] for _, spent in found]
    assert [[("claude-haiku-5-5", 7, 120)], [("claude-haiku-5-5", 9, 5)]] == told
