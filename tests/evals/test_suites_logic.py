"""The suites sql-generation, arithmetic and code-repair expect what is right.

Rule: nothing is taken on trust. Each query is run, against a second way of asking and against a plausible mistake; each
number is computed again, exactly; each broken file fails its tests, and its repair passes them.
"""

from __future__ import annotations

import ast
import json
import math
import re
import sqlite3
import subprocess
import sys
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import combinations, count, permutations, product
from pathlib import Path
from typing import Any

import pytest

from evals.suitefile import load_suite
from evals.vocabulary import Case, Suite

HERE = Path(__file__).parent
SUITES = HERE.parents[1] / "evals" / "suites"
NAMES = ("sql-generation", "arithmetic", "code-repair")
LEVELS = ("easy", "medium", "hard")
ALIKE_MAX = 0.5
Rows = list[tuple[Any, ...]]


@cache
def suite(name: str) -> Suite:
    return load_suite(SUITES / name)


def cases(name: str) -> dict[str, Case]:
    return {case.id: case for case in suite(name).cases}


@cache
def lines(name: str) -> dict[str, dict[str, str]]:
    """What proves the cases, by their ids."""
    found = [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]
    return {line["id"]: line for line in found}


SQL, ARITHMETIC, CODE = (sorted(cases(name)) for name in NAMES)

# --- all three ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_each_case_has_one_level_and_a_topic_and_the_levels_are_balanced(name: str) -> None:
    levels = [[tag for tag in case.tags if tag in LEVELS] for case in suite(name).cases]
    assert all(len(found) == 1 for found in levels)
    assert all(len(case.tags) == 2 for case in suite(name).cases)
    assert min(levels.count([level]) for level in LEVELS) >= len(levels) // 4


@pytest.mark.parametrize("name", NAMES)
def test_no_two_cases_ask_nearly_the_same(name: str) -> None:
    asked = {case.id: _triples(" ".join(case.fields.values())) for case in suite(name).cases}
    alike = [
        (one, other)
        for one, other in combinations(asked, 2)
        if len(asked[one] & asked[other]) > ALIKE_MAX * min(len(asked[one]), len(asked[other]))
    ]
    assert alike == []


def _triples(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(words, words[1:], words[2:], strict=False))


# --- sql-generation ----------------------------------------------------------------------------------------------


@cache
def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(_schema())
    return connection


def _schema() -> str:
    return (SUITES / "sql-generation" / "schema.sql").read_text(encoding="utf-8")


def rows_of(query: str, ordered: bool, *, backwards: bool = False) -> Rows:
    """What a query gives, sorted unless the order counts. `backwards` turns round what SQLite leaves open."""
    database().execute(f"PRAGMA reverse_unordered_selects = {'ON' if backwards else 'OFF'}")
    rows = [tuple(map(_plain, row)) for row in database().execute(query)]
    return rows if ordered else sorted(rows, key=repr)


def _plain(value: Any) -> Any:
    return round(float(value), 6) if isinstance(value, int | float) else value


def expected(case: Case, *, backwards: bool = False) -> Rows:
    return rows_of(case.expected["sql"], case.expected.get("ordered", False), backwards=backwards)


def test_the_system_text_shows_the_tables_as_they_are() -> None:
    tables = re.findall(r"CREATE TABLE .*?\n\);", _schema(), re.DOTALL)
    assert len(tables) == 10
    assert all(table in suite("sql-generation").system for table in tables)
    assert "INSERT" not in suite("sql-generation").system


