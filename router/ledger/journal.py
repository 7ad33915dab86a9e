"""The journal: every row is here, with the operating system, before the caller goes on.

Rule: append only. Each record is one `write` to a file opened O_APPEND, so a process that is killed
loses nothing that it was told. A segment is deleted once all its rows are in the store; what is
damaged is set aside, never deleted and never fatal.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ..vocabulary import LedgerRow
from .records import Note, unpack

FOLDER = "journal"
SEGMENT_BYTES = 4 * 1024 * 1024
_SUFFIX = ".journal"
_DAMAGED = ".damaged"


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of the journal holds."""

    path: Path
    rows: list[LedgerRow]
    damaged_bytes: int
    notes: list[Note] = []


class Journal:
    """The writing side. One owner; `append` and `close` are called under the owner's lock."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.number = 0  # of the segment that is written to
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._file = -1
        self._size = 0

    def open(self) -> None:
        """Begin a segment of its own: nothing is ever appended behind a record that may be torn."""
        self._begin(1 + max((int(path.stem) for path in _files(self._folder)), default=0))

    def append(self, record: bytes) -> int:
        """Write one record and return its segment's number; OSError when it is not written."""
        if self._size >= self._segment_bytes:
            self._rotate()
        written = os.write(self._file, record)
        if written != len(record):
            self._cut_back()
            raise OSError(errno.ENOSPC, "only a part of the record was written")
        self._size += written
        return self.number

    def release(self, before: int) -> None:
        """Delete the segments below this number: all of their rows are in the store."""
        for path in _files(self._folder, _SUFFIX):
            if int(path.stem) < before:
                with suppress(OSError):  # replayed once more at the next start, which changes nothing
                    path.unlink()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self, number: int) -> None:
        path = self._folder / f"{number:08d}{_SUFFIX}"
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self.close()
        self._file, self._size, self.number = opened, 0, number

    def _rotate(self) -> None:
        # A segment that grows too long is no harm; a row that is refused for it would be.
        with suppress(OSError):
            self._begin(self.number + 1)

    def _cut_back(self) -> None:
        # Where even this fails, the reader skips the half record by its checksum.
        with suppress(OSError):
            os.ftruncate(self._file, self._size)
        self._size = os.fstat(self._file).st_size


def segments(folder: Path) -> Iterator[Segment]:
    """Every segment, oldest first. One that vanishes meanwhile is in the store by then."""
    for path in _files(folder, _SUFFIX):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        records, damaged_bytes = unpack(data)
        rows = [record for record in records if isinstance(record, LedgerRow)]
        notes = [record for record in records if not isinstance(record, LedgerRow)]
        yield Segment(path=path, rows=rows, damaged_bytes=damaged_bytes, notes=notes)


def put_away(segment: Segment) -> None:
    """A segment whose rows are in the store: delete it, or keep it aside when it is damaged."""
    if segment.damaged_bytes:
        segment.path.rename(segment.path.with_suffix(_DAMAGED))
    else:
        segment.path.unlink()


def _files(folder: Path, *suffixes: str) -> list[Path]:
    wanted = suffixes or (_SUFFIX, _DAMAGED)
    return sorted(path for path in folder.glob("*") if path.suffix in wanted and path.stem.isdecimal())
