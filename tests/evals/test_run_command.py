"""`tierwise eval run` as its most impatient user calls it: what is wrong is said at once, to machines too."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evals.__main__ import evals

SUITE = """task: classify
template: |
  What is {input}?
grader: {kind: number}
bar: 0.6
budget_usd: 5
max_tokens: 512
tiers: [haiku, opus]
"""
CASES = 24


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Neither the checkout's .env nor its data are looked at; one suite of sums is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERWISE_DATA_DIR", str(tmp_path / "new" / "data"))
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "TIERWISE_POLICY"):
        monkeypatch.delenv(name, raising=False)
    write(cases=[{"id": f"s-{number}", "input": f"{number} + 1", "expected": number + 1} for number in range(CASES)])
    return tmp_path


def write(text: str = SUITE, cases: list[dict[str, Any]] | None = None) -> None:
    folder = Path("suites") / "sums"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.yaml").write_text(text, encoding="utf-8")
    if cases is not None:
        (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")


def read() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path("suites") / "sums" / "cases.jsonl").read_text().splitlines()]


def called(*words: str) -> Result:
    return CliRunner().invoke(evals, words)


def rehearsed(*words: str) -> Result:
    return called("run", "--suites", "suites", "--rehearse", "--json", *words)


def data(result: Result) -> dict[str, Any]:
    """What a machine reads: one object, and nothing else."""
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("run", "nosuch", "--suites", "suites"), 2, "there is no suite `nosuch`"),
        (("run", "--suites", "nowhere"), 2, "there is no folder nowhere"),
        (("run", "--suites", "suites"), 2, "nobody can be asked: set ANTHROPIC_API_KEY"),
        (("run", "--suites", "suites", "--max-usd", "nan"), 2, "--max-usd takes an amount such as 2.50, not nan"),
        (("run", "--suites", "suites", "--max-usd", "-1"), 2, "--max-usd takes an amount such as 2.50, not -1"),
        (("run", "--suites", "suites", "--max-usd", "0"), 2, "--max-usd takes an amount such as 2.50, not 0"),
        (("run", "--suites", "suites", "--baseline", "run_9"), 2, "there is no run run_9; the newest of"),
        (("run", "--suites", "suites", "--rehearse", "--policy", "no.yaml"), 2, "no.yaml: cannot be read"),
        (("run", "--at-once", "0"), 2, "Invalid value for '--at-once'"),
        (("list", "--suites", "nowhere"), 2, "there is no folder nowhere"),
        (("show",), 1, "no run with verdicts is kept in"),
        (("pick", "run_9"), 1, "there is no run run_9"),
        (("sample",), 1, "no prompts were kept in"),
        (("runn",), 2, "No such command 'runn'"),
    ],
)
def test_what_is_wrong_is_one_object_for_a_machine_and_words_for_a_person(
    words: tuple[str, ...], code: int, told: str
) -> None:
    plain, machine = called(*words), called(*words, "--json")
    assert (code, "") == (plain.exit_code, plain.stdout)
    assert told in plain.stderr
    assert code == machine.exit_code
    assert ["error"] == list(data(machine))
    assert told in data(machine)["error"]


def no_expected() -> None:
    cases = read()
    del cases[4]["expected"]
    write(cases=cases)


def one_id_twice() -> None:
    write(cases=[*read(), read()[3]])


def unknown_field() -> None:
    write(SUITE.replace("{input}", "{question}"))


def no_cases() -> None:
    write(cases=[])


def too_few_for_a_look() -> None:
    write(SUITE.replace("budget_usd: 5", "budget_usd: 0.001"))


def no_such_tier() -> None:
    write(SUITE.replace("haiku, opus", "haiku, gold"))


def one_tier_and_a_margin() -> None:
    write(SUITE.replace("bar: 0.6", "margin: 0.2").replace("haiku, opus", "opus"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (no_expected, "suites/sums/cases.jsonl:5:1: lacks the key `expected`"),
        (one_id_twice, "suites/sums/cases.jsonl:25:2: the id `s-3` is already on line 4"),
        (unknown_field, "suites/sums/suite.yaml:3:11: no case has the field `question`"),
        (no_cases, "suites/sums/cases.jsonl: has no cases"),
        (too_few_for_a_look, "sums: one look, 5 cases on opus, needs about"),
        (no_such_tier, "suites/sums/suite.yaml: tiers: the policy has no tier gold; it has: haiku"),
        (one_tier_and_a_margin, "sums: a margin holds a tier against the top one, and it is asked of opus alone"),
    ],
)
def test_a_suite_that_cannot_be_measured_is_refused_before_anything_is_asked(
    wrong: Callable[[], None], told: str
) -> None:
    wrong()
    result = rehearsed()
    assert 2 == result.exit_code
    assert told in data(result)["error"]
    assert [] == list(Path("new").rglob("answers/*/*.json"))


def test_a_folder_without_suites_is_no_run() -> None:
    Path("empty").mkdir()
    result = called("run", "--suites", "empty", "--rehearse")
    assert (2, "there are no suites in empty") == (result.exit_code, result.stderr.partition(";")[0])
    assert not list(Path("new").rglob("runs/*"))


def test_a_run_ends_in_its_verdict_and_a_comparison_does_not_take_its_place() -> None:
    run = data(rehearsed())
    assert (True, "", ["sums"]) == (run["finished"], run["stopped"], [one["suite"] for one in run["findings"]])
    held = rehearsed("--baseline", "latest")
    assert (0, []) == (held.exit_code, data(held)["changes"])
    assert "nothing was measured" in data(held)["compared"][0]["words"]
    assert run["run_id"] == data(called("show", "--json"))["run_id"]
    assert run["run_id"] == data(called("show", run["run_id"][:12], "--json"))["run_id"]
    assert "No verdicts: it was held against a baseline" in called("show", data(held)["run_id"]).output


def test_a_suite_that_changed_is_named_beside_what_is_compared() -> None:
    assert 0 == rehearsed().exit_code
    write(SUITE.replace("What is", "How much is"))
    held = data(rehearsed("--baseline", "latest"))
    assert ["sums: changed since that run: a difference may be the suite's doing"] == held["changes"]
    assert all(one["known"] == 0 for one in held["compared"])


def test_cases_under_other_ids_are_nothing_to_compare() -> None:
    run = data(rehearsed())["run_id"]
    write(cases=[{**case, "id": f"other-{case['id']}"} for case in read()])
    result = rehearsed("--baseline", run)
    assert (2, f"{run} asked none of the cases that sums now have") == (
        result.exit_code,
        data(result)["error"].partition(":")[0],
    )


def test_a_rehearsal_is_held_against_a_rehearsal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    run = data(rehearsed())["run_id"]
    monkeypatch.setenv("ANTHROPIC_API_KEY", "made-up")
    for word, told in ((run, f"{run} was a rehearsal, and this is the other"), ("latest", "there is no run that came")):
        result = called("run", "--suites", "suites", "--baseline", word, "--json")
        assert 2 == result.exit_code
        assert told in data(result)["error"]


def test_nobody_else_may_read_what_is_kept() -> None:
    assert 0 == rehearsed().exit_code
    kept = list(Path("new").rglob("*"))
    assert any(path.suffix == ".eval" for path in kept)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in kept if path.is_file()}
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode) for path in (Path("new"), *kept) if path.is_dir()}


def test_the_eval_engine_leaves_asyncio_as_it_was() -> None:
    before = (asyncio.run, asyncio.Task, asyncio.Future)
    assert 0 == rehearsed().exit_code
    assert before == (asyncio.run, asyncio.Task, asyncio.Future)
    assert not hasattr(asyncio, "_nest_patched")
