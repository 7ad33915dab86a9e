"""What is wrong with `cache` is said with the place, and what is allowed instead."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from router.errors import PolicyError
from router.policyfile import load

TIERS = "tiers: {haiku: {model: claude-haiku-5-5}}\n"
KEPT = "cache:\n  prewarm:\n    help: {file: prefix.json, tier: %s}\n"


def problems(folder: Path, text: str) -> str:
    path = folder / "policy.yaml"
    path.write_text(TIERS + text)
    with pytest.raises(PolicyError) as caught:
        load(path)
    return "\n".join(caught.value.problems).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "policy.yaml:4:18: prefix.json: it cannot be read: No such file or directory"),
        (b"{", "prefix.json: it is no JSON object"),
        (b"[]", "prefix.json: it is no JSON object"),
        (b"{}", "prefix.json: it needs `tools` or `system`, and takes tools, system, thinking, output_config"),
        (b'{"system": "x", "messages": []}', "; not `messages`"),
        (b'{"system": 5}', "prefix.json: system: expected a string or a list, got a number"),
        (b'{"tools": "x"}', "prefix.json: tools: expected a list, got a string"),
    ],
)
def test_a_prefix_that_cannot_be_warmed(content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "prefix.json").write_bytes(content)
    assert said in problems(tmp_path, KEPT % "haiku")


def test_a_tier_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "prefix.json").write_text('{"system": "x"}')
    assert "no tier is called `haiko` (did you mean `haiku`?)" in problems(tmp_path, KEPT % "haiko")


def test_a_line_that_no_regular_expression_finds(tmp_path: Path) -> None:
    said = problems(tmp_path, 'cache:\n  varying:\n    - "^Now"\n    - "(?=x)"\n')
    assert said.startswith("policy.yaml:5:7: ")
    assert "(?=" in said


def test_what_is_kept_warm_is_part_of_the_policys_hash_and_of_its_files(tmp_path: Path) -> None:
    path, prefix = tmp_path / "policy.yaml", tmp_path / "prefix.json"
    path.write_text(TIERS + KEPT % "haiku")
    hashes = set()
    for words in ("a", "b", "b"):
        prefix.write_bytes(msgspec.json.encode({"system": words}))
        rules = load(path)
        hashes.add(rules.hash)
        assert str(prefix) in rules.files
    assert len(hashes) == 2
