"""What people said of answers is read from labels.jsonl, by the answer's text or its hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.suitefile import HumanLabel, SuiteError, human_labels, text_hash
from tests.evals.suites.folders import suite


def labels(root: Path, *lines: dict[str, Any]) -> tuple[HumanLabel, ...]:
    found = suite(root)
    (found.folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return human_labels(found)


def test_a_label_is_of_one_answer_to_one_case(tmp_path: Path) -> None:
    by_text = {"case": "t-1", "text": " It is a.\n", "passed": True}
    by_hash = {"case": "t-2", "text_hash": text_hash("It is a."), "passed": False}
    assert (
        HumanLabel(case="t-1", text_hash=text_hash("It is a."), passed=True),
        HumanLabel(case="t-2", text_hash=text_hash("It is a."), passed=False),
    ) == labels(tmp_path, by_text, by_hash)


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert () == human_labels(suite(tmp_path))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            {"case": "t-9", "text": "x", "passed": True},
            "labels.jsonl:1:2: `case` names no case of the suite (did you mean",
        ),
        (
            {"case": "t-1", "passed": True},
            "labels.jsonl:1:1: a label has `text`, the answer as it was, or its `text_hash`",
        ),
        ({"case": "t-1", "text": "x", "text_hash": "0" * 32, "passed": True}, "labels.jsonl:1:17: a label has `text`"),
        (
            {"case": "t-1", "text_hash": "xyz", "passed": True},
            "labels.jsonl:1:17: `text_hash` takes 32 hexadecimal digits",
        ),
        ({"case": "t-1", "text": "x", "passed": "yes"}, "labels.jsonl:1:30: `passed` takes true or false"),
        (
            {"case": "t-1", "text": "x", "pased": True},
            "labels.jsonl:1:30: unknown key `pased` (did you mean `passed`?)",
        ),
    ],
)
def test_a_wrong_label_is_said_with_its_line(tmp_path: Path, line: dict[str, Any], problem: str) -> None:
    with pytest.raises(SuiteError) as error:
        labels(tmp_path, line)
    assert error.value.problems[0].partition("sorting/")[2].startswith(problem), error.value.problems


def test_two_people_who_disagree_must_settle_it(tmp_path: Path) -> None:
    yes = {"case": "t-1", "text": "x", "passed": True}
    assert 1 == len(labels(tmp_path, yes, yes))
    with pytest.raises(SuiteError, match="another line says the opposite of this answer; keep one"):
        labels(tmp_path, yes, {**yes, "passed": False})
