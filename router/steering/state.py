"""What survives a restart: how far a rollout got, what it saw, and what the policy said last.

Rule: one small file, written whole under another name and then moved, so that it is never half-written; one
that cannot be read is set aside and a new one begun, because a rollout can be begun again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from ..decide.rollout import Tally

FILE = "rollout.json"
Stage = Literal["none", "shadow", "canary", "promoted", "rolled_back", "aborted"]


class Window(msgspec.Struct, kw_only=True):
    """What both policies did since then."""

    since_ms: int = 0
    current: Tally = msgspec.field(default_factory=Tally)
    candidate: Tally = msgspec.field(default_factory=Tally)


class State(msgspec.Struct, kw_only=True):
    stage: Stage = "none"
    since_ms: int = 0
    why: str = ""
    current_hash: str = ""
    candidate_hash: str = ""
    served: int = 0  # requests by the candidate in this stage
    window: Window = msgspec.field(default_factory=Window)
    before: Window = msgspec.field(default_factory=Window)
    shadow: dict[str, int] = msgspec.field(default_factory=dict)  # same, differs, unknown
    moves: dict[str, int] = msgspec.field(default_factory=dict)  # the commonest differences, in words
    policy_hash: str = ""  # of the policy that was loaded last
    said: list[str] = msgspec.field(default_factory=list)


_DECODER = msgspec.json.Decoder(State)


class StateFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def read(self) -> State:
        try:
            return _DECODER.decode(self._path.read_bytes())
        except FileNotFoundError:
            return State()
        except (OSError, msgspec.MsgspecError):
            self._set_aside()
            return State()

    def write(self, encoded: bytes) -> None:
        """Raises OSError."""
        unfinished = self._path.with_suffix(".json.new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(encoded)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)

    def _set_aside(self) -> None:
        try:
            self._path.replace(self._path.with_suffix(".json.damaged"))
        except OSError:
            return
