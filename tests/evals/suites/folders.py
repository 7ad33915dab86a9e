"""A suite's folder for a test, written in a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evals.suitefile import SuiteError, load_suite
from evals.vocabulary import Suite

YAML = """task: classify
description: Two kinds.
system: |
  Sort it.
template: |
  Ticket: {input}
grader:
  kind: label
  labels: [a, b]
bar: 0.9
budget_usd: 1.50
"""
CASES: tuple[dict[str, Any], ...] = (
    {"id": "t-1", "input": "one", "expected": "a"},
    {"id": "t-2", "input": "two", "expected": "b", "cluster": "k", "tags": ["easy"]},
)


def folder(root: Path, text: str = YAML, cases: Iterable[Mapping[str, Any]] | str | bytes = CASES) -> Path:
    """`cases` as objects, or as the file itself."""
    place = root / "sorting"
    place.mkdir(parents=True, exist_ok=True)
    (place / "suite.yaml").write_text(text, encoding="utf-8")
    if not isinstance(cases, str | bytes):
        cases = "".join(json.dumps(case) + "\n" for case in cases)
    (place / "cases.jsonl").write_bytes(cases.encode() if isinstance(cases, str) else cases)
    return place


def suite(root: Path, text: str = YAML, cases: Iterable[Mapping[str, Any]] | str | bytes = CASES) -> Suite:
    return load_suite(folder(root, text, cases))


def problems(place: Path) -> list[str]:
    """The first line of each problem, with the place in the folder."""
    with pytest.raises(SuiteError) as error:
        load_suite(place)
    return [problem.splitlines()[0].replace(f"{place}/", "") for problem in error.value.problems]
