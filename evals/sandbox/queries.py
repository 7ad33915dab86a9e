"""In the child: queries against a small SQLite database that is made for them and gone afterwards.

Rule: a query may read and compute, nothing else; what it may use up is bounded here and by the process's limits.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from .channel import open_channel

STEPS_MAX = 50_000_000  # of SQLite's machine: some seconds
STEPS_A_LOOK = 10_000
TEXT_BYTES_MAX = 1_000_000  # one value
ANSWER_BYTES_MAX = 2_000_000  # all rows
ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
# Making these would need a permission that reading them does not.
WARMED = "SELECT count(*) FROM json_each('[]') AS one, json_tree('[]') AS other"
NEVER = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


def main(_own_folder: str) -> None:
    channel = open_channel()
    results = [_asked(channel.job["database"], query, channel.job["rows_max"]) for query in channel.job["queries"]]
    channel.answer({"results": results})


def _asked(database: str, query: str, rows_max: int) -> dict[str, Any]:
    """The rows, or why there are none. Each query has a database of its own."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.executescript(database)
        with suppress(sqlite3.Error):
            connection.execute(WARMED)
    except sqlite3.Error as error:
        return {"error": f"the database cannot be made: {error}", "of_suite": True}
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX)
    connection.set_authorizer(_may)
    steps = _Steps()
    connection.set_progress_handler(steps.take, STEPS_A_LOOK)
    try:
        return _rows(connection.execute(query), rows_max)
    except (sqlite3.Error, sqlite3.Warning, MemoryError, ValueError) as error:
        return {"error": "the query runs too long" if steps.spent else (str(error) or type(error).__name__)[:200]}


def _rows(cursor: sqlite3.Cursor, rows_max: int) -> dict[str, Any]:
    if cursor.description is None:
        return {"error": "this is no query that gives rows"}
    rows: list[list[Any]] = []
    room = ANSWER_BYTES_MAX
    for row in cursor:
        rows.append([_plain(value) for value in row])
        room -= sum(len(value) if isinstance(value, str) else 8 for value in rows[-1])
        if len(rows) > rows_max or room < 0:
            return {"error": f"the query gives more than {rows_max:,} rows, or more text than can be compared"}
    return {"rows": rows, "columns": len(cursor.description)}


def _plain(value: Any) -> Any:
    """As JSON: bytes as their hexadecimal figures, and what no JSON number is, as text."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return repr(value)
    return value


def _may(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    if action not in ALLOWED or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in NEVER):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


class _Steps:
    """Counts what SQLite's machine does, and stops it when that is too much."""

    def __init__(self) -> None:
        self._left = STEPS_MAX // STEPS_A_LOOK
        self.spent = False

    def take(self) -> int:
        self._left -= 1
        self.spent = self._left <= 0
        return int(self.spent)
