"""`tierwise check` says what a policy means, and its exit code says whether it is right."""

from __future__ import annotations

import json

from click.testing import CliRunner

from router.cli.check import check
from router.policyfile import DEFAULT_POLICY
from tests.policy.conftest import POLICY, Write


def test_a_right_policy_is_shown_as_tables_of_tiers_and_tasks() -> None:
    result = CliRunner().invoke(check, [str(DEFAULT_POLICY)])
    assert 0 == result.exit_code
    rows = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "haiku claude-haiku-5-5 auto - 0.10 0.50" in rows
    assert "code haiku sonnet opus 32768 300 s" in rows
    assert "Without a verdict: tier sonnet, task general." in result.output


def test_without_an_argument_the_policy_of_the_settings_is_checked() -> None:
    result = CliRunner().invoke(check, ["--json"])
    data = json.loads(result.output)
    assert (True, str(DEFAULT_POLICY), []) == (data["ok"], data["policy"], data["warnings"])
    assert {"simple": "haiku", "complex": "haiku", "edge_case": "opus"} == data["tasks"]["classify"]


def test_the_cap_on_verdicts_is_part_of_what_a_task_reaches(write: Write) -> None:
    path = write(POLICY.replace("classifier: {", "classifier: {cap_tier: cheap, ") + "tasks: {chat: {description: x}}")
    data = json.loads(CliRunner().invoke(check, [str(path), "--json"]).output)
    assert {"chat": {"simple": "cheap", "complex": "cheap", "edge_case": "cheap"}} == data["tasks"]


def test_a_wrong_policy_leaves_with_1_and_every_problem_on_stderr(write: Write) -> None:
    path = write("tires: {}\n" + POLICY + "x: 1\n")
    result = CliRunner().invoke(check, [str(path)])
    assert (1, "") == (result.exit_code, result.stdout)
    assert "2 problems" == result.stderr.splitlines()[-1]
    assert f"{path}:1:1: unknown key `tires` in the file (did you mean `tiers`?)" in result.stderr


def test_a_wrong_policy_is_json_when_asked_for(write: Write) -> None:
    path = write("tires: {}\n" + POLICY)
    result = CliRunner().invoke(check, [str(path), "--json"])
    data = json.loads(result.stdout)
    assert (1, False, 1) == (result.exit_code, data["ok"], len(data["problems"]))


def test_a_warning_is_shown_and_the_policy_is_right(write: Write) -> None:
    path = write("tiers: {a: {model: small}}\nclassifier: {model: small}\ntasks: {chat: {max_tokens: 100}}\n")
    result = CliRunner().invoke(check, [str(path)])
    assert 0 == result.exit_code
    assert f"warning: {path}:3:9: the task `chat` has no description" in result.output
