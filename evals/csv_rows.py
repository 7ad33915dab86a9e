"""A CSV of examples: which column is what, and what is wrong with it, by line.

Rule: the columns `expected`, `id`, `cluster` and `tags` mean what they say; any other is a field of the prompt.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from router.policyfile.report import FOUND_MAX, listed, nearest, quoted

from .errors import SuiteError
from .scaffold import Example
from .template import FIELD

BYTES_MAX = 64 * 1024 * 1024
ROWS_MAX = 20_000
SAMPLE_LETTERS = 65_536
DELIMITERS = ",;\t|"
KNOWN = ("expected", "id", "cluster", "tags")


def examples_of(path: Path) -> tuple[Example, ...]:
    """Every row as an example. Raises SuiteError with all that is wrong."""
    text = _text(path)
    problems: list[str] = []
    rows = _rows(text, path, problems)
    header = next(rows, None)
    if header is None:
        raise SuiteError((*problems, f"{path}: is empty; the first line names the columns: input, expected"))
    names = _names(header[1], path)
    examples: list[Example] = []
    for line, row in rows:
        wrong = _wrong_with(row, names, len(examples))
        if wrong is None:
            examples.append(_example(dict(zip(names, row, strict=True))))
        else:
            problems.append(f"{path}:{line}: {wrong}")
    problems += _twice(examples, path)
    if not examples and not problems:
        problems.append(f"{path}: has a header, and no rows")
    if problems:
        raise SuiteError(tuple(problems[:FOUND_MAX]))
    return tuple(examples)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            body = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise SuiteError((f"{path}: cannot be read: {error.strerror or error}",)) from None
    if len(body) > BYTES_MAX:
        raise SuiteError((f"{path}: is larger than {BYTES_MAX // (1024 * 1024)} MB; take a part of it",))
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise SuiteError((f"{path}:{line}: is not UTF-8; save the table as UTF-8",)) from None


def _rows(text: str, path: Path, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that say something, each with the line that it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
    line = 1
    try:
        for row in reader:
            if any(value.strip() for value in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(f"{path}:{line}: this is no CSV from here on: {error}")


def _dialect(text: str) -> type[csv.Dialect]:
    """By the header alone: it has no texts in it that could mislead."""
    header = text[:SAMPLE_LETTERS].lstrip("\r\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)

    class Found(csv.excel):
        pass

    Found.delimiter = delimiter
    return Found


def _names(header: Sequence[str], path: Path) -> list[str]:
    """The columns' names as fields can have them: `Customer name` is customer_name."""
    names = [re.sub(r"\W+", "_", name.strip().casefold()).strip("_") for name in header]
    twice = {name for number, name in enumerate(names) if name in names[:number]}
    problems = [f"{path}:1: the column {quoted(name)} is there twice" for name in sorted(twice)]
    for given, name in zip(header, names, strict=True):
        if not FIELD.fullmatch(name):
            problems.append(f"{path}:1: {quoted(given)} cannot be a column's name; use letters, digits and _")
    if "expected" not in names:
        hint = nearest("expected", names)
        problems.append(f"{path}:1: there is no column `expected`{hint}; there are: {listed(names)}")
    if not set(names) - set(KNOWN):
        problems.append(f"{path}:1: there is no column to ask, such as `input`")
    if problems:
        raise SuiteError(tuple(problems))
    return names


def _wrong_with(row: Sequence[str], names: Sequence[str], before: int) -> str | None:
    if before >= ROWS_MAX:
        return f"more than {ROWS_MAX:,} rows; take a part of the table"
    if len(row) != len(names):
        return f"{len(row)} values, and the header has {len(names)}; put quotes around a text with a separator in it"
    asked = [value for name, value in zip(names, row, strict=True) if name not in KNOWN]
    return None if any(value.strip() for value in asked) else "there is nothing to ask in this row"


def _example(row: dict[str, str]) -> Example:
    expected = row["expected"].strip()
    return Example(
        fields={name: value for name, value in row.items() if name not in KNOWN},
        expected=expected or None,
        id=row.get("id", "").strip(),
        cluster=row.get("cluster", "").strip(),
        tags=tuple(tag.strip() for tag in re.split(r"[,;|]", row.get("tags", "")) if tag.strip()),
    )


def _twice(examples: Sequence[Example], path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for example in examples:
        if example.id and example.id in seen:
            yield f"{path}: the id {quoted(example.id)} is there twice"
        seen.add(example.id)
