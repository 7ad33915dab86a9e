"""labels.jsonl: what people said of some answers, for the correction of a judge.

Rule: a label is of one answer to one case; the answer is known by its text, or by the hash of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from router.errors import PolicyError
from router.policyfile.report import Page, Report, listed, nearest, quoted
from router.vocabulary.noun import Noun

from ..errors import SuiteError
from ..vocabulary import Suite
from .jsonlines import Line, read_lines

LABELS_FILE = "labels.jsonl"
KEYS = ("case", "text", "text_hash", "passed")
HASH_LETTERS = 32


class HumanLabel(Noun, frozen=True, kw_only=True):
    """A person's verdict on one answer."""

    case: str
    text_hash: str
    passed: bool


def text_hash(text: str) -> str:
    """How an answer is known without its text: spaces around it make no difference."""
    return hashlib.blake2b(text.strip().encode(), digest_size=HASH_LETTERS // 2).hexdigest()


def human_labels(suite: Suite) -> tuple[HumanLabel, ...]:
    """The labels in the suite's folder; none where there is no file. Raises SuiteError."""
    path = suite.folder / LABELS_FILE
    if not path.exists():
        return ()
    report = Report()
    known = frozenset(case.id for case in suite.cases)
    labels: dict[tuple[str, str], HumanLabel] = {}
    try:
        page, lines = read_lines(path, report)
        for line in lines:
            label = _label(line, known, page, report)
            if label is not None:
                _keep(label, labels, line, page, report)
        report.raise_errors()
    except PolicyError as error:
        raise SuiteError(error.problems) from None
    return tuple(labels.values())


def _label(line: Line, known: Collection[str], page: Page, report: Report) -> HumanLabel | None:
    value = line.value
    wrong = _wrong_with(value, known)
    if wrong is not None:
        key, message = wrong
        report.error(page, line.at(key), message)
        return None
    hashed = value["text_hash"] if "text_hash" in value else text_hash(value["text"])
    return HumanLabel(case=value["case"], text_hash=hashed, passed=value["passed"])


def _wrong_with(value: Mapping[str, Any], known: Collection[str]) -> tuple[str, str] | None:
    """The key that is wrong, and why."""
    for key in value:
        if key not in KEYS:
            return key, f"unknown key {quoted(key)}{nearest(key, KEYS)}; a label has {listed(KEYS)}"
    case, hashed = value.get("case"), value.get("text_hash", "0" * HASH_LETTERS)
    if not isinstance(case, str) or case not in known:
        hint = nearest(case, known) if isinstance(case, str) else ""
        return "case", f"`case` names no case of the suite{hint}"
    if ("text" in value) == ("text_hash" in value) or not isinstance(value.get("text", ""), str):
        return "text", "a label has `text`, the answer as it was, or its `text_hash`"
    if not isinstance(hashed, str) or len(hashed) != HASH_LETTERS or set(hashed) - set("0123456789abcdef"):
        return "text_hash", f"`text_hash` takes {HASH_LETTERS} hexadecimal digits"
    if not isinstance(value.get("passed"), bool):
        return "passed", "`passed` takes true or false"
    return None


def _keep(label: HumanLabel, labels: dict[tuple[str, str], HumanLabel], line: Line, page: Page, report: Report) -> None:
    key = (label.case, label.text_hash)
    if labels.setdefault(key, label).passed != label.passed:
        report.error(page, line.at("passed"), "another line says the opposite of this answer; keep one")