def test_every_table_has_rows_enough_and_every_reference_leads_somewhere() -> None:
    names = re.findall(r"CREATE TABLE (\w+)", _schema())
    counts = {name: database().execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608  names of our own
    assert min(counts.values()) >= 14
    assert sum(counts.values()) >= 500
    assert database().execute("PRAGMA foreign_key_check").fetchall() == []


def test_the_value_of_every_line_is_a_whole_number_of_cents() -> None:
    odd = "SELECT * FROM order_lines WHERE quantity * unit_price_cents * (100 - COALESCE(discount_pct, 0)) % 100 <> 0"
    assert database().execute(odd).fetchall() == []


@pytest.mark.parametrize("name", SQL)
def test_an_expected_query_gives_rows_that_are_worth_comparing(name: str) -> None:
    case = cases("sql-generation")[name]
    rows = expected(case)
    assert rows
    assert any(value not in (None, 0.0, "") for row in rows for value in row)
    assert len(rows) < len(database().execute("SELECT 1 FROM order_lines").fetchall())


@pytest.mark.parametrize("name", SQL)
def test_a_question_names_as_many_columns_as_are_expected(name: str) -> None:
    case = cases("sql-generation")[name]
    named = re.search(r"Return(?: one row)?: (.+?)\.(?: |$)", case.fields["input"])
    assert named is not None
    assert len(expected(case)[0]) == len(named[1].split(", "))


@pytest.mark.parametrize("name", SQL)
def test_an_answer_does_not_hang_on_what_sqlite_leaves_open(name: str) -> None:
    case = cases("sql-generation")[name]
    assert "ORDER BY" in case.expected["sql"] or not case.expected.get("ordered", False)
    assert expected(case) == expected(case, backwards=True)


@pytest.mark.parametrize("name", SQL)
def test_another_way_of_asking_gives_the_same_rows(name: str) -> None:
    case, another = cases("sql-generation")[name], lines("sql_checks.jsonl")[name].get("another_way")
    assert another is not None or "easy" in case.tags
    if another is not None:
        assert expected(case) == rows_of(another, case.expected.get("ordered", False))


@pytest.mark.parametrize("name", SQL)
def test_a_plausible_mistake_gives_other_rows(name: str) -> None:
    case = cases("sql-generation")[name]
    assert expected(case) != rows_of(lines("sql_checks.jsonl")[name]["wrong"], case.expected.get("ordered", False))


# --- arithmetic --------------------------------------------------------------------------------------------------


def rounded(number: Any, places: int) -> Fraction:
    """Halves upwards. No case may lie so near a half that the way of rounding decides it."""
    scaled = Fraction(number) * 10**places
    assert abs(scaled - math.floor(scaled) - Fraction(1, 2)) > Fraction(1, 10**6)
    return Fraction(math.floor(scaled + Fraction(1, 2)), 10**places)


def hhmm(minutes: Any) -> int:
    """The time of day as one number."""
    hour, minute = divmod(int(minutes) % (24 * 60), 60)
    return hour * 100 + minute


WORDS = {
    "F": Fraction, "rounded": rounded, "hhmm": hhmm, "date": date, "datetime": datetime, "timedelta": timedelta,
    "product": product, "permutations": permutations, "combinations": combinations, "count": count,
    **{name: getattr(math, name) for name in ("asin", "ceil", "comb", "factorial", "perm", "pi", "prod", "sqrt")},
}  # fmt: skip


@pytest.mark.parametrize("name", ARITHMETIC)
def test_a_number_computed_again_is_the_expected_one(name: str) -> None:
    wanted = cases("arithmetic")[name].expected
    value = wanted["value"] if isinstance(wanted, dict) else wanted
    found = eval(lines("arithmetic_checks.jsonl")[name]["check"], dict(WORDS))  # noqa: S307  our own file, beside this one
    assert Fraction(str(value)) == Fraction(found)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_a_unit_that_must_be_written_stands_in_the_question(name: str) -> None:
    case = cases("arithmetic")[name]
    if isinstance(case.expected, dict):
        assert re.search(rf"(?<!\w){re.escape(case.expected['unit'])}(?!\w)", case.fields["input"])


def test_half_of_the_answers_or_nearly_have_a_unit() -> None:
    share = sum(isinstance(case.expected, dict) for case in suite("arithmetic").cases) / len(ARITHMETIC)
    assert 0.4 <= share <= 0.6


# --- code-repair -------------------------------------------------------------------------------------------------


def fails(source: str, case: Case, folder: Path) -> str:
    """What the tests say against a file; "" when it passes them."""
    (folder / "solution.py").write_text(source, encoding="utf-8")
    (folder / "tests.py").write_text(case.expected["tests"], encoding="utf-8")
    command = [sys.executable, "-E", "-s", "-S", "-W", "error", "tests.py"]
    ran = subprocess.run(command, check=False, cwd=folder, capture_output=True, timeout=60)
    return "" if ran.returncode == 0 else ran.stderr.decode() or "failed"


@pytest.mark.parametrize("name", CODE)
def test_broken_code_fails_its_tests(name: str, tmp_path: Path) -> None:
    case = cases("code-repair")[name]
    assert "Error" in fails(case.fields["code"], case, tmp_path)


@pytest.mark.parametrize("name", CODE)
def test_a_repair_passes_the_tests(name: str, tmp_path: Path) -> None:
    case = cases("code-repair")[name]
    assert fails(case.expected["solution"], case, tmp_path) == ""


@pytest.mark.parametrize("name", CODE)
def test_tests_are_few_asserts_with_nothing_but_the_standard_library(name: str) -> None:
    case = cases("code-repair")[name]
    tree = ast.parse(case.expected["tests"])
    assert 5 <= sum(isinstance(node, ast.Assert) for node in ast.walk(tree)) <= 12
    allowed = {*sys.stdlib_module_names, "solution"}
    assert {*_imported(tree), *_imported(ast.parse(case.expected["solution"]))} <= allowed


def _imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("name", CODE)
def test_what_others_may_use_keeps_its_name(name: str) -> None:
    """Else a repair that leaves names alone could not pass the tests."""
    case = cases("code-repair")[name]
    assert _public(case.fields["code"]) <= _public(case.expected["solution"])


def _public(source: str) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.parse(source).body if isinstance(node, kinds) and node.name[0] != "_"}
