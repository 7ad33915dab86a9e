"""Every row of the table has a test, and every test here a row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from .table import ROWS

_NAME = re.compile(r"test_([umcp]?\d+)_")


def names() -> list[str]:
    here = Path(__file__)
    files = [path for path in here.parent.glob("test_*.py") if path != here]
    nodes = [node for path in files for node in ast.parse(path.read_text()).body]
    tests = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [test.name for test in tests if test.name.startswith("test_")]


def rows_of(tests: list[str]) -> set[str]:
    found = {test: _NAME.match(test) for test in tests}
    assert [test for test, match in found.items() if match is None] == [], "a test's name begins with its row"
    return {match[1] for match in found.values() if match is not None}


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    assert rows_of(names()) == set(ROWS)


def test_a_row_without_a_test_would_be_seen() -> None:
    without = [name for name in names() if not name.startswith("test_u07_")]
    assert set(ROWS) - rows_of(without) == {"u07"}
