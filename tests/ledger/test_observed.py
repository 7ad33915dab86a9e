"""What was observed is kept like every note: read back as it was, once, also while the service runs."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec
import pytest

from router.ledger.history import audits, decisions
from router.ledger.journal import FOLDER
from router.ledger.observed import observations
from router.ledger.records import PAYLOAD_MAX_BYTES, pack, unpack
from router.ledger.report import NoLedger
from router.ledger.sqlite import FILE, MIGRATIONS, SqliteStore
from router.vocabulary import Observed
from tests.ledger.fickle import started
from tests.ledger.samples import ended


def note(number: int, **more: object) -> Observed:
    made = Observed(
        at_ms=1_000 + number,
        request_id=f"req_{number}",
        tenant=b"\xff\xfeTW",
        task="chat",
        scope=bytes(range(32)),
        guard=b"",
        signature=(0, 2**32 - 1, number),
        answer_signature=(1, 2),
        answer_digest=b"\x00" * 16,
        exact=number % 2 == 0,
    )
    return msgspec.structs.replace(made, **more)


def closed(folder: Path, *notes: Observed) -> None:
    books = started(folder)
    for one in notes:
        books.note(one)
    books.close()


def test_it_is_read_back_as_it_was() -> None:
    kept, data = pack(note(1))
    assert (note(1), ([note(1)], 0)) == (kept, unpack(data))


def test_it_stands_in_the_journal_beside_rows() -> None:
    records = [pack(note(1))[1], pack(ended(1))[1], pack(note(2))[1]]
    assert ([note(1), ended(1), note(2)], 0) == unpack(b"".join(records))
    assert ([note(1), ended(1)], 0) == unpack(b"".join(records)[:-1])


@pytest.mark.parametrize("name", ["\ud800", "x" * 2 * PAYLOAD_MAX_BYTES, "a\x00b"])
def test_whatever_a_caller_calls_his_request_it_can_be_kept(tmp_path: Path, name: str) -> None:
    kept, data = pack(note(1, request_id=name))
    assert ([kept], 0) == unpack(data)
    assert note(1).signature == kept.signature
    closed(tmp_path, note(1, request_id=name))
    assert [kept] == observations(tmp_path)


def test_all_of_it_is_given_from_a_time_on_in_the_order_of_time(tmp_path: Path) -> None:
    closed(tmp_path, note(3), note(1), note(2))
    assert [note(1), note(2), note(3)] == observations(tmp_path)
    assert [note(2), note(3)] == observations(tmp_path, since_ms=1_002)
    assert ([], []) == (list(decisions(tmp_path)), audits(tmp_path))


def test_while_the_service_runs_and_after_it_was_killed_nothing_is_missing_or_double(tmp_path: Path) -> None:
    closed(tmp_path, note(1))
    books = started(tmp_path)
    books.note(note(2))
    assert [note(1), note(2)] == observations(tmp_path)
    assert books.flush()
    assert [note(1), note(2)] == observations(tmp_path)
    books.close()
    left = b"".join(pack(one)[1] for one in (note(2), note(3)))
    (tmp_path / FOLDER / "00000099.journal").write_bytes(left)
    assert [note(1), note(2), note(3)] == observations(tmp_path)
    closed(tmp_path)
    assert [note(1), note(2), note(3)] == observations(tmp_path)


def test_a_ledger_of_an_older_version_learns_it(tmp_path: Path) -> None:
    before = next(at for at, script in enumerate(MIGRATIONS) if "TABLE observed" in script)
    old = SqliteStore(tmp_path / FILE, migrations=MIGRATIONS[:before])
    old.open()
    old.close()
    closed(tmp_path, note(1))
    assert [note(1)] == observations(tmp_path)
    tables = apsw.Connection(str(tmp_path / FILE)).execute("SELECT count(*) FROM observed").get
    assert 1 == tables


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoLedger, match="there is no ledger"):
        observations(tmp_path)
