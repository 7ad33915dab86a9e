"""What was spent, by whom and on what: the reading side, also while the service runs.

Rule: nothing here can write the ledger. What is still in the journal counts too, so that a figure is
exact at the moment it is asked for. Money is added as integers, in two halves that cannot overflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import apsw
import msgspec

from ..errors import TierwiseError
from ..vocabulary import Billed, LedgerRow
from .journal import FOLDER, segments
from .records import INTENT, latest, storable
from .sqlite import COLUMNS, FILE, MIGRATIONS

Dimension = Literal["model", "feature", "user", "task", "day", "tenant"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
_COLUMNS = ", ".join(COLUMNS)
# Journal first, then the ledger: a row moves from one to the other, and is seen in at least one of them.
_ATTEMPTS = f"""
    WITH newer AS (
        SELECT * FROM pending WHERE billed <> '{INTENT}' OR attempt_id NOT IN (SELECT attempt_id FROM ledger.attempts)
    ), attempts AS (
        SELECT {_COLUMNS} FROM newer
        UNION ALL
        SELECT {_COLUMNS} FROM ledger.attempts WHERE attempt_id NOT IN (SELECT attempt_id FROM newer)
    )
"""  # noqa: S608  our own column names
# A token count is cut at a million millions: a sum of wrong figures must not keep the right ones from being shown.
_TOKEN_SUMS = ", ".join(f"sum(min({name}, 1000000000000))" for name in TOKENS)
_GROUPED = """
    SELECT {key}, billed, count(*), sum(cost_note <> ''), {tokens},
        sum(cost_pico >> 32), sum(cost_pico & 4294967295), sum(worst_pico >> 32), sum(worst_pico & 4294967295)
    FROM attempts WHERE at_ms >= ? AND role NOT IN ('cache', 'stale', 'canned', 'shared') GROUP BY 1, 2
"""


class NoLedger(TierwiseError):
    """There is no ledger in this directory, or it cannot be read."""


class Sums(msgspec.Struct, kw_only=True):
    """Added up. `attempts` are the calls that the API answered with a message; `unknown` stand apart."""

    attempts: int = 0
    cost_pico: int = 0
    estimated: int = 0  # of the attempts: cut short, or priced with a figure missing
    tokens: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    void: int = 0  # calls that provably cost nothing
    unknown: int = 0  # outcome not seen, those in flight included
    in_flight: int = 0  # of the unknown: begun and not ended, or left by a service that was killed
    unknown_pico: int = 0  # at most

    @property
    def exact(self) -> bool:
        return self.estimated == 0 and self.unknown == 0


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """A report: the whole, and each group by its key (None: the attempts that have none)."""

    total: Sums
    by: Dimension
    groups: dict[str | None, Sums]


def spending(data_dir: Path, by: Dimension = "model", since_ms: int = 0) -> Spending:
    """Everything from `since_ms` on. Raises NoLedger."""
    key = "date(at_ms / 1000, 'unixepoch')" if by == "day" else by
    found = query(data_dir, _GROUPED.format(key=key, tokens=_TOKEN_SUMS), (since_ms,))
    total = Sums()
    groups: dict[str | None, Sums] = {}
    for name, *figures in found:
        for sums in (total, groups.setdefault(name, Sums())):
            _add(sums, figures)
    return Spending(total=total, by=by, groups=groups)


def rows(data_dir: Path) -> list[LedgerRow]:
    """Every row, oldest first. Raises NoLedger."""
    found = query(data_dir, f"SELECT {_COLUMNS} FROM attempts ORDER BY at_ms, attempt_id", ())  # noqa: S608  as above
    return [msgspec.convert(dict(zip(COLUMNS, row, strict=True)), LedgerRow) for row in found]


def _add(sums: Sums, figures: Sequence[int | str]) -> None:
    billed = figures[0]
    count, noted, *rest = (int(figure) for figure in figures[1:])
    *tokens, cost_high, cost_low, worst_high, worst_low = rest
    if billed in (Billed.SETTLED, Billed.ESTIMATED):
        sums.attempts += count
        sums.cost_pico += (cost_high << 32) + cost_low
        sums.estimated += noted if billed == Billed.SETTLED else count
        for name, amount in zip(TOKENS, tokens, strict=True):
            sums.tokens[name] += amount
    elif billed == Billed.VOID:
        sums.void += count
    else:
        in_flight = billed == INTENT
        sums.unknown += count
        sums.in_flight += count if in_flight else 0
        sums.unknown_pico += (worst_high << 32) + worst_low if in_flight else (cost_high << 32) + cost_low


def query(data_dir: Path, select: str, bindings: tuple[int | str, ...]) -> list[tuple[Any, ...]]:
    """What a SELECT finds, over `attempts` (the journal's rows included) and `ledger.*`. Raises NoLedger."""
    connection, _ = opened(data_dir)
    try:
        return [tuple(row) for row in connection.execute(_ATTEMPTS + select, bindings)]
    except (apsw.Error, OSError) as error:
        raise NoLedger(f"the ledger {data_dir / FILE} cannot be read: {error}") from error


def opened(data_dir: Path) -> tuple[apsw.Connection, list[LedgerRow]]:
    """The ledger, to be read only, and the journal's rows. Raises NoLedger."""
    path = data_dir / FILE
    if not path.is_file():
        raise NoLedger(
            f"there is no ledger in {data_dir.absolute()}: `tierwise serve` makes it when it first starts; "
            "name another place with --data-dir or TIERWISE_DATA_DIR"
        )
    try:
        pending = [row for segment in segments(data_dir / FOLDER) for row in segment.rows]
        return _open(path, latest(pending).values()), pending
    except (apsw.Error, OSError) as error:
        raise NoLedger(f"the ledger {path} cannot be read: {error}") from error


def _open(path: Path, pending: Iterable[LedgerRow]) -> apsw.Connection:
    """A database in memory with the journal's rows, and the ledger beside it, to be read only."""
    connection = apsw.Connection(
        ":memory:", flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    )
    connection.set_busy_timeout(2000)
    connection.pragma("trusted_schema", False)
    connection.execute("ATTACH ? AS ledger", (f"{path.absolute().as_uri()}?mode=ro",))
    version = int(connection.pragma("user_version", schema="ledger"))
    if version != len(MIGRATIONS):
        raise NoLedger(
            f"the ledger {path} has schema {version}, this version reads {len(MIGRATIONS)}: "
            "use the `tierwise` of the service that writes it"
        )
    connection.execute(f"CREATE TABLE pending ({_COLUMNS}, PRIMARY KEY (attempt_id))")
    values = (msgspec.structs.astuple(storable(row)) for row in pending)
    connection.executemany(f"INSERT INTO pending VALUES ({', '.join('?' * len(COLUMNS))})", values)  # noqa: S608
    connection.pragma("query_only", True)
    return connection
