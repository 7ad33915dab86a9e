"""The schema and the documentation say what the records say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from router.errors import PolicyError
from router.policyfile import load
from router.policyfile.document import Items, Mapping, Node, read
from router.policyfile.report import Report
from router.policyfile.schema import REFERENCE, SCHEMA, examples, key_paths, schema_text, with_reference, write

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
    _beside(tmp_path)
    path = tmp_path / "complete.yaml"
    path.write_text(_block("complete"))
    assert () == load(path).warnings
    _, root = read(path, Report())
    assert root is not None
    assert set(key_paths()) == set(_written(root)) & set(key_paths())


def test_every_whole_policy_on_the_page_loads_without_a_warning(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n( *# yaml-language-server.*?)```", PAGE, re.DOTALL)
    assert 3 == len(examples)
    _beside(tmp_path)
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
    """The key paths of a tree, with `*` for the names of tiers, tasks and budgets and `[]` for entries of a list."""
    if isinstance(node, Items):
        return [found for child in node.values for found in _written(child, f"{path}[]")]
    if not isinstance(node, Mapping):
        return []
    found: list[str] = []
    for name, (_, child) in node.pairs.items():
        here = f"{path}.{'*' if path in {'tiers', 'tasks', 'budgets', 'cache.prewarm'} else name}".lstrip(".")
        found += [here, *_written(child, here)]
    return found


# What stands around an example, so that each is a policy: every name that an example uses is there.
FRAME = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
  opus: {model: claude-opus-5-5}
tasks:
  chat: {description: Small talk.}
fallbacks: {canned: Sorry.}
"""
# What an example needs beside it to be whole.
BESIDE: dict[str, dict[str, object]] = {
    "default.tier": {"task": "chat"},
    "default.task": {"tier": "sonnet"},
    "tasks.*.output.type": {"schema": {"type": "object"}},
    "tasks.*.output.schema": {"type": "json_schema"},
    "tasks.*.output.values": {"type": "enum"},
    "budgets.*.save_tier": {"usd": 5, "save_at": 0.5},
    "rules[].name": {"tier": "haiku"},
    "rollout.candidate": {},
    "tests[].name": {"given": {"prompt": "x"}, "expect": {}},
    "tests[].verdict.task": {"difficulty": "simple"},
    "tests[].verdict.difficulty": {"task": "chat"},
}
REQUIRED: dict[str, dict[str, object]] = {
    "rules[]": {"name": "r", "tier": "haiku"},
    "budgets.*": {"usd": 5},
    "tasks.*.agree": {"second": "claude-haiku-4-5", "compare": "json"},
    "cache.prewarm.*": {"file": "support-prefix.json", "tier": "sonnet"},
    "rollout": {"candidate": "next.yaml"},
    "tests[]": {"name": "t", "given": {"prompt": "x"}, "expect": {}},
}


@pytest.mark.parametrize(("path", "example"), list(examples()), ids=[path for path, _ in examples()])
def test_the_example_of_each_key_is_taken_without_a_word(path: str, example: object, tmp_path: Path) -> None:
    policy = YAML(typ="safe", pure=True).load(FRAME)
    _put(policy, path, example)
    _beside(tmp_path)
    file = tmp_path / "policy.yaml"
    file.write_text(json.dumps(policy))  # JSON is YAML
    assert () == load(file, environment={}).warnings


def test_every_key_that_is_a_value_has_an_example() -> None:
    parts = {path.rpartition(".")[0] for path in key_paths()}
    shown = {path for path, _ in examples()}
    assert set() == set(key_paths()) - shown - parts - {path.removesuffix("[]").removesuffix(".*") for path in parts}


def _beside(folder: Path) -> None:
    """The file that the examples of `cache.prewarm` name."""
    (folder / "support-prefix.json").write_text('{"system": "You help customers."}')


def _put(policy: dict[str, object], path: str, example: object) -> None:
    steps = path.split(".")
    here: dict[str, object] = policy
    for number, step in enumerate(steps[:-1]):
        names = {"tiers": "sonnet", "tasks": "chat", "budgets": "trials", "prewarm": "support"}
        name = names[steps[number - 1]] if step == "*" else step.removesuffix("[]")
        fresh = dict(REQUIRED.get(".".join(steps[: number + 1]), {}))
        if step.endswith("[]"):
            here[name] = [fresh]
            here = fresh
        else:
            found = here.setdefault(name, fresh)
            assert isinstance(found, dict)
            here = found
    if steps[-1] in {"model", "refuse", "canned"} and path.startswith("rules[]."):
        here.pop("tier", None)
    here.update(BESIDE.get(path, {}))
    here[steps[-1]] = example
