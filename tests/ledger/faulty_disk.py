"""A disk that fails on purpose, between SQLite and the real one: writes refused, or never synced.

Rule: everything else goes through to the file system untouched, so that SQLite runs as it does outside.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

_NUMBERS = itertools.count()


class Disk:
    """What the test decides (`refuse_after`) and sees (`writes`)."""

    def __init__(self) -> None:
        self.writes = 0
        self.refuse_after: int | None = None  # so many writes still succeed
        self.refused = 0
        self.error: type[apsw.Error] = apsw.FullError
        self.unsynced: dict[str, list[tuple[int, bytes]]] = {}  # what the platter does not have, by file
        self.vfs = f"faulty-{next(_NUMBERS)}"

    def connect(self, path: str) -> apsw.Connection:
        return apsw.Connection(path, vfs=self.vfs)

    def before_write(self) -> None:
        self.writes += 1
        if self.refuse_after is not None:
            if self.refuse_after <= 0:
                self.refused += 1
                raise self.error("the disk refuses")
            self.refuse_after -= 1


class FaultyFile(apsw.VFSFile):
    def __init__(self, filename: str | apsw.URIFilename | None, flags: list[int], disk: Disk) -> None:
        super().__init__("", filename, flags)
        self._disk = disk
        self._name = Path(str(filename.filename() if isinstance(filename, apsw.URIFilename) else filename)).name

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's name
        self._disk.before_write()
        super().xWrite(data, offset)
        self._disk.unsynced.setdefault(self._name, []).append((offset, bytes(data)))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._disk.unsynced.pop(self._name, None)


class FaultyVfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.vfs, "")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> FaultyFile:  # noqa: N802
        return FaultyFile(name, flags, self._disk)


@contextmanager
def faulty_disk() -> Iterator[Disk]:
    disk = Disk()
    vfs = FaultyVfs(disk)
    try:
        yield disk
    finally:
        vfs.unregister()


def after_power_loss(disk: Disk, file: Path, to: Path, dice: random.Random) -> Path:
    """The database as the next start finds it: of the writes since a file's last sync, only some arrived.

    What did not arrive leaves zeros, the worst of what was there before; the shared-memory index is gone.
    """
    for source in (file, file.with_name(f"{file.name}-wal")):
        content = bytearray(source.read_bytes() if source.exists() else b"")
        for offset, data in disk.unsynced.get(source.name, []):
            if dice.random() < 0.5:
                content[offset : offset + len(data)] = bytes(len(data))
        (to / source.name).write_bytes(content)
    return to / file.name
