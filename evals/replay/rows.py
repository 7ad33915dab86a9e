"""Replay data: what real models did on prompts, one row a prompt, and which part of it may be learnt from.

Rule: a split is a digest of the prompt's words, so the same question never stands on both sides. Rows of `heldout`
are scored and nothing else.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from router.errors import StartError

SALT = "public-v1"
SUFFIX = ".jsonl.gz"
TRAIN, CALIBRATE, HELD_OUT = "train", "calib", "heldout"


class Row(msgspec.Struct, frozen=True, dict=True):
    """One prompt, and how well each model did on it."""

    id: str
    prompt: str
    outcomes: dict[str, float]
    source: str = ""
    costs: dict[str, float] | None = None  # in dollars
    group: Any = None

    @cached_property
    def task(self) -> str:
        """What a caller or a policy would call it."""
        return f"{self.source}:{self.group}" if self.group not in (None, "") else self.source


_decode = msgspec.json.Decoder(Row).decode


def files_in(folder: Path) -> tuple[Path, ...]:
    """Raises StartError where there is nothing to replay."""
    found = tuple(sorted(folder.glob(f"*{SUFFIX}")))
    if not found:
        raise StartError(
            f"there is no {SUFFIX} in {folder}; name the folder of the replay data: make bench-routing DATA=..."
        )
    return found


def rows_of(path: Path) -> tuple[Row, ...]:
    """Raises StartError with the line that is no row."""
    try:
        with gzip.open(path, "rb") as file:
            return tuple(_rows(path, file))
    except (OSError, EOFError) as error:
        raise StartError(f"{path} cannot be read: {error}") from None


def split_of(prompt: str, salt: str = SALT) -> str:
    """Half is learnt from, a fifth calibrates, the rest is held out."""
    words = " ".join(prompt.lower().split())
    lot = int(sha256(f"{salt}|{words}".encode("utf-8", "surrogatepass")).hexdigest()[:8], 16) % 10
    return TRAIN if lot < 5 else CALIBRATE if lot < 7 else HELD_OUT


def _rows(path: Path, file: gzip.GzipFile) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield _decode(line)
            except msgspec.MsgspecError as error:
                raise StartError(f"{path}:{number}: is no row of replay data: {error}") from None
