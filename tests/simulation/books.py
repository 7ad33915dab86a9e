"""A ledger in memory, held against the API's bill with each row; and what is left of it when its process dies.

Rule: an attempt is intended once, before it is sent, and ends once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec

from router.errors import RequestError
from router.vocabulary import LedgerRow

from .truth import Truth, complaint_of

WITHOUT_CALL = frozenset({"cache", "stale", "canned", "shared"})  # the roles of rows that no call was made for
Complain = Callable[[str, str], None]
Log = Callable[[str, str], None]


class SimBooks:
    """Implements ports.Ledger for one process after the other."""

    def __init__(self, complain: Complain, log: Log, reached: Counter[str]) -> None:
        self.shut = False  # the disk is full
        self.open: dict[str, LedgerRow] = {}
        self.truths: dict[str, Truth] = {}  # of the attempts that are under way, by their id
        self.rows = 0
        self._costs: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._complain = complain
        self._log = log
        self._reached = reached
        self._others: defaultdict[str, set[str]] = defaultdict(set)
        self._sending: dict[object, LedgerRow] = {}  # by task: what it is about to send

    def intend(self, row: LedgerRow) -> None:
        if self.shut:
            self._reached["books:shut"] += 1
            raise RequestError("router_ledger_unavailable", "the books cannot be written; nothing was sent")
        if row.attempt_id in self.open:
            self._complain(row.request_id, f"{row.attempt_id} was intended twice")
        self.open[row.attempt_id] = row
        self._sending[asyncio.current_task()] = row
        self._log(row.request_id, f"intent {row.attempt_id} {row.role} {row.model} worst {row.worst_pico}")

    def take(self, model: str) -> LedgerRow | None:
        """The intent of the call that this task makes now."""
        row = self._sending.pop(asyncio.current_task(), None)
        return row if row is not None and row.model == model else None

    def settle(self, row: LedgerRow) -> None:
        if row.role in WITHOUT_CALL:
            self._others[row.request_id].add(row.role)
        elif self.open.pop(row.attempt_id, None) is None:
            self._complain(row.request_id, f"{row.attempt_id} was settled without an open intent")
        self._end(row)

    def note(self, record: object) -> None:
        """Decisions are not what is tested here."""

    def cost_of(self, request_id: str) -> tuple[int, int]:
        """What is in the books for a request that has ended: its answer, its classifier."""
        answer, classifier = self._costs.pop(request_id, (0, 0))
        return answer, classifier

    def roles_of(self, request_id: str) -> frozenset[str]:
        """By what else it was answered, once it has ended."""
        return frozenset(self._others.pop(request_id, ()))

    def lose_process(self) -> None:
        """What a restart makes of the intents that nobody ended."""
        self._sending.clear()
        open_rows, self.open = self.open, {}
        for row in open_rows.values():
            self._end(msgspec.structs.replace(row, billed="unknown", outcome="unknown", cost_pico=row.worst_pico))

    def _end(self, row: LedgerRow) -> None:
        self.rows += 1
        self._costs[row.request_id][row.role == "classifier"] += row.cost_pico
        truth = self.truths.pop(row.attempt_id, None)
        self._reached[f"billed:{row.billed}"] += 1
        self._reached[f"outcome:{row.outcome}"] += 1
        fault = truth.fault if truth is not None else ""
        self._log(row.request_id, f"settled {row.attempt_id} {row.outcome} {row.billed} {row.cost_pico} {fault}")
        wrong = complaint_of(row, truth)
        if wrong is not None:
            self._complain(row.request_id, f"{wrong} ({row.attempt_id}, {row.outcome} {fault})")


class BooksOfProcess:
    """The books as one process sees them: when it has died, it writes no more."""

    def __init__(self, books: SimBooks) -> None:
        self.dead = False
        self._books = books

    def intend(self, row: LedgerRow) -> None:
        if not self.dead:
            self._books.intend(row)

    def settle(self, row: LedgerRow) -> None:
        if not self.dead:
            self._books.settle(row)

    def note(self, record: object) -> None:
        if not self.dead:
            self._books.note(record)
