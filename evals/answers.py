"""Answers that were paid for, each in a file of its own; and which calls are under way.

Rule: an answer is on the disk before anybody is told of it. A file that is torn or foreign is no answer: it is asked
for again. A call that was begun leaves a mark, so that the next run can say what a kill may have cost. The
answer to a user's own request is another's text: it lies apart, and only until it is graded.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from router.vocabulary.noun import Noun

from .durable import private_folder, write_whole
from .places import Places
from .vocabulary import Answered

PAST_KEY = "past-"  # begins the key of such an answer
_decode = msgspec.json.Decoder(Answered).decode
_encode = msgspec.json.Encoder().encode


class Mark(Noun, frozen=True, kw_only=True):
    """A call that was begun: what it may cost at most, if its answer never comes."""

    key: str
    model: str
    worst_pico: int
    at_ms: int


class LeftOver(Noun, frozen=True, kw_only=True):
    """What was under way when the last run was killed, and is not answered."""

    calls: int = 0
    worst_pico: int = 0


_decode_mark = msgspec.json.Decoder(Mark).decode


class Answers:
    """Of one folder, for one process at a time."""

    def __init__(self, places: Places) -> None:
        self._answers = private_folder(places.answers)
        self._past = private_folder(places.past)
        self._marks = private_folder(places.in_flight)
        self._known: dict[str, Answered] = {}  # what was read or written by this process

    def find(self, key: str) -> Answered | None:
        if key not in self._known:
            found = _read(self._path(key))
            if found is None or found.key != key:
                return None
            self._known[key] = found
        return self._known[key]

    def keep(self, answered: Answered) -> None:
        """On the disk when it returns, and no longer under way."""
        path = self._path(answered.key)
        private_folder(path.parent)
        write_whole(path, _encode(answered))
        self._known[answered.key] = answered
        self.over(answered.key)

    def forget(self, key: str) -> None:
        """Off the disk: what it was asked for is done. This process still knows it, so that an equal request of the
        same run is not paid again."""
        self._path(key).unlink(missing_ok=True)

    def begin(self, mark: Mark) -> None:
        """Before the call. The operating system has it: enough for a kill, and a power cut is in the ledger too."""
        (self._marks / f"{mark.key}.json").write_bytes(_encode(mark))

    def over(self, key: str) -> None:
        """It ended, and what it cost is known."""
        (self._marks / f"{key}.json").unlink(missing_ok=True)

    def left_over(self) -> LeftOver:
        """What the last run left behind; told once."""
        lost: list[Mark] = []
        for path in sorted(self._marks.glob("*.json")):
            mark = _read_mark(path)
            if mark is not None and self.find(mark.key) is None:
                lost.append(mark)
            path.unlink(missing_ok=True)
        return LeftOver(calls=len(lost), worst_pico=sum(mark.worst_pico for mark in lost))

    def _path(self, key: str) -> Path:
        if key.startswith(PAST_KEY):
            return self._past / f"{key}.json"
        return self._answers / key[:2] / f"{key}.json"


def forget_past(places: Places) -> None:
    """Every answer to a user's own request, whole or torn."""
    for path in places.past.glob("*"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> Answered | None:
    try:
        return _decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def _read_mark(path: Path) -> Mark | None:
    try:
        return _decode_mark(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
