"""The schema and the documentation say what the records say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from router.errors import PolicyError
from router.policyfile import load
from router.policyfile.document import Mapping, Node, read
from router.policyfile.report import Report
from router.policyfile.schema import REFERENCE, SCHEMA, key_paths, schema_text, with_reference, write

PAGE = REFERENCE.read_text(encoding="utf-8")


def _block(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_schema_on_disk_is_the_one_of_the_records() -> None:
    """Run `python -m router.policyfile.schema` when this fails."""
    assert schema_text() == SCHEMA.read_text(encoding="utf-8")


def test_the_reference_in_the_documentation_is_the_one_of_the_records() -> None:
    """Run `python -m router.policyfile.schema` when this fails."""
    assert with_reference(PAGE) == PAGE


def test_writing_makes_both_files_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(re.sub(r"(<!-- reference.*? -->).*(<!-- end)", r"\1\2", PAGE, flags=re.DOTALL))
    assert page.read_text() != PAGE
    write(tmp_path / "schema.json", page)
    assert (PAGE, schema_text()) == (page.read_text(), (tmp_path / "schema.json").read_text())


def test_the_schema_refuses_unknown_keys_everywhere_and_names_the_closed_sets_of_keys() -> None:
    records = json.loads(schema_text())["$defs"]
    assert all(record["additionalProperties"] is False for record in records.values())
    assert ["complex", "edge_case", "simple"] == records["Task"]["properties"]["difficulty"]["propertyNames"]["enum"]


def test_the_complete_example_loads_and_holds_every_key_there_is(tmp_path: Path) -> None:
    path = tmp_path / "complete.yaml"
    path.write_text(_block("complete"))
    assert () == load(path).warnings
    _, root = read(path, Report())
    assert root is not None
    assert set(key_paths()) == set(_written(root)) & set(key_paths())


def test_every_whole_policy_on_the_page_loads_without_a_warning(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n( *# yaml-language-server.*?)```", PAGE, re.DOTALL)
    assert 3 == len(examples)
    for number, example in enumerate(examples):
        path = tmp_path / f"{number}.yaml"
        path.write_text(example)
        assert () == load(path).warnings


def test_the_error_on_the_page_is_the_one_that_its_file_gets(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(_block("wrong"))
    with pytest.raises(PolicyError) as caught:
        load(path)
    answer = "\n\n".join(caught.value.problems).replace(str(tmp_path), "policies")
    assert _block("answer").rstrip("\n") == answer


def _written(node: Node, path: str = "") -> list[str]:
    """The key paths of a tree, with `*` for the names of tiers and tasks."""
    if not isinstance(node, Mapping):
        return []
    found: list[str] = []
    for name, (_, child) in node.pairs.items():
        here = f"{path}.{'*' if path in {'tiers', 'tasks'} else name}".lstrip(".")
        found += [here, *_written(child, here)]
    return found
