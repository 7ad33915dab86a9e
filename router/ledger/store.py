"""Where the rows end up: the seam behind which another database may stand.

Rule: only the protocol and its one error; no SQL and no files here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ..errors import TierwiseError
from ..vocabulary import LedgerRow
from .records import Note


class StoreFailed(TierwiseError):
    """The store did not take the rows: none of them. `lasting`: asking again will not help."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class Store(Protocol):
    """Rows by attempt id. Writing is idempotent, and an ended row is never replaced by an intent.

    Notes, of decisions and of changes, are only ever added.
    """

    def open(self) -> None: ...  # raises StartError
    def put(self, rows: Collection[LedgerRow], notes: Collection[Note] = ()) -> None: ...  # all or none, durable
    def end_intents(self) -> int: ...  # every open intent becomes `unknown` at its worst cost
    def close(self) -> None: ...
