"""`tierwise check` says what a policy means, runs its tests, and its exit code says whether it is right."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from router.cli.check import check
from router.policyfile import DEFAULT_POLICY
from tests.ledger.fickle import started
from tests.ledger.samples import ended
from tests.policy.conftest import POLICY, Write

TRIAL = """
tests:
  - name: a greeting stays cheap
    given: {prompt: Hello}
    verdict: {task: chat, difficulty: simple}
    expect: {tier: TIER, reason: "chat, simple"}
"""
TASK = "tasks: {chat: {description: Small talk.}}\n"


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the checkout's .env nor its ledger are looked at."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(check, arguments)


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_right_policy_is_shown_as_tables_of_tiers_and_tasks() -> None:
    result = run(str(DEFAULT_POLICY))
    assert 0 == result.exit_code
    rows = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "haiku claude-haiku-5-5 - auto - 0.10 0.50" in rows
    assert "code haiku sonnet opus 32768 300 s" in rows
    assert "Without a verdict: tier sonnet, task general." in result.output


def test_without_an_argument_the_policy_of_the_settings_is_checked() -> None:
    data = json.loads(run("--json").output)
    assert (True, str(DEFAULT_POLICY), []) == (data["ok"], data["policy"], data["warnings"])
    assert {"simple": "haiku", "complex": "haiku", "edge_case": "opus"} == data["tasks"]["classify"]


def test_the_cap_on_verdicts_is_part_of_what_a_task_reaches(write: Write) -> None:
    path = write(POLICY.replace("classifier: {", "classifier: {cap_tier: cheap, ") + "tasks: {chat: {description: x}}")
    data = json.loads(run(str(path), "--json").output)
    assert {"chat": {"simple": "cheap", "complex": "cheap", "edge_case": "cheap"}} == data["tasks"]


def test_rules_are_shown_as_a_decision_table(write: Write) -> None:
    rules = """rules:
  - {name: long, when: {documents: true, input_tokens: {at_least: 5000}, feature: [a, b-*]}, tier: dear}
  - {name: no, when: {keywords: secret}, refuse: Not here.}
"""
    shown = words(run(str(write(POLICY + rules))))
    assert "1 long feature a or b-* tier dear documents input_tokens at least 5,000" in shown
    assert "2 no keywords secret refuse: Not here." in shown


def test_where_measurements_lead_stands_beside_the_task(write: Write) -> None:
    path = write(POLICY + TASK)
    (path.parent / "routes.yaml").write_text(
        "routes: {chat: {dear: {model: large, cases: 200, passed: 198, measured: 2026-11-20}}}"
    )
    assert "chat dear dear dear 4096 60 s" in words(run(str(path)))


def test_what_the_evals_measured_is_shown_with_where_it_leads(write: Write) -> None:
    path = write(POLICY + TASK)
    (path.parent / "routes.yaml").write_text(
        "routes: {chat: {cheap: {model: small, cases: 200, passed: 150, at_least: 0.68, measured: 2026-11-20,"
        ' cost_usd: "0.0004", latency_ms: 900, suite: talk, state: fails, sampled_cases: 20, sampled_passed: 19},'
        " dear: {model: large, cases: 200, passed: 198, measured: 2026-11-20}}}"
    )
    shown = words(run(str(path)))
    assert "chat cheap 150/200 68.0% 0.0004 0.9 s 19/20 2026-11-20 talk fails" in shown
    assert "chat: dear is the cheapest that clears the bar of 90% (198/200 passed, at least 97.0%)." in shown
    told = json.loads(run(str(path), "--json").output)["measured"]["chat"]
    assert ("dear", 0.68, False) == (told["pick"], told["tiers"]["cheap"]["at_least"], told["tiers"]["cheap"]["clears"])


def test_without_measurements_no_table_of_them_is_shown(write: Write) -> None:
    assert "Measured" not in run(str(write(POLICY + TASK))).output


def test_a_policys_own_tests_are_run_and_told(write: Write) -> None:
    result = run(str(write(POLICY + TASK + TRIAL.replace("TIER", "cheap"))))
    assert (0, True) == (result.exit_code, "Tests: 1 of 1 passed." in result.output)


def test_a_policy_whose_own_test_fails_is_not_right(write: Write) -> None:
    path = str(write(POLICY + TASK + TRIAL.replace("TIER", "dear")))
    result = run(path)
    assert 1 == result.exit_code
    assert "FAILED a greeting stays cheap" in result.output
    assert "tier is cheap, not dear" in result.output
    data = json.loads(run(path, "--json").output)
    assert (False, ["tier is cheap, not dear"]) == (data["ok"], data["tests"][0]["wrong"])


def test_a_wrong_policy_leaves_with_1_and_every_problem(write: Write) -> None:
    result = run(str(write(POLICY + "tsks: {}\nstciky: {}\n")))
    assert 1 == result.exit_code
    assert "2 problems" in result.output
    assert json.loads(run(str(write(POLICY + "tsks: {}\n")), "--json").output)["ok"] is False


def test_warnings_are_shown_and_strict_makes_them_count(write: Write) -> None:
    path = str(write(POLICY + "tasks: {chat: {}}\n"))
    assert (0, 1) == (run(path).exit_code, run(path, "--strict").exit_code)
    assert "warning: " in run(path).output


def test_a_candidate_that_is_wrong_is_found_too(write: Write) -> None:
    path = write(POLICY + "rollout: {candidate: next.yaml}\n")
    (path.parent / "next.yaml").write_text("tiers: {}")
    result = run(str(path))
    assert 1 == result.exit_code
    assert "next.yaml:1:1: `tiers` must hold at least 1" in result.output


def test_budgets_and_the_rollout_are_said_in_words(write: Write) -> None:
    more = "budgets: {day: {usd: 5, each: user, save_at: 0.8, then: warn}}\nrollout: {candidate: next.yaml}\n"
    path = write(POLICY + more)
    (path.parent / "next.yaml").write_text(POLICY)
    shown = words(run(str(path)))
    assert "Budget day: 5 USD a day of everybody for each user, from 80% on up to cheap, then warn." in shown
    assert "as canary for 5% of the sessions." in shown


def test_a_limit_far_above_what_the_ledger_saw_is_a_warning(write: Write, tmp_path: Path) -> None:
    books = started(tmp_path / "var")
    for number in range(100):
        row = msgspec.structs.replace(ended(number), role="answer", task="chat", output_tokens=20, billed="settled")
        books.settle(msgspec.structs.replace(row, at_ms=4_000_000_000_000))
    books.close()
    result = run(str(write(POLICY + "tasks: {chat: {description: x, max_tokens: 400}}")))
    assert "`max_tokens` 400 is far above what `chat` ever used: 20 in 100 answers" in words(result)


def test_what_a_policy_says_of_the_prompt_cache_is_shown_in_words(tmp_path: Path) -> None:
    (tmp_path / "prefix.json").write_text('{"system": "You help."}')
    path = tmp_path / "policy.yaml"
    path.write_text(
        "tiers: {haiku: {model: claude-haiku-5-5}}\n"
        "cache:\n  longest: 5m\n  hold_ms: 900\n  varying: ['^Now: ']\n  prewarm:\n"
        "    help: {file: prefix.json, tier: haiku}\n"
    )
    shown = words(run(str(path)))
    assert "Cache: marks for five minutes only." in shown
    assert "Cache: others wait up to 900 ms for a prefix of 4,000 tokens or more." in shown
    assert "Cache: lines that meet ^Now: go behind the rest of a system text." in shown
    assert "Kept warm: help on haiku for 5m." in shown
