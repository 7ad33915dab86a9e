"""A suite is held against the policy that it would run with, and odd things are warned of."""

from __future__ import annotations

from pathlib import Path

from evals.suitefile import advise
from router.decide.policy import Rulebook
from tests.evals.suites.folders import YAML, suite
from tests.rulebooks import rules_from

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  opus: {model: claude-opus-5-5}
tasks:
  classify: {}
"""
MANY = [{"id": f"t{number}", "input": f"n{number}", "expected": "a"} for number in range(40)]
JUDGE = YAML.replace("kind: label\n  labels: [a, b]", "kind: judge\n  rubric: Good.\n  tier: TIER")


def found(root: Path, text: str, rules: Rulebook | None = None) -> tuple[list[str], list[str]]:
    report = advise(suite(root, text, MANY), rules)
    plain = [
        [line.splitlines()[0].partition("sorting/")[2] for line in lines] for lines in (report.errors, report.warnings)
    ]
    return plain[0], plain[1]


def test_a_suite_that_fits_has_neither(tmp_path: Path) -> None:
    assert ([], []) == found(tmp_path, YAML + "tiers: [haiku, opus]\n", rules_from(POLICY, tmp_path))


def test_what_the_policy_has_not_is_named_with_the_nearest(tmp_path: Path) -> None:
    text = YAML.replace("task: classify", "task: clasify") + "tiers: [haku]\n"
    assert [
        "suite.yaml:1:7: the policy has no task `clasify` (did you mean `classify`?); it has: classify",
        "suite.yaml:12:9: the policy has no tier `haku` (did you mean `haiku`?); it has: haiku, opus",
    ] == found(tmp_path, text, rules_from(POLICY, tmp_path))[0]


def test_tiers_stand_in_the_policy_s_order(tmp_path: Path) -> None:
    errors, _ = found(tmp_path, YAML + "tiers: [opus, haiku]\n", rules_from(POLICY, tmp_path))
    assert ["suite.yaml:12:1: tiers stand cheapest first, as in the policy: haiku, opus"] == errors


def test_a_judge_is_a_tier_and_better_not_one_that_is_measured(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    errors, _ = found(tmp_path, JUDGE.replace("TIER", "opsu"), rules)
    assert ["suite.yaml:10:9: the policy has no tier `opsu` (did you mean `opus`?); it has: haiku, opus"] == errors
    _, warnings = found(tmp_path, JUDGE.replace("TIER", "opus") + "tiers: [haiku, opus]\n", rules)
    assert ["suite.yaml:10:9: `opus` judges its own answers; models prefer their own"] == warnings


def test_without_tiers_a_suite_asks_all_that_a_verdict_can_reach(tmp_path: Path) -> None:
    rules = rules_from(
        POLICY.replace("tasks:", "  fable: {model: claude-fable-5-2, only_by_name: true}\ntasks:"), tmp_path
    )
    _, warnings = found(tmp_path, JUDGE.replace("TIER", "opus"), rules)
    assert ["suite.yaml:10:9: `opus` judges its own answers; models prefer their own"] == warnings
    assert ([], []) == found(tmp_path, JUDGE.replace("TIER", "fable"), rules)
    most = rules.models["claude-haiku-5-5"].max_output
    _, warnings = found(tmp_path, YAML + f"max_tokens: {most + 1}\n", rules)
    assert ["haiku", "opus"] == [line.split("`")[1] for line in warnings]


def test_more_tokens_than_a_model_gives_are_warned_of(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    most = rules.models["claude-haiku-5-5"].max_output
    _, warnings = found(tmp_path, YAML + f"max_tokens: {most + 1}\ntiers: [haiku]\n", rules)
    assert [f"suite.yaml:12:13: `haiku` gives at most {most:,} tokens; a run there asks for no more"] == warnings


def test_too_few_cases_and_repeated_ones_are_warned_of(tmp_path: Path) -> None:
    few = [*MANY[:12], {**MANY[0], "id": "again"}]
    report = advise(suite(tmp_path, YAML, few))
    assert ["13 cases cannot show 0.9, even if all pass; that takes 29 and more",
            "asks the same as line 1; two cases for one question count it twice"] == [
        line.partition(": ")[2] for line in report.warnings
    ]  # fmt: skip
