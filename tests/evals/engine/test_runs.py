"""Runs are kept whole and found again; what is shown while they run is for a terminal only."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from evals.durable import write_whole
from evals.fresh import Fresh
from evals.places import Places
from evals.progress import Shown, confirmed, table
from evals.runs import NoRun, all_runs, keep, load
from evals.spending import Estimate, Purse
from evals.vocabulary import Answered, Claim, Finding, Grade, Run, Tried
from router.vocabulary import PICO_PER_USD


def run(run_id: str = "run_1", at_ms: int = 1, *, finished: bool = True) -> Run:
    tried = Tried(case="c", tier="haiku", answer=Answered(key="k", model="m", text="ü"), grade=Grade(passed=True))
    finding = Finding(suite="sums", suite_hash="h", task="classify", claim=Claim(kind="bar", value=0.9))
    return Run(
        run_id=run_id,
        at_ms=at_ms,
        upstream="api",
        policy="default.yaml",
        policy_hash="p",
        finished=finished,
        findings=(finding,),
        tried={"sums": (tried,)},
    )


def test_a_run_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    path = keep(tmp_path, run())
    assert tmp_path / "evals" / "runs" / "run_1.json" == path
    assert run() == load(tmp_path, "run_1")
    assert [path] == list(path.parent.iterdir())


def test_the_latest_is_the_newest_by_its_own_time(tmp_path: Path) -> None:
    for run_id, at_ms in (("run_c", 5), ("run_a", 9), ("run_b", 7)):
        keep(tmp_path, run(run_id, at_ms))
    assert "run_a" == load(tmp_path).run_id
    assert ["run_a", "run_b", "run_c"] == [one.run_id for one in all_runs(tmp_path)]


@pytest.mark.parametrize("run_id", ["latest", "run_9", "../../secret", ""])
def test_a_run_that_is_not_there_is_said_so(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(NoRun, match="no run"):
        load(tmp_path, run_id)


def test_a_run_that_cannot_be_read_is_named_with_its_file(tmp_path: Path) -> None:
    path = keep(tmp_path, run())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(NoRun, match=r"run_1\.json: cannot be read as a run"):
        load(tmp_path)


def test_a_finished_run_ends_what_fresh_began(tmp_path: Path) -> None:
    path = Places(data_dir=tmp_path).fresh
    assert () == Fresh(path).begin(["sums"])
    keep(tmp_path, run(finished=False))
    assert ("sums",) == Fresh(path).begin(["sums", "others"])
    assert (1, 1, 0) == tuple(Fresh(path).number(name) for name in ("sums", "others", "third"))
    keep(tmp_path, run())
    assert ("others",) == Fresh(path).begin(["sums", "others"])
    assert (2, 1) == (Fresh(path).number("sums"), Fresh(path).number("others"))


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for data in (b"1" * 100, b"2"):
        write_whole(path, data)
        assert (data, [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


ESTIMATES = (
    Estimate(
        suite="sums", tier="haiku", calls=8, known=2, expected_pico=PICO_PER_USD // 2, worst_pico=PICO_PER_USD * 4
    ),
    Estimate(
        suite="sums", tier="opus", calls=10, expected_pico=PICO_PER_USD, worst_pico=PICO_PER_USD * 9, guessed=True
    ),
)


def shown(words: object) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(words)
    return printed(console)


def printed(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_what_it_will_cost_is_shown_before_the_first_call() -> None:
    lines = shown(table(ESTIMATES, 5 * PICO_PER_USD)).splitlines()
    assert ["sums", "haiku", "8", "2", "$0.50", "$4.00"] == lines[2].split()
    assert "$1.00 (a guess)" in lines[3]
    assert "all of it" in lines[4]
    assert "$1.50" in lines[4]
    assert "$5.00 (cap $5.00)" in lines[4]


@pytest.mark.parametrize(
    ("terminal", "yes", "typed", "expected"),
    [(False, False, "", True), (True, True, "", True), (True, False, "n\n", False), (True, False, "y\n", True)],
)
def test_a_person_at_a_terminal_is_asked(tmp_path: Path, terminal: bool, yes: bool, typed: str, expected: bool) -> None:
    console = Console(file=StringIO(), force_terminal=terminal, width=100)
    answer = confirmed(console, ESTIMATES, PICO_PER_USD, yes=yes, stream=StringIO(typed))
    assert expected is answer


def test_nobody_is_asked_where_nothing_is_to_be_paid() -> None:
    console = Console(file=StringIO(), force_terminal=True)
    assert confirmed(console, [Estimate(suite="s", tier="t", known=4)], 0, yes=False, stream=StringIO("n\n"))
    assert "" == printed(console)


@pytest.mark.parametrize(
    ("terminal", "quiet", "speaks"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_the_bar_is_for_terminals(terminal: bool, quiet: bool, speaks: bool) -> None:
    purse = Purse(4 * PICO_PER_USD)
    purse.spent_pico = PICO_PER_USD
    console = Console(file=StringIO(), force_terminal=terminal, width=140)
    with Shown(console, [purse], quiet=quiet) as bar:
        bar.case(known=False)  # before anything has begun: nothing to show it on
        bar.begin("sums on haiku, look 1 of 5", 4)
        bar.say("waiting for the batch")
        bar.begin("sums on opus, look 2 of 5", 3)
        bar.case(known=True)
        bar.case(known=False)
    told = printed(console)
    assert speaks is bool(told)
    for words in ("opus, look 2 of 5", "1 known", "$1.00 of $4.00", "waiting for the batch", "2/3"):
        assert speaks is (words in told)


def test_a_run_is_named_by_how_it_begins_where_only_one_begins_so(tmp_path: Path) -> None:
    for run_id in ("run_ab12", "run_ab34", "run_c"):
        keep(tmp_path, run(run_id))
    assert "run_ab34" == load(tmp_path, "run_ab3").run_id
    with pytest.raises(NoRun, match="several runs begin with run_ab: run_ab34, run_ab12; say more of it"):
        load(tmp_path, "run_ab")


def test_the_newest_runs_are_named_where_there_is_no_such_run(tmp_path: Path) -> None:
    for at_ms, run_id in enumerate(("run_z", "run_y", "run_x", "run_w", "run_v", "run_a")):
        keep(tmp_path, run(run_id, at_ms))
    with pytest.raises(NoRun, match=r"are: run_a, run_v, run_w, run_x, run_y$"):
        load(tmp_path, "run_9")


def test_a_comparison_is_never_the_latest(tmp_path: Path) -> None:
    keep(tmp_path, run("run_1", 1))
    keep(tmp_path, replace(run("run_2", 2), findings=()))
    assert "run_1" == load(tmp_path).run_id


def test_a_torn_run_is_in_nobody_elses_way(tmp_path: Path) -> None:
    keep(tmp_path, run("run_2")).write_bytes(b'{"run_id": "ru')
    keep(tmp_path, run("run_1"))
    assert run("run_1") == load(tmp_path, "run_1")
