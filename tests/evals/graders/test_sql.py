"""Queries are graded by what they give, on a database of their own, and can do nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from evals.graders import Form
from evals.graders.rowsets import difference
from evals.sandbox.limits import limits_of
from evals.sandbox.running import Sandbox
from tests.evals.graders.asked import flaws, form, grade, passes

DATABASE = """
CREATE TABLE towns (name TEXT, country TEXT, people INTEGER, area REAL);
INSERT INTO towns VALUES ('Bath', 'UK', 94000, 29.0), ('Ghent', 'BE', 262000, 156.2), ('Bruges', 'BE', 118000, 138.4),
    ('Nowhere', NULL, NULL, NULL);
"""
ALL = {"sql": "SELECT name, people FROM towns WHERE country = 'BE'"}
ORDERED = {"sql": "SELECT name FROM towns WHERE people > 0 ORDER BY people DESC", "ordered": True}


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Form:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "schema.sql").write_text(DATABASE, encoding="utf-8")
    return form("sql", {"database": "schema.sql", "rows_max": 1000, "timeout_s": 2}, folder)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name, people FROM towns WHERE country = 'BE' ORDER BY people",
        "```sql\nSELECT name AS town, people * 1.0 FROM towns WHERE country IN ('BE');\n```",
        "At first:\n```sql\nSELECT 1\n```\nNow:\n```sql\nselect name, people from towns where country='BE' -- so\n```",
        "WITH b AS (SELECT * FROM towns WHERE country = 'BE') SELECT name, people FROM b",
        "VALUES ('Bruges', 118000), ('Ghent', 262000)",
        """SELECT value ->> 0, value ->> 1 FROM json_each('[["Ghent", 262000], ["Bruges", 118000]]')""",
    ],
)
def test_another_way_to_the_same_rows_passes(sql: Form, text: str) -> None:
    assert passes(sql, ALL, text), grade(sql, ALL, text).why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT name, people FROM towns", "gives 4 rows, not 2"),
        ("SELECT name FROM towns WHERE country = 'BE'", "gives 1 columns, not 2"),
        ("SELECT people, name FROM towns WHERE country = 'BE'", "has the row `[262000, 'Ghent']`"),
        ("SELECT name, people FROM towns WHERE country = 'BE' AND name = 'Ghent' UNION ALL SELECT 'Ghent', 262000",
         "some rows repeat where they should not"),
        ("SELECT nme FROM towns", "the query does not run: `no such column: nme`"),
        ("I would join the tables.", "there is no query in the answer"),
        ("SELECT FROM WHERE", 'the query does not run: `near "FROM": syntax error`'),
        ("-- a comment\n/* and * one */ select nme from towns", "the query does not run: `no such column: nme`"),
        ("", "there is no query in the answer"),
        ("```sql\n\n```", "there is no query in the answer"),
    ],
)  # fmt: skip
def test_other_rows_fail_and_say_why(sql: Form, text: str, why: str) -> None:
    found = grade(sql, ALL, text)
    assert (False, why) == (found.passed, found.why)


def test_the_order_counts_only_where_it_is_asked_for(sql: Form) -> None:
    assert passes(sql, ORDERED, "SELECT name FROM towns WHERE people IS NOT NULL ORDER BY 1.0 / people")
    found = grade(sql, ORDERED, "SELECT name FROM towns WHERE people > 0 ORDER BY people")
    assert (False, "the right rows in another order") == (found.passed, found.why)


def test_rows_may_be_expected_as_they_are(sql: Form) -> None:
    assert passes(sql, {"rows": [["Nowhere", None]]}, "SELECT name, people FROM towns WHERE people IS NULL")
    assert passes(sql, {"rows": [[185.2]]}, "SELECT 29.0 + 156.2")
    assert passes(sql, {"rows": []}, "SELECT name FROM towns WHERE 0")


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE towns",
        "DELETE FROM towns",
        "UPDATE towns SET people = 0",
        "INSERT INTO towns VALUES ('x', 'y', 1, 1)",
        "CREATE TEMP TABLE t AS SELECT 1",
        "PRAGMA database_list",
        "SELECT * FROM pragma_database_list",
        "ATTACH DATABASE '{folder}/stolen.db' AS stolen",
        "VACUUM INTO '{folder}/stolen.db'",
        "SELECT load_extension('{folder}/evil')",
        "SELECT writefile('{folder}/stolen.db', 'x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT 1; DROP TABLE towns",
        "WITH x AS (SELECT 1) DELETE FROM towns RETURNING name, people",
        "BEGIN",
    ],
)
def test_a_query_that_would_do_more_than_read_is_refused(sql: Form, tmp_path: Path, query: str) -> None:
    """By the grader, and by the child itself, whatever the grader lets through."""
    query = query.replace("{folder}", str(tmp_path))
    assert not passes(sql, ALL, query)
    job = {"database": DATABASE, "queries": [query, "SELECT count(*) FROM towns"], "rows_max": 10}
    refused, after = asyncio.run(Sandbox(1).run("queries", job, limits_of(2))).found["results"]
    assert (True, [[4]]) == ("error" in refused, after["rows"])
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
         "the query does not run: `the query runs too long`"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n",
         "the query does not run: `the query gives more than 1,000 rows, or more text than can be compared`"),
        ("SELECT zeroblob(2000000000), 1", "the query does not run: `string or blob too big`"),
        ("SELECT replace(hex(zeroblob(400000)), '00', 'xxxx'), 1", "the query does not run: `string or blob too big`"),
    ],
)  # fmt: skip
def test_a_query_that_would_not_end_or_take_all_memory_is_stopped(sql: Form, query: str, why: str) -> None:
    found = grade(sql, ALL, query)
    assert (False, why) == (found.passed, found.why)


@pytest.mark.parametrize(
    ("expected", "of_suite"),
    [({"sql": "SELECT nme FROM towns"}, "the expected query does not run: no such column: nme")],
)
def test_a_query_of_the_suite_that_does_not_run_is_no_fault_of_the_answer(
    sql: Form, expected: Any, of_suite: str
) -> None:
    found = grade(sql, expected, "SELECT 1")
    assert f"grader error: the grader failed: ValueError: {of_suite}" == found.why


def test_a_database_that_cannot_be_made_is_no_fault_of_the_answer(tmp_path: Path) -> None:
    (tmp_path / "broken.sql").write_text("CREATE TABEL x;", encoding="utf-8")
    found = grade(form("sql", {"database": "broken.sql"}, tmp_path), {"rows": [[1]]}, "SELECT 1")
    assert 'ValueError: the suite\'s database does not run: the database cannot be made: near "TABEL"' in found.why


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("../schema.sql", "`../schema.sql` is outside the suite's folder; put the file into it"),
        ("/etc/passwd", "`/etc/passwd` is outside the suite's folder; put the file into it"),
        ("nothing.sql", "there is no file `nothing.sql` in "),
    ],
)
def test_the_database_is_a_file_of_the_suite(tmp_path: Path, name: str, flaw: str) -> None:
    assert flaws(form("sql", {"database": name}, tmp_path))[0].startswith(flaw)


@pytest.mark.parametrize(
    "expected", ["SELECT 1", {}, {"sql": ""}, {"sql": "SELECT 1", "rows": []}, {"sql": "SELECT 1", "order": True},
                 {"rows": [1]}, {"sql": "SELECT 1", "ordered": "yes"}]
)  # fmt: skip
def test_an_expected_value_is_a_query_or_rows(sql: Form, expected: Any) -> None:
    assert (sql.misfit(expected) or "").startswith('takes {"sql": "SELECT ..."}')


def test_numbers_that_differ_by_the_order_of_adding_are_the_same() -> None:
    assert "" == difference([(0.1 + 0.2, "b"), (0.3, "a")], [(0.3, "b"), (0.1 + 0.2, "a")], ordered=False)
    assert "" == difference([(1, "1")], [(1.0, "1")], ordered=True)
    assert "has the row `['1']`" == difference([(1,)], [("1",)], ordered=False)
    assert "" == difference([(0.12345678949,)], [(0.12345678951,)], ordered=False)  # on both sides of a rounding
    assert "" == difference([], [], ordered=False)
    assert "some rows repeat where they should not" == difference([(1,), (2,)], [(1,), (1,)], ordered=False)
