"""How often each suite was begun anew: a part of every key, so that `--fresh` asks all of it again.

Rule: a beginning that was stopped is gone on with, fresh or not, until a run of the suite is finished; so that what it
paid for is not paid twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from .durable import private_folder, write_whole


class Begun(msgspec.Struct):
    number: int = 0
    finished: bool = True


_decode = msgspec.json.Decoder(dict[str, Begun]).decode


class Fresh:
    """Of one data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = _read(path)

    def number(self, suite: str) -> int:
        return self._begun.get(suite, Begun()).number

    def begin(self, suites: Iterable[str]) -> tuple[str, ...]:
        """Anew, but for those whose last beginning was stopped: they are named, and gone on with."""
        going_on = []
        for suite in suites:
            before = self._begun.get(suite, Begun())
            if before.finished:
                self._begun[suite] = Begun(number=before.number + 1, finished=False)
            else:
                going_on.append(suite)
        self._write()
        return tuple(going_on)

    def finish(self, suites: Iterable[str]) -> None:
        """The next `--fresh` begins anew."""
        open_ones = [suite for suite in suites if suite in self._begun and not self._begun[suite].finished]
        for suite in open_ones:
            self._begun[suite].finished = True
        if open_ones:
            self._write()

    def _write(self) -> None:
        private_folder(self._path.parent)
        write_whole(self._path, msgspec.json.encode(self._begun))


def _read(path: Path) -> dict[str, Begun]:
    try:
        return _decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return {}
