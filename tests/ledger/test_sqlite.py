"""The SQLite file: what is written, what is refused at start, what survives the disk."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import StartError
from router.ledger.records import storable
from router.ledger.report import rows
from router.ledger.sqlite import COLUMNS, MIGRATIONS, SqliteStore, check_version
from router.ledger.store import StoreFailed
from router.vocabulary import LedgerRow
from tests.ledger.faulty_disk import after_power_loss, faulty_disk
from tests.ledger.samples import ended, intent

ONE_MORE = (*MIGRATIONS, "ALTER TABLE attempts ADD COLUMN weather TEXT; UPDATE attempts SET weather = 'fine'")


def opened(folder: Path, migrations: tuple[str, ...] = MIGRATIONS) -> SqliteStore:
    store = SqliteStore(folder / "ledger.sqlite", migrations=migrations)
    store.open()
    return store


def written(folder: Path, *rows: LedgerRow) -> None:
    store = opened(folder)
    store.put(rows)
    store.close()


def read(folder: Path, select: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    connection = apsw.Connection(str(folder / "ledger.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(select))
    finally:
        connection.close()


def test_every_field_of_a_row_has_its_column() -> None:
    """A new field of LedgerRow needs a migration."""
    connection = apsw.Connection(":memory:")
    for script in MIGRATIONS:
        connection.execute(script)
    assert list(COLUMNS) == [name for _, name, *_ in connection.execute("PRAGMA table_info(attempts)")]


def test_writing_rows_again_in_any_order_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, intent(1), ended(2))
    written(tmp_path, ended(1), intent(2))
    written(tmp_path, intent(1), ended(2), ended(1))
    assert [ended(1), ended(2)] == rows(tmp_path)


def test_open_intents_end_as_unknown_at_their_worst_cost_and_only_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put([intent(1), ended(2)])
    assert [1, 0] == [store.end_intents(), store.end_intents()]
    store.put([intent(1)])
    store.close()
    assert [("unknown", "unknown", 1_000_001), ("answered", "settled", 102)] == [
        (row.outcome, row.billed, row.cost_pico) for row in rows(tmp_path)
    ]


@settings(max_examples=10)
@given(names=st.lists(st.none() | st.text(max_size=30), min_size=10, max_size=40))
def test_any_text_comes_back_as_it_was_written(names: list[str | None]) -> None:
    with TemporaryDirectory() as folder:
        expected = [ended(number, at_ms=number, user=name, feature=name) for number, name in enumerate(names)]
        written(Path(folder), *expected)
        assert expected == rows(Path(folder))


def test_a_nul_in_a_name_is_kept_and_tells_two_users_apart(tmp_path: Path) -> None:
    written(tmp_path, ended(1, user="a\x00b"), ended(2, user="a\x00c"))
    assert ["a\x00b", "a\x00c"] == [row.user for row in rows(tmp_path)]


def test_one_figure_out_of_range_does_not_keep_the_others_out(tmp_path: Path) -> None:
    monster = ended(1, cost_pico=2**63, input_tokens=10**30)
    written(tmp_path, monster, ended(2))
    assert [storable(monster), ended(2)] == rows(tmp_path)


def test_only_its_owner_can_read_the_ledger(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.put([intent(1)])
    assert {0o600} == {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert 3 == len(list(tmp_path.iterdir())), "the file, its log and its index"
    store.close()


def test_every_commit_is_synced(tmp_path: Path) -> None:
    with faulty_disk() as disk:
        store = SqliteStore(tmp_path / "ledger.sqlite", disk.connect)
        store.open()
        for number in range(5):
            store.put([intent(number)])
            assert {} == disk.unsynced
        store.close()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.52.0"])
def test_a_sqlite_with_the_bug_is_refused(version: str) -> None:
    with pytest.raises(StartError, match=rf"SQLite {version} has a bug"):
        check_version(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.53.0", "3.54.1", "4.0.0"])
def test_a_sqlite_without_the_bug_is_taken(version: str) -> None:
    check_version(version)


def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    opened(tmp_path, ONE_MORE).close()
    before = (tmp_path / "ledger.sqlite").read_bytes()
    with pytest.raises(
        StartError, match=rf"newer Tierwise \(schema {len(ONE_MORE)}, this one knows {len(MIGRATIONS)}\)"
    ):
        opened(tmp_path)
    assert before == (tmp_path / "ledger.sqlite").read_bytes()


@pytest.mark.parametrize("place", [0, 4096])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, place: int) -> None:
    written(tmp_path, *(ended(number) for number in range(50)))
    file = tmp_path / "ledger.sqlite"
    content = bytearray(file.read_bytes())
    content[place : place + 3000] = b"\xa5" * 3000
    file.write_bytes(content)
    with pytest.raises(StartError, match="is damaged"):
        opened(tmp_path)
    assert bytes(content) == file.read_bytes()


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"ledger.sqlite cannot be opened"):
        SqliteStore(tmp_path / "missing" / "ledger.sqlite").open()


def test_a_migration_keeps_the_rows_and_a_copy_of_the_file_before_it(tmp_path: Path) -> None:
    written(tmp_path, ended(1))
    opened(tmp_path, ONE_MORE).close()
    assert [("att_1", "fine")] == read(tmp_path, "SELECT attempt_id, weather FROM attempts")
    copy = tmp_path / f"ledger.sqlite.version-{len(MIGRATIONS)}"
    copy.rename(tmp_path / "ledger.sqlite")
    assert ([ended(1)], 0o600) == (rows(tmp_path), (tmp_path / "ledger.sqlite").stat().st_mode & 0o777)


def test_a_migration_that_is_cut_anywhere_has_not_happened_and_can_be_made_again(tmp_path: Path) -> None:
    cut = 0
    for writes in range(60):
        folder = tmp_path / str(writes)
        folder.mkdir()
        written(folder, ended(1))
        with faulty_disk() as disk:
            disk.refuse_after = writes
            store = SqliteStore(folder / "ledger.sqlite", disk.connect, ONE_MORE)
            try:
                store.open()
            except StartError:
                cut += 1
                assert [ended(1)] == rows(folder)
            store.close()
            if disk.refused == 0:
                break
        opened(folder, ONE_MORE).close()
        assert [("att_1", "fine")] == read(folder, "SELECT attempt_id, weather FROM attempts")
    assert (True, 0) == (cut > 3, disk.refused), "every write was refused once, the last round none"


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError])
def test_a_write_that_is_refused_at_any_point_loses_no_row_and_the_next_one_succeeds(
    tmp_path: Path, error: type[apsw.Error]
) -> None:
    with faulty_disk() as disk:
        store = SqliteStore(tmp_path / "ledger.sqlite", disk.connect)
        store.open()
        kept: list[LedgerRow] = []
        disk.error = error
        for number in range(30):
            disk.refuse_after = number % 7
            row = ended(number, at_ms=number, reason="x" * 3000)
            try:
                store.put([row])
            except StoreFailed:
                disk.refuse_after = None
                store.put([row])
            kept.append(row)
            assert kept == rows(tmp_path)
        assert disk.refused > 10
        disk.refuse_after = None
        store.close()


def test_damage_that_shows_at_run_time_is_a_lasting_failure(tmp_path: Path) -> None:
    with faulty_disk() as disk:
        store = SqliteStore(tmp_path / "ledger.sqlite", disk.connect)
        store.open()
        disk.error = apsw.CorruptError
        disk.refuse_after = 0
        with pytest.raises(StoreFailed, match="is damaged") as refused:
            store.put([intent(1)])
        assert refused.value.lasting
        store.close()


def cut_after(folder: Path, commits: int, dice: random.Random) -> list[LedgerRow]:
    """Commit so many times, begin one more, lose power in the middle of it; what the next start reads."""
    with faulty_disk() as disk:
        store = SqliteStore(folder / "ledger.sqlite", disk.connect)
        store.open()
        for number in range(commits):
            store.put([ended(number, at_ms=number, reason="x" * dice.randrange(4000))])
        disk.refuse_after = dice.randrange(12)
        with suppress(StoreFailed):
            store.put([ended(commits, at_ms=commits, reason="x" * dice.randrange(20_000))])
        (folder / "cut").mkdir()
        after_power_loss(disk, folder / "ledger.sqlite", folder / "cut", dice)
        disk.refuse_after = None
        store.close()
    opened(folder / "cut").close()
    return rows(folder / "cut")


def test_power_loss_in_the_middle_of_a_commit_takes_no_committed_row(tmp_path: Path) -> None:
    for seed in range(20):
        dice = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        commits = dice.randrange(1, 6)
        assert list(range(commits)) == [row.at_ms for row in cut_after(folder, commits, dice)][:commits]


@pytest.mark.soak
def test_power_loss_a_thousand_times_takes_no_committed_row(tmp_path: Path) -> None:
    for seed in range(1000):
        dice = random.Random(1000 + seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        commits = dice.randrange(1, 40)
        assert list(range(commits)) == [row.at_ms for row in cut_after(folder, commits, dice)][:commits]
