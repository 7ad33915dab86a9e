"""`tierwise eval list`, `check` and `new`, as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evals.__main__ import evals
from evals.suitefile import load_suite
from router.clock import SystemClock
from router.ledger.prompts import PromptStore
from router.vocabulary import Sampled
from tests.evals.suites.folders import YAML, folder, suite
from tests.worlds import ListEvents

POLICY = (
    "tiers:\n  haiku: {model: claude-haiku-5-5}\n  opus: {model: claude-opus-5-5}\ntasks:\n  classify: {}\n  chat: {}\n"
)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for suites, a policy and a data directory of the test's own."""
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    monkeypatch.setenv("TIERWISE_POLICY", str(tmp_path / "policy.yaml"))
    monkeypatch.setenv("TIERWISE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "suites").mkdir()
    return tmp_path


def called(*words: str) -> Result:
    return CliRunner().invoke(evals, words)


def with_suites(room: Path, verb: str, *words: str) -> Result:
    return called(verb, *words, "--suites", str(room / "suites"))


def test_the_list_shows_what_a_suite_claims_and_costs(room: Path) -> None:
    suite(room / "suites")
    shown = with_suites(room, "list").output
    for words in (
        "sorting",
        "classify",
        "label",
        "passes at least 90%",
        "$1.50",
        "sorting: Two kinds.",
        "at most $1.50",
    ):
        assert words in shown
    (data,) = json.loads(with_suites(room, "list", "--json").output)["suites"]
    assert ("sorting", 2, {"kind": "bar", "value": 0.9}, 1.5) == (
        data["name"],
        data["cases"],
        data["claim"],
        data["budget_usd"],
    )


def test_an_empty_folder_says_how_to_begin(room: Path) -> None:
    for verb in ("list", "check"):
        assert "`tierwise eval new NAME --from-csv FILE` makes one" in with_suites(room, verb).output


def test_a_right_suite_passes_the_check_and_warnings_count_when_strict(room: Path) -> None:
    suite(room / "suites")
    found = with_suites(room, "check")
    assert (0, True) == (found.exit_code, "no problems, 1 warning" in found.output), found.output
    assert "2 cases cannot show 0.9, even if all pass; that takes 29 and more" in found.output
    assert 1 == with_suites(room, "check", "--strict").exit_code


def test_a_wrong_suite_is_shown_with_every_place_and_the_others_are_checked_all_the_same(room: Path) -> None:
    folder(room / "suites", YAML.replace("[a, b]", "[a, c]")).rename(room / "suites" / "wrong")
    folder(room / "suites", YAML.replace("task: classify", "task: clasify")).rename(room / "suites" / "unknown")
    suite(room / "suites")
    found = with_suites(room, "check", "--json")
    data = json.loads(found.stdout)
    assert (1, False, ["sorting", "unknown"]) == (found.exit_code, data["ok"], [one["name"] for one in data["suites"]])
    assert any("cases.jsonl:2:" in problem and "none of the 2 labels: `b`" in problem for problem in data["problems"])
    assert any("the policy has no task `clasify` (did you mean `classify`?)" in problem for problem in data["problems"])
    assert 0 == with_suites(room, "check", "sorting").exit_code
    assert "there is no suite `sortin`" in with_suites(room, "check", "sortin").output


def test_a_grader_that_passes_anything_is_found_unless_the_check_is_quick(room: Path) -> None:
    text = YAML.replace("kind: label\n  labels: [a, b]", "kind: regex")
    folder(room / "suites", text, [{"id": "x", "input": "y", "expected": ".*"}])
    found = with_suites(room, "check")
    assert (1, True) == (found.exit_code, "any answer passes; the expected value asks for nothing" in found.output)
    assert 0 == with_suites(room, "check", "--quick").exit_code


def test_a_suite_is_made_from_a_table(room: Path) -> None:
    rows = "".join(f"text {number},{['late', 'refund'][number % 2]}\n" for number in range(30))
    (room / "rows.csv").write_text("input,expected\n" + rows, encoding="utf-8")
    made = with_suites(room, "new", "tickets", "--from-csv", str(room / "rows.csv"), "--task", "classify")
    assert 0 == made.exit_code, made.output
    assert "30 cases, grader label (guessed: there are only 2 different expected values)" in made.output
    assert 0 == with_suites(room, "check", "tickets").exit_code
    again = with_suites(room, "new", "tickets", "--from-csv", str(room / "rows.csv"))
    assert (2, True) == (again.exit_code, "nothing is written over" in again.output)
    some = with_suites(room, "new", "fewer", "--from-csv", str(room / "rows.csv"), "--limit", "20")
    assert "Left out: the 10 rows after the first 20 (--limit takes more)." in some.output


def test_a_suite_is_made_from_the_requests_that_were_kept(room: Path) -> None:
    (room / "data").mkdir()
    store = PromptStore(room / "data", SystemClock(), ListEvents())
    for number, task in enumerate(("chat", "chat", "sums")):
        body = json.dumps(
            {"system": "Be brief.", "messages": [{"role": "user", "content": f"secret {number}"}]}
        ).encode()
        store.keep(
            Sampled(request_id=f"r{number}", at_ms=SystemClock().now_ms(), task=task, body=body, answer=b"{}"), 30, 10
        )
    store.close()
    made = with_suites(room, "new", "chats", "--from-ledger", "--task", "chat")
    assert (0, True) == (made.exit_code, "2 cases have no expected value" in made.output), made.output
    assert "secret" not in made.output
    written = (room / "suites" / "chats" / "cases.jsonl").read_text(encoding="utf-8")
    assert (2, 2) == (written.count("secret"), written.count('"expected":null'))
    filled = written.replace("null", '"a good answer"')
    (room / "suites" / "chats" / "cases.jsonl").write_text(filled, encoding="utf-8")
    yaml = (room / "suites" / "chats" / "suite.yaml").read_text(encoding="utf-8")
    (room / "suites" / "chats" / "suite.yaml").write_text(yaml.replace("FILL IN: what", "What"), encoding="utf-8")
    suite_made = load_suite(room / "suites" / "chats")
    assert ("chat", "Be brief.", "opus") == (suite_made.task, suite_made.system, suite_made.grader.options["tier"])


def test_where_examples_come_from_must_be_said(room: Path) -> None:
    assert "say where the examples come from" in with_suites(room, "new", "x").output
    assert (
        "say where the examples come from" in with_suites(room, "new", "x", "--from-ledger", "--from-csv", "f").output
    )
    assert "no prompts were kept" in with_suites(room, "new", "x", "--from-ledger").output


@pytest.mark.parametrize("verb", ["list", "check", "new"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    assert f"tierwise eval {verb}" in called(verb, "--help").output.partition("Examples:")[2]
