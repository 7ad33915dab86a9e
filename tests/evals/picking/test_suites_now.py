"""A suite that changed since a run is noticed; one that is gone or wrong now is not guessed about."""

from __future__ import annotations

from pathlib import Path

import msgspec

from evals.picking import changed, hashes_now
from evals.suitefile import load_suite
from evals.vocabulary import Finding, Run
from tests.evals.report.sample import TICKETS, sample_run

SUITE = """
task: classify
template: "{input}"
grader: {kind: label, labels: [yes, no]}
bar: 0.9
budget_usd: 1
"""
CASE = '{"id": "c-1", "input": "x", "expected": "yes"}\n'


def written(root: Path, case: str = CASE) -> str:
    """The suite's hash."""
    folder = root / TICKETS.suite
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "cases.jsonl").write_text(case)
    return load_suite(folder).hash


def run_of(suite_hash: str, name: str = TICKETS.suite) -> Run:
    finding: Finding = msgspec.structs.replace(TICKETS, suite=name, suite_hash=suite_hash)
    return sample_run(finding)


def told(run: Run, root: Path) -> list[str]:
    return changed(run.findings, hashes_now(run, root))


def test_the_suite_that_was_run_is_no_news(tmp_path: Path) -> None:
    run = run_of(written(tmp_path))
    assert {TICKETS.suite: run.findings[0].suite_hash} == hashes_now(run, tmp_path)
    assert [] == told(run, tmp_path)


def test_another_expected_value_makes_another_suite(tmp_path: Path) -> None:
    run = run_of(written(tmp_path))
    written(tmp_path, CASE.replace("yes", "no"))
    assert [f"the suite {TICKETS.suite} has changed since the run: run it again"] == told(run, tmp_path)


def test_a_suite_that_is_gone_wrong_or_elsewhere_says_nothing(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / TICKETS.suite / "cases.jsonl").write_text("{")
    assert [] == told(run_of("old"), tmp_path)
    assert [] == told(run_of("old", "gone"), tmp_path)
    assert [] == told(run_of("old", f"../{tmp_path.name}/{TICKETS.suite}"), tmp_path)
    assert [] == told(run_of("old"), tmp_path / "nowhere")
