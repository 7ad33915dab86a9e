"""Graded requests of production: whether a tier did a task, as far as a check can tell.

Rule: one line a label, appended whole; a request counts once for a tier and a check, by its newest label. Ids and
verdicts only: a request's text and answer stay in `prompts.sqlite`, for as long as the policy says, and the answer of
a second tier goes as soon as its label is here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from router.vocabulary.noun import Noun

from .durable import private_folder

AGREES = "agrees"  # with the top tier's answer
CONTRACT = "contract"  # the answer is what its task promises: necessary, and not enough
# No checks, and counted as none: they only keep a request from being drawn, and maybe paid for, again.
FAILED = "failed"  # it was run once more, and nobody answered
NOT_TAKEN = "not taken"  # the other tier does not take it, so it was never sent


class Label(Noun, frozen=True, kw_only=True):
    """One request on one tier."""

    request_id: str
    task: str
    tier: str
    model: str
    passed: bool
    how: str
    at_ms: int  # of the request


class Graded(Noun, frozen=True, kw_only=True):
    """The labels of a task and tier, counted: what routes.yaml holds beside the evals' own."""

    model: str
    cases: int
    passed: int
    newest_ms: int


def labels_file(data_dir: Path) -> Path:
    return data_dir / "evals" / "labels.jsonl"


def add_labels(data_dir: Path, labels: Iterable[Label]) -> None:
    """Appends in one write: a kill leaves whole lines, or one torn at the end that is passed over."""
    path = labels_file(data_dir)
    private_folder(path.parent)
    data = b"".join(msgspec.json.encode(label) + b"\n" for label in labels)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_labels(data_dir: Path) -> tuple[Label, ...]:
    """The newest of each request, tier and check, in the order of the file."""
    try:
        lines = labels_file(data_dir).read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found: dict[tuple[str, str, str], Label] = {}
    for line in lines:
        try:
            label = msgspec.json.decode(line, type=Label)
        except msgspec.DecodeError:
            continue  # torn by a kill
        found[label.request_id, label.tier, label.how] = label
    return tuple(found.values())


def counted(labels: Iterable[Label], how: str = AGREES) -> dict[str, dict[str, Graded]]:
    """By task and tier, of the model that was labelled last: another model's labels say nothing of it."""
    newest: dict[tuple[str, str], Label] = {}
    by_place: dict[tuple[str, str], list[Label]] = {}
    for label in (one for one in labels if one.how == how):
        place = (label.task, label.tier)
        by_place.setdefault(place, []).append(label)
        if place not in newest or label.at_ms >= newest[place].at_ms:
            newest[place] = label
    table: dict[str, dict[str, Graded]] = {}
    for (task, tier), last in newest.items():
        own = [label for label in by_place[task, tier] if label.model == last.model]
        table.setdefault(task, {})[tier] = Graded(
            model=last.model, cases=len(own), passed=sum(label.passed for label in own), newest_ms=last.at_ms
        )
    return table
