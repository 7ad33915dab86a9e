"""The presets: complete, right, and with tests of their own that would notice a change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.decide.rules import compiled
from router.decide.trial import try_all
from router.policyfile import BUNDLED, load

PRESETS = sorted((BUNDLED / "presets").glob("*.yaml"))
PAGE = (BUNDLED.parent / "docs" / "presets.md").read_text(encoding="utf-8")
NAMES = [path.stem for path in PRESETS]


def failing(rules: Rulebook) -> list[str]:
    return [one.name for one in try_all(rules) if not one.passed]


def test_there_are_five_and_each_has_its_place_in_the_documentation() -> None:
    assert ["batch-enrichment", "coding-agent", "extraction", "rag", "support-chat"] == NAMES
    assert NAMES == sorted(re.findall(r"^## ([a-z-]+)$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("path", PRESETS, ids=NAMES)
def test_a_preset_loads_without_a_word_and_passes_its_own_tests(path: Path) -> None:
    rules = load(path)
    assert ((), []) == (rules.warnings, failing(rules))
    assert len(rules.policy.tests) >= 6


def without_each_rule() -> Iterator[tuple[str, str]]:
    for path in PRESETS:
        yield from ((path.stem, rule.name) for rule in load(path).policy.rules)


@pytest.mark.parametrize(("preset", "rule"), list(without_each_rule()))
def test_a_rule_that_is_taken_away_is_missed_by_a_test(preset: str, rule: str) -> None:
    rules = load(BUNDLED / "presets" / f"{preset}.yaml")
    fewer = tuple(one for one in rules.policy.rules if one.name != rule)
    policy = msgspec.structs.replace(rules.policy, rules=fewer)
    assert failing(msgspec.structs.replace(rules, policy=policy, matchers=compiled(fewer)))


@pytest.mark.parametrize("preset", NAMES)
def test_a_tier_with_another_model_is_noticed_by_a_test(preset: str) -> None:
    rules = load(BUNDLED / "presets" / f"{preset}.yaml")
    for name in rules.tier_order:
        other = "claude-opus-5-5" if rules.policy.tiers[name].model != "claude-opus-5-5" else "claude-haiku-5-5"
        tiers = rules.policy.tiers | {name: msgspec.structs.replace(rules.policy.tiers[name], model=other)}
        policy = msgspec.structs.replace(rules.policy, tiers=tiers)
        assert failing(msgspec.structs.replace(rules, policy=policy)), name


@pytest.mark.parametrize("preset", NAMES)
def test_a_policy_that_only_extends_a_preset_is_that_preset(preset: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {preset}\n")
    assert load(BUNDLED / "presets" / f"{preset}.yaml").hash == load(path).hash


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_an_example_of_the_page_loads_without_a_word(example: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(example)
    assert () == load(path).warnings
