"""The answer is a query; what it gives is compared with what the expected query gives, on the suite's own database.

Rule: nothing that a model wrote runs in this process (evals/sandbox/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from ..sandbox.limits import limits_of
from ..sandbox.running import Sandbox
from ..vocabulary import Answered, Case, Grade
from .files import flaw_of, text_of
from .form import Flaw, Options, Place, shown, verdict
from .rowsets import difference
from .wording import code_in

LANGUAGES = ("sql", "sqlite", "sqlite3")
EXPECTS = 'takes {"sql": "SELECT ..."} or {"rows": [[1, "a"]]}, with "ordered": true where the order counts'
# Comments, then a word that a query begins with: all else is refused before a process is started for it.
_BEGINS = re.compile(r"(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/|\()*(?:select|with|values)\b", re.IGNORECASE)


class SqlOptions(Options, frozen=True, kw_only=True):
    kind: Literal["sql"]
    database: Annotated[str, Meta(description="A file of SQL in the suite's folder that makes and fills the tables.")]
    rows_max: Annotated[int, Meta(ge=1, le=100_000, description="A query that gives more has failed.")] = 5000
    timeout_s: Annotated[int, Meta(ge=1, le=60, description="Seconds of processor time that a query may take.")] = 5


class Expected(NamedTuple):
    sql: str | None
    rows: list[list[Any]]
    ordered: bool


class Sql:
    """`expected`: a query, or the rows themselves."""

    def __init__(self, options: SqlOptions, place: Place) -> None:
        self._options = options
        self._folder = place.folder
        self._sandbox = Sandbox()
        self._made: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        return (self._options.database,)

    def flaws(self) -> Iterator[Flaw]:
        wrong = flaw_of(self._folder, self._options.database)
        if wrong is not None:
            yield Flaw(("database",), wrong)

    def misfit(self, expected: Any) -> str | None:
        if not isinstance(expected, dict) or not set(expected) <= {"sql", "rows", "ordered"}:
            return EXPECTS
        if ("sql" in expected) == ("rows" in expected) or not isinstance(expected.get("ordered", False), bool):
            return EXPECTS
        query, rows = expected.get("sql"), expected.get("rows")
        is_query = isinstance(query, str) and bool(query.strip())
        are_rows = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
        return None if is_query or are_rows else EXPECTS

    def perfect(self, expected: Any) -> str | None:
        return f"```sql\n{expected['sql']}\n```" if "sql" in expected else None

    async def grade(self, case: Case, answer: Answered) -> Grade:
        wanted = _expected(case.expected)
        query = code_in(answer.text, LANGUAGES, longest=False).strip()
        if not _BEGINS.match(query):
            return verdict(False, "there is no query in the answer")
        queries = [query] if wanted.sql is None else [query, wanted.sql]
        ran = await self._sandbox.run("queries", self._job(queries), limits_of(self._options.timeout_s))
        if ran.ended:
            return verdict(False, f"the query {ran.ended}")
        results = ran.found["results"]
        rows = wanted.rows if wanted.sql is None else _rows_of_suite(results[1])
        result = results[0]
        if "error" in result:
            _rows_of_suite(result, own=False)
            return verdict(False, f"the query does not run: {shown(result['error'])}")
        apart = difference(rows, result["rows"], ordered=wanted.ordered)
        return verdict(not apart, f"gives {apart}" if apart[:1].isdigit() else apart)

    def _job(self, queries: list[str]) -> dict[str, Any]:
        if self._made is None:
            self._made = text_of(self._folder, self._options.database)
        return {"database": self._made, "queries": queries, "rows_max": self._options.rows_max}


def _expected(expected: Any) -> Expected:
    return Expected(expected.get("sql"), expected.get("rows", []), expected.get("ordered", False))


def _rows_of_suite(result: dict[str, Any], *, own: bool = True) -> list[list[Any]]:
    """What the suite itself asked for. Raises ValueError: a query of the suite's that fails is a bug of the suite."""
    if "error" in result and (own or result.get("of_suite")):
        what = "the expected query" if own else "the suite's database"
        raise ValueError(f"{what} does not run: {result['error']}")
    rows: list[list[Any]] = result.get("rows", [])
    return rows
