"""`eval show`, `eval report` and `eval pick` over a kept run: what they print, write and leave with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from evals.cli.pick import pick
from evals.cli.report import report
from evals.cli.show import show
from evals.labels import AGREES, Label, add_labels
from evals.report.terminal import cut
from evals.report.terminal import show as show_run
from evals.runs import keep
from evals.suitefile import SUITES, folders_of, load_suites
from evals.vocabulary import Run
from router.clock import SystemClock
from router.policyfile import DEFAULT_POLICY, load
from router.vocabulary import Difficulty
from tests.evals.report.sample import NOTES, TICKETS, sample_run
from tests.evals.report.test_traffic import decided, paid
from tests.ledger.fickle import started
from tests.ledger.samples import DAY_MS
from tests.rulebooks import default_rules

RUN = "run_20261118_0f3c"


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the checkout's .env nor its data are looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERWISE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "policy.yaml").write_text(DEFAULT_POLICY.read_text())
    monkeypatch.setenv("TIERWISE_POLICY", str(tmp_path / "policy.yaml"))


def data() -> Path:
    return Path("data")


def kept_run(**more: object) -> Run:
    run = sample_run(policy_hash=default_rules().hash, **more)
    keep(data(), run)
    return run


def shown(*arguments: str) -> Result:
    return CliRunner().invoke(show, arguments, env={"COLUMNS": "160"})


def picked(*arguments: str) -> Result:
    return CliRunner().invoke(pick, arguments)


# ---- show


def test_the_verdicts_are_shown_first_in_a_line_each() -> None:
    kept_run()
    lines = shown().output.splitlines()
    verdicts = [line for line in lines[:9] if line[:1] in "✓✗?" and line]
    assert 6 == len(verdicts)
    assert verdicts[0].startswith("✓ classify, mail-tickets: haiku, 104/108, at least 91.2%, $0.00041 and")
    assert verdicts[2].startswith("? code, report-queries: not enough evidence, about 160 more cases would decide opus")
    assert "release-notes (graded by a model)" in verdicts[5]


def test_each_suites_tiers_parts_and_differing_cases_are_shown() -> None:
    kept_run()
    text = " ".join(shown(RUN).output.split())
    assert "haiku 104/108 96.3% 91-99% at least 91.2% ✓ clears $0.00041 0.90 s 2.2 s" in text
    assert "opus 88/96 91.7% 84-96% at least 84.7% ? undecided $0.015 6.2 s 14.9 s 160" in text
    assert "two topics 13/16 81% 9/10 90% 6/6 100%" in text
    assert "216 answers of 324 without looks (33% spared); $0.33 paid in this run" in text
    assert "Asked again, sonnet/haiku: pass/fail, pass/fail." in text


def test_as_many_differing_cases_are_shown_as_are_asked_for() -> None:
    kept_run()
    assert "t-047" not in shown("--pairs", "0").output
    one = shown("--pairs", "1").output
    assert ("t-047" in one, "t-081" in one, "1 more: tierwise eval show --pairs 2" in one) == (
        True,
        False,
        True,
    )


def test_show_as_json_is_the_run_without_every_answer() -> None:
    run = kept_run()
    told = msgspec.json.decode(shown("--json").stdout, type=Run)
    assert msgspec.structs.replace(run, tried={}) == told


def test_a_rehearsal_and_an_unfinished_run_say_so() -> None:
    kept_run(rehearsed=True, finished=False, stopped="the cap of $2 is reached")
    text = shown().output
    assert "A rehearsal: all answers were made up" in text
    assert "Not finished: the cap of $2 is reached." in text


def test_a_run_that_is_not_there_is_one_line_with_those_that_are() -> None:
    kept_run()
    for result in (shown("run_x"), picked("run_x")):
        assert 1 == result.exit_code
        assert "there is no run run_x; the newest of" in result.output
        assert f"evals/runs are: {RUN}" in result.output


def test_an_answer_is_cut_and_cannot_move_the_cursor() -> None:
    assert "one\n\ntwo" == cut("one\n\ntwo\x1b[2J", 40).removesuffix(" [2J")
    assert [8, "..."] == [len(cut("word " * 400, 20).splitlines()) - 1, cut("word " * 400, 20).splitlines()[-1]]


@pytest.mark.parametrize("width", [20, 60, 300])
def test_any_width_will_do(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    show_run(sample_run(), 5, console)
    assert "t-081" in console.export_text()


# ---- pick


def test_without_write_nothing_is_changed() -> None:
    kept_run()
    result = picked()
    assert 0 == result.exit_code
    assert "+    winner: haiku" in result.output
    assert "left out: release-notes: a model graded it; --with-judged takes it" in result.output
    assert "classify: by difficulty -> haiku. haiku is the cheapest that clears the bar of 90%" in result.output
    assert "The evals named sonnet, but the policy's own bar is 90%" in result.output
    assert "Nothing was written; --write does that." in result.output
    assert not Path("routes.yaml").exists()


def test_what_is_written_is_in_force_and_a_second_time_nothing_changes() -> None:
    kept_run()
    assert "Written: routes.yaml." in picked("--write").output
    rules = load(Path("policy.yaml"))
    assert ((), 104) == (rules.warnings, rules.routes["classify"]["haiku"].passed)
    again = picked("--write")
    assert ("routes.yaml says this already." in again.output, "@@" in again.output) == (True, False)
    assert "classify: stays haiku." in again.output


def test_an_existing_file_keeps_its_head_and_its_other_tasks() -> None:
    kept_run()
    row = "{model: claude-opus-5-5, cases: 60, passed: 60, measured: 2026-11-01}"
    Path("routes.yaml").write_text(f"# ours\n\nroutes:\n  write:  # by hand\n    # here\n    opus: {row}\n")
    result = picked("--write")
    text = Path("routes.yaml").read_text()
    assert text.startswith("# ours\n\nversion: 1\n\nverdicts:\n  classify:\n    winner: haiku\n")
    assert "  write:\n    opus:\n      model: claude-opus-5-5\n      cases: 60\n" in text
    assert "warning: policy.yaml" not in result.output
    assert "routes.yaml: 1 lines of comment below the top are dropped" in result.output


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"rehearsed": True}, "was a rehearsal: its answers were made up, and nothing is picked from it"),
        ({"findings": (NOTES,)}, "release-notes: a model graded it; --with-judged takes it"),
        ({"findings": ()}, "it has no suites"),
    ],
)
def test_what_cannot_be_picked_leaves_with_1_and_the_reason(run: dict[str, object], told: str) -> None:
    keep(data(), msgspec.structs.replace(sample_run(), **run))
    result = picked(RUN, "--write")
    assert (1, True, False) == (result.exit_code, told in result.output, Path("routes.yaml").exists())


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"rehearsed": True}, f"The newest, {RUN}, was a rehearsal; name it"),
        ({"findings": ()}, f"The newest, {RUN}, found no verdict; name it"),
        ({"finished": False}, f"The newest, {RUN}, did not finish; name it"),
        (None, "there is no run that came to its end"),
    ],
)
def test_where_no_run_came_to_its_end_it_says_so_and_what_is_there(run: dict[str, object] | None, told: str) -> None:
    if run is not None:
        keep(data(), msgspec.structs.replace(sample_run(), **run))
    result = picked("--write")
    assert (1, True) == (result.exit_code, told in result.output)


def test_the_newest_run_with_verdicts_is_taken_and_named() -> None:
    """A rehearsal, a comparison with a baseline and a run that was ended are newer."""
    kept_run()
    newer: tuple[dict[str, object], ...] = ({"rehearsed": True}, {"findings": ()}, {"finished": False})
    for number, more in enumerate(newer, 1):
        run = sample_run(run_id=f"run_{number}", at_ms=sample_run().at_ms + number)
        keep(data(), msgspec.structs.replace(run, **more))
    result = picked()
    assert 0 == result.exit_code
    assert f"From {RUN} of 2026-11-18, the newest run that came to its end with verdicts." in result.output
    assert f"The newest that was none: tierwise eval pick {RUN}" in picked("run_1").output


def test_a_suite_that_has_changed_since_the_run_is_warned_of() -> None:
    name = next(iter(folders_of(SUITES)))
    now = load_suites(SUITES, [name])[0].hash
    for suite_hash in ("0" * 16, now):
        changed = msgspec.structs.replace(TICKETS, suite=name, suite_hash=suite_hash)
        keep(data(), sample_run(changed, policy_hash=default_rules().hash))
        told = json.loads(picked("--json").stdout)["warnings"]
        assert ([] if suite_hash == now else [f"the suite {name} has changed since the run: run it again"]) == told


def test_a_wrong_policy_or_file_is_said_with_its_place() -> None:
    kept_run()
    Path("routes.yaml").write_text("routes: {classify: {haiku: {model: x}}}\n")
    result = picked()
    assert (1, True) == (result.exit_code, "routes.yaml:1:" in result.output)


def test_pick_as_json_is_one_object_with_the_diff_and_what_it_does() -> None:
    kept_run()
    told = json.loads(picked("--json", "--with-judged").stdout)
    assert (True, False, RUN) == (told["changes"], told["written"], told["run"])
    assert {"classify": "haiku", "extract": "sonnet", "code": None, "reasoning": "sonnet", "write": "haiku"} == {
        one["task"]: one["winner"] for one in told["picks"]
    }
    assert ([], [], None) == (told["left_out"], told["warnings"], told["month"])
    assert told["diff"].startswith("--- routes.yaml\n")


def label(number: int) -> Label:
    return Label(request_id=f"r{number}", task="classify", tier="haiku", model="claude-haiku-5-5", passed=number > 0,
                 how=AGREES, at_ms=sample_run().at_ms)  # fmt: skip


def test_graded_requests_are_added_also_where_nothing_was_ever_run() -> None:
    add_labels(data(), [label(number) for number in range(12)])
    assert 0 == picked("--write").exit_code
    row = load(Path("policy.yaml")).routes["classify"]["haiku"]
    assert (0, 12, 11) == (row.cases, row.sampled_cases, row.sampled_passed)
    kept_run()
    assert 0 == picked("--write").exit_code
    row = load(Path("policy.yaml")).routes["classify"]["haiku"]
    assert (108, 12, 11) == (row.cases, row.sampled_cases, row.sampled_passed)


# ---- report


def test_the_page_is_written() -> None:
    keep(data(), sample_run(TICKETS))
    result = CliRunner().invoke(report, ["--html", "evals.html"])
    assert (0, True) == (result.exit_code, "evals.html: " in result.output)
    text = Path("evals.html").read_text(encoding="utf-8")
    assert ("mail-tickets" in text, "A month of" in text) == (True, False)


def test_where_there_is_a_ledger_its_last_month_is_priced() -> None:
    now_ms, books = SystemClock().now_ms(), started(data())
    note = msgspec.structs.replace(decided(0, "opus", Difficulty.EDGE_CASE), at_ms=now_ms - DAY_MS)
    books.note(note)
    books.settle(paid(note))
    books.close()
    kept_run()
    CliRunner().invoke(report, ["--html", "evals.html"])
    assert "1 requests of the last 30 days" in Path("evals.html").read_text(encoding="utf-8")
    usd = json.loads(picked("--json").stdout)["month"]["usd"]
    assert float(usd["with these picks"]) < float(usd["the policy as it is"]) == float(usd["all on opus"])
    assert "The ledger's last 30 days, 1 of 1 requests:" in picked().output


def test_a_page_that_cannot_be_written_is_one_line() -> None:
    kept_run()
    result = CliRunner().invoke(report, ["--html", "nowhere/evals.html"])
    assert (1, True) == (result.exit_code, "nowhere/evals.html cannot be written: No such file" in result.output)
