"""The journal's files: when they begin and go, and a disk that is full."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from router.ledger.journal import Journal, put_away, segments
from router.ledger.records import pack
from router.vocabulary import LedgerRow
from tests.ledger.samples import intent


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """The operating system writes up to there and then refuses, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def opened(folder: Path, segment_bytes: int = 1_000_000) -> Journal:
    journal = Journal(folder, segment_bytes)
    journal.open()
    return journal


def rows_in(folder: Path) -> list[LedgerRow]:
    return [row for segment in segments(folder) for row in segment.rows]


def test_a_row_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    opened(tmp_path).append(pack(intent(1))[1])
    assert [intent(1)] == rows_in(tmp_path)


def test_a_segment_that_is_full_is_followed_by_another_and_released_by_number(tmp_path: Path) -> None:
    journal = opened(tmp_path, segment_bytes=1)
    numbers = [journal.append(pack(intent(number))[1]) for number in range(3)]
    assert [1, 2, 3] == numbers
    journal.release(before=3)
    assert [intent(2)] == rows_in(tmp_path)


def test_an_opened_journal_never_writes_behind_an_older_one(tmp_path: Path) -> None:
    opened(tmp_path).append(pack(intent(1))[1][:-1])
    opened(tmp_path).append(pack(intent(2))[1])
    assert [([], 0), ([intent(2)], 0)] == [(segment.rows, segment.damaged_bytes) for segment in segments(tmp_path)]


def test_only_its_owner_can_read_a_segment(tmp_path: Path) -> None:
    opened(tmp_path)
    assert [0o600] == [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()]


def test_a_record_that_fits_only_in_part_is_taken_back_and_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(pack(intent(1))[1])
    with no_file_grows_beyond(len(pack(intent(1))[1]) + 40):
        for _ in range(2):
            with pytest.raises(OSError, match=r"part of the record|too large"):
                journal.append(pack(intent(2))[1])
    journal.append(pack(intent(3))[1])
    assert [([intent(1), intent(3)], 0)] == [(segment.rows, segment.damaged_bytes) for segment in segments(tmp_path)]


def test_where_no_new_segment_can_be_made_the_old_one_grows(tmp_path: Path) -> None:
    journal = opened(tmp_path, segment_bytes=1)
    journal.append(pack(intent(1))[1])
    (tmp_path / "00000002.journal").mkdir()  # in the way
    assert 1 == journal.append(pack(intent(2))[1])
    (tmp_path / "00000002.journal").rmdir()
    assert [intent(1), intent(2)] == rows_in(tmp_path)


def test_a_damaged_segment_is_kept_aside_and_a_whole_one_goes(tmp_path: Path) -> None:
    for number, record in enumerate((b"garbage!", pack(intent(1))[1]), start=1):
        (tmp_path / f"{number:08d}.journal").write_bytes(record)
    for segment in list(segments(tmp_path)):
        put_away(segment)
    assert ["00000001.damaged"] == [path.name for path in tmp_path.iterdir()]
    assert 2 == opened(tmp_path).number
