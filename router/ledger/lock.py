"""One process to a data directory: a lock that the operating system drops when its holder dies.

Rule: the file's content is for people (the holder's process id); only the lock itself decides.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..errors import StartError

LOCK_FILE = "ledger.lock"


class DirectoryLock:
    """Held from `take` to `release`, or to the end of the process."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_FILE
        self._file = -1

    def take(self) -> None:
        opened = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(opened, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(opened)
            raise StartError(
                f"another service (process {holder}) keeps its books in {self._path.parent}; "
                "stop it, or give this one its own TIERWISE_DATA_DIR"
            ) from None
        os.ftruncate(opened, 0)
        os.write(opened, f"{os.getpid()}\n".encode())
        self._file = opened

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
