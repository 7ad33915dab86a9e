"""A policy in lines, for differences that a person reads."""

from __future__ import annotations

from pathlib import Path

from router.decide.policy import Rulebook
from router.steering.said import LINES_MAX, difference, said

from ..rulebooks import default_rules, rules_from

TIERS = "tiers: {haiku: {model: claude-haiku-5-5}}\n"


def rules_of(text: str, folder: Path) -> Rulebook:
    return rules_from(TIERS + text, folder)


def test_only_what_is_no_default_is_said(tmp_path: Path) -> None:
    text = "sticky: {enabled: true, idle_s: 60}\nclassifier: {deadline_ms: 800}"
    assert ['tiers.haiku.model: "claude-haiku-5-5"', "sticky.idle_s: 60.0"] == said(rules_of(text, tmp_path).policy)


def test_entries_of_a_list_are_known_by_their_name(tmp_path: Path) -> None:
    text = "rules:\n  - {name: a, when: {feature: x}, tier: haiku}\n"
    lines = said(rules_of(text, tmp_path).policy)
    assert ['rules[a].name: "a"', 'rules[a].when.feature: ["x"]', 'rules[a].tier: "haiku"'] == lines[1:]


def test_a_difference_is_what_went_and_what_came(tmp_path: Path) -> None:
    before = said(rules_of("sticky: {idle_s: 60}", tmp_path).policy)
    after = said(rules_of("sticky: {idle_s: 90}", tmp_path).policy)
    assert "-sticky.idle_s: 60.0\n+sticky.idle_s: 90.0" == difference(before, after)
    assert "" == difference(before, before)


def test_a_long_difference_says_how_much_is_left_out() -> None:
    lines = difference([], [str(number) for number in range(LINES_MAX + 7)]).splitlines()
    assert (LINES_MAX + 1, "... and 7 lines more") == (len(lines), lines[-1])


def test_the_shipped_policy_is_said_without_an_empty_line() -> None:
    lines = said(default_rules().policy)
    assert "tiers.fable.only_by_name: true" in lines
    assert all(": " in line for line in lines)
