"""Files that a kill cannot leave half-written, and folders that only their owner may enter.

Rule: written whole under another name, brought to the disk, then moved. A reader sees the old file or the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o700


def private_folder(path: Path) -> Path:
    """Those above it that are not there yet are made private too."""
    for folder in (*reversed(path.parents), path):
        folder.mkdir(exist_ok=True, mode=PRIVATE)
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Raises OSError. Two writers of one file leave the file of one of them, whole."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The new name is on the disk too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
