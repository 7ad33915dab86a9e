"""`tierwise gate`: what it learns from, what it writes, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from evals.runs import keep
from evals.suitefile import load_suite
from evals.vocabulary import Suite
from router.cli.main import main
from router.decide.gate import ANSWERED, Compiled, answer
from router.decide.gate_file import read_gate
from tests.evals.learn.test_sources import run_of
from tests.evals.learn.texts import text_of

SUITE = """\
task: classify
description: Refunds, sorted.
template: |
  Sort this request.
  {input}
grader: {kind: exact}
bar: 0.9
budget_usd: 1
"""


def suite_in(folder: Path, cases: int) -> Suite:
    dice = np.random.default_rng(cases)
    folder.mkdir(parents=True)
    (folder / "suite.yaml").write_text(SUITE)
    lines = [{"id": f"c{at:03}", "input": text_of("refund", False, dice), "expected": "yes"} for at in range(cases)]
    (folder / "cases.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    return load_suite(folder)


def gate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["gate", *map(str, arguments)], env={"COLUMNS": "120"})


def fit(folder: Path, *arguments: str | Path) -> Result:
    where = ("--data-dir", folder / "data", "--suites", folder / "suites", "--out", folder / "gate.json")
    return gate("fit", *where, *arguments)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A run of 200 cases, of which opus and haiku did all but every fifth and tenth."""
    suite = suite_in(tmp_path / "suites" / "refunds", 200)
    run = run_of(suite)
    right = [msgspec.structs.replace(tried, grade=msgspec.structs.replace(tried.grade, passed=True))
             for tried in run.tried["refunds"]]  # fmt: skip
    opus = [msgspec.structs.replace(tried, tier="opus") for tried in right if tried.tier == "haiku"]
    tried = (*(one for one in right if one.tier != "opus"), *opus)
    keep(tmp_path / "data", msgspec.structs.replace(run, tried={"refunds": tried}))
    return tmp_path


def test_a_gate_is_fitted_from_the_newest_run_and_answers(measured: Path) -> None:
    result = fit(measured)
    assert (0, "") == (result.exit_code, result.stderr)
    for words in ("classify", "graded", "200", "named", "at least 50 cases a bound", "gate.json"):
        assert words in result.stdout
    made = read_gate((measured / "gate.json").read_bytes())
    text = "Sort this request.\n" + text_of("refund", False, np.random.default_rng(5))
    assert ANSWERED == answer(Compiled(made), text, "classify").outcome
    assert 0o600 == (measured / "gate.json").stat().st_mode & 0o777


def test_json_is_one_object_with_what_each_task_may_claim(measured: Path) -> None:
    told = msgspec.json.decode(fit(measured, "--json", "--alpha", "0.15", "--min-cases", "60").stdout)
    assert (0.15, 0.9, 60, []) == tuple(told[name] for name in ("alpha", "confidence", "min_cases", "notes"))
    (task,) = told["tasks"]
    assert ("classify", "graded", "haiku", "opus", 200, 0) == tuple(
        task[name] for name in ("name", "source", "cheap", "strong", "labels", "bad")
    )
    assert task["named"]["bound"] <= 0.15
    assert told["written"] == str(measured / "gate.json")


def test_show_tells_what_there_is(measured: Path) -> None:
    fit(measured)
    shown = gate("show", "--file", measured / "gate.json")
    assert (0, True) == (shown.exit_code, "Fitted on 200 graded cases" in shown.stdout)
    as_json = msgspec.json.decode(gate("show", "--file", measured / "gate.json", "--json").stdout)
    assert as_json["tasks"][0]["named"]["cases"] >= 50


def test_where_nothing_can_be_shown_nothing_is_written_and_what_is_missing_is_said(measured: Path) -> None:
    (measured / "gate.json").write_bytes(b"the older one")
    result = fit(measured, "--min-cases", "150")
    assert 1 == result.exit_code
    assert "not enough labels: about" in result.stdout
    assert "Nothing was written" in result.stdout
    assert b"the older one" == (measured / "gate.json").read_bytes()


def test_a_suite_that_changed_since_is_named(measured: Path) -> None:
    (measured / "suites" / "refunds" / "suite.yaml").write_text(SUITE.replace("Sort this", "Please sort this"))
    result = fit(measured)
    assert 1 == result.exit_code
    assert "no task has 10 labels" in result.stderr
    assert "the suite was changed since" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "make one with `tierwise eval run`"),
        (("--run", "run_9"), "there is no run run_9"),
        (("--ledger",), "no prompts were kept"),
    ],
)
def test_without_anything_to_learn_from_it_says_how_to_get_it(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "data").mkdir()
    result = fit(tmp_path, *arguments)
    assert (1, True) == (result.exit_code, words in result.stderr)


@pytest.mark.parametrize(("data", "words"), [(None, "fit one with `tierwise gate fit`"), (b"{}", "it is no gate")])
def test_a_file_that_is_no_gate_is_refused(tmp_path: Path, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / "gate.json").write_bytes(data)
    result = gate("show", "--file", tmp_path / "gate.json")
    assert (1, True) == (result.exit_code, words in result.stderr)
    assert "gate.json" in result.stderr
