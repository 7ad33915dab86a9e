"""A new suite from examples: its folder, with a guessed grader and everything said that a person should check.

Rule: nothing that is there is written over; the folder appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from router.vocabulary.noun import Noun

from .errors import SuiteError
from .guessing import Guess, guess
from .suitefile import CASES_FILE, SUITE_FILE
from .suitefile.record import NAME

TASKS = {"label": "classify", "json": "extract", "number": "reasoning"}
INDENT = "  "


class Example(Noun, frozen=True, kw_only=True):
    """One request of the past, and what would have been right; None where nobody has said."""

    fields: Mapping[str, str]
    expected: Any = None
    tags: tuple[str, ...] = ()
    id: str = ""
    cluster: str = ""


class Choices(Noun, frozen=True, kw_only=True):
    """What a person may say beforehand."""

    task: str | None = None  # else as the kind of grader suggests
    system: str = ""
    bar: float = 0.9
    budget_usd: str = "2.50"
    judge: str = "opus"  # the tier that grades free text


AS_GUESSED = Choices()


class Scaffolded(Noun, frozen=True, kw_only=True):
    """What was written."""

    folder: Path
    kind: str
    why: str
    cases: int
    unfilled: int  # cases whose expected value a person must write


def scaffold(root: Path, name: str, examples: Iterable[Example], choices: Choices = AS_GUESSED) -> Scaffolded:
    """Writes root/name/. Raises SuiteError where that is there already, the name is none, or there are no examples."""
    folder = root / name
    rows = tuple(examples)
    wrong = _wrong_with(name, folder, rows)
    if wrong is not None:
        raise SuiteError((wrong,))
    guessed = guess([row.expected for row in rows], choices.judge)
    draft = root / f".{name}.new"
    shutil.rmtree(draft, ignore_errors=True)  # what an earlier attempt left
    draft.mkdir(parents=True)
    (draft / SUITE_FILE).write_text(_suite_text(name, rows, guessed, choices), encoding="utf-8")
    (draft / CASES_FILE).write_text(_cases_text(rows, guessed), encoding="utf-8")
    draft.rename(folder)
    unfilled = sum(value is None for value in guessed.expected)
    return Scaffolded(folder=folder, kind=guessed.kind, why=guessed.why, cases=len(rows), unfilled=unfilled)


def _wrong_with(name: str, folder: Path, rows: Sequence[Example]) -> str | None:
    if not NAME.fullmatch(name):
        return f"`{name}` cannot be a suite's name; use lower-case letters, digits, - and _"
    if folder.exists():
        return f"{folder} is there already, and nothing is written over; take another name"
    return None if rows else "there are no examples to make a suite of"


def _suite_text(name: str, rows: Sequence[Example], guessed: Guess, choices: Choices) -> str:
    task = choices.task or TASKS.get(guessed.kind, "general")
    written = choices.system or _instruction(guessed)
    guessed_too = "" if choices.system else "    # guessed; say what is to be done, and how the answer is to look"
    parts = [
        "# Made from examples by `tierwise eval new`. Read it through: what was guessed says so.",
        f"# `tierwise eval check {name}` says what is still missing. Every key is explained in docs/evals.md.",
        f"task: {task}"
        + ("" if choices.task else "    # guessed; a task of the policy, whose requests look like these"),
        f"description: {_quoted(f'{len(rows)} examples')}",
        *(_text_of("system", written, guessed_too) if written else []),
        *_text_of("template", _template(rows), "    # what is asked; {field} names a field of the case"),
        f"grader:    # guessed: {guessed.why}",
        *_options({"kind": guessed.kind, **guessed.options}, INDENT),
        f"bar: {choices.bar:g}    # or `margin: 0.05`: at most 5 points below the top tier",
        f"budget_usd: {choices.budget_usd}    # a run stops before it spends more; what it will cost, it says first",
    ]
    return "\n".join(parts) + "\n"


def _instruction(guessed: Guess) -> str:
    """What the grader needs to hear, said to the model."""
    if guessed.kind == "label":
        listed = "\n".join(f"- {label}" for label in guessed.options["labels"])
        return f"Answer with exactly one of these labels, and nothing else:\n{listed}"
    if guessed.kind == "json":
        fields = ", ".join(guessed.options["fields"])
        return f"Answer with one JSON object with these fields: {fields}. Write null for what the text does not say."
    if guessed.kind == "number":
        return "End with a line `Answer: <number>`" + (", with its unit." if guessed.options.get("unit") else ".")
    return ""


def _text_of(key: str, text: str, comment: str) -> list[str]:
    """A block of text where YAML can hold it as it is, else in quotes."""
    lines = text.split("\n")
    if all(line == line.rstrip() and line.isprintable() for line in lines) and lines[-1]:
        return [f"{key}: |2-{comment}", *(f"{INDENT}{line}".rstrip() for line in lines)]
    quoted = "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in _quoted(text))
    return [f"{key}: {quoted}"]


def _template(rows: Sequence[Example]) -> str:
    names = list(dict.fromkeys(field for row in rows for field in row.fields))
    if len(names) == 1:
        return f"{{{names[0]}}}"
    return "\n\n".join(f"{name.replace('_', ' ').capitalize()}:\n{{{name}}}" for name in names)


def _options(options: Mapping[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", *_options(value, indent + INDENT)]
        elif isinstance(value, list):
            lines += [f"{indent}{name}:", *(f"{indent}{INDENT}- {_quoted(one)}" for one in value)]
        else:
            lines.append(f"{indent}{_quoted(name)}: {_quoted(value)}")
    return lines


def _quoted(value: Any) -> str:
    """As YAML: what is a plain word stays one; JSON's quotes are YAML's too."""
    if isinstance(value, str) and NAME.fullmatch(value) and value not in _READ_OTHERWISE:
        return value
    return json.dumps(value, ensure_ascii=False)


_READ_OTHERWISE = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def _cases_text(rows: Sequence[Example], guessed: Guess) -> str:
    width = max(3, len(str(len(rows))))
    lines = []
    for number, (row, expected) in enumerate(zip(rows, guessed.expected, strict=True), 1):
        one = len(row.fields) == 1 and "input" in row.fields
        case: dict[str, Any] = {
            "id": row.id or f"c-{number:0{width}d}",
            "input": row.fields["input"] if one else dict(row.fields),
        }
        case["expected"] = expected
        if row.cluster:
            case["cluster"] = row.cluster
        if row.tags:
            case["tags"] = list(row.tags)
        lines.append(msgspec.json.encode(case).decode())
    return "\n".join(lines) + "\n"
