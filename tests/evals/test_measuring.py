"""One run over many suites, on made-up answers: what stops one suite, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evals.cli.opening import Making, opened
from evals.desk import Options
from evals.measuring import Measuring
from evals.runs import NoRun, all_runs, keep, latest_verdict
from evals.vocabulary import Claim, Run, Suite
from router.clock import SystemClock
from router.standin import running_standin
from router.vocabulary import PICO_PER_USD

from .engine.scene import Exactly, render, settings_for, suite, sums

EASY = Claim(kind="bar", value=0.5)
MAKING = Making(render=render, grader_of=Exactly)


async def measured(url: str, folder: Path, suites: tuple[Suite, ...], options: Options = Options()) -> Run:
    settings = settings_for(url, folder)
    async with opened(settings, options, suites, MAKING) as desk:
        measuring = Measuring(desk, SystemClock(), lambda run: keep(folder, run))
        return await measuring.verdicts(measuring.plan(suites))


def suite_named(name: str, budget_usd: float = 5.0) -> Suite:
    return suite(40, name=name, claim=EASY, budget_usd=budget_usd, tiers=("haiku", "sonnet"))


@pytest.mark.anyio
async def test_a_suite_that_runs_out_of_its_own_money_stops_no_other(tmp_path: Path) -> None:
    async with running_standin(clock=SystemClock(), script=sums) as standin:
        run = await measured(standin.url, tmp_path, (suite_named("poor", 0.016), suite_named("rich")))
    poor, rich = run.findings
    assert "haiku" == rich.winner != poor.winner  # how far it came hangs on which answers came first
    assert run.stopped.startswith("poor: the cap of")
    assert not run.finished


@pytest.mark.anyio
async def test_one_cap_for_all_ends_all(tmp_path: Path) -> None:
    options = Options(max_pico=PICO_PER_USD * 21 // 1000)
    async with running_standin(clock=SystemClock(), script=sums) as standin:
        run = await measured(standin.url, tmp_path, (suite_named("one"), suite_named("other")), options)
    assert ["one"] == [one.suite for one in run.findings]


@pytest.mark.anyio
async def test_a_run_is_kept_after_every_suite_and_only_a_whole_one_is_picked_from(tmp_path: Path) -> None:
    with pytest.raises(NoRun, match="came to its end"):
        latest_verdict(tmp_path)
    async with running_standin(clock=SystemClock(), script=sums) as standin:
        whole = await measured(standin.url, tmp_path, (suite_named("rich"),))
        other = msgspec.structs.replace(suite_named("poor", 0.016), system="Add them. Say the sum only.")
        poor = await measured(standin.url, tmp_path, (other,))
    assert {whole.run_id, poor.run_id} == {run.run_id for run in all_runs(tmp_path)}
    assert (whole.run_id, {"rich": "0" * 16}) == (latest_verdict(tmp_path).run_id, whole.suite_hashes)
    only_compared = msgspec.structs.replace(whole, run_id="later", at_ms=whole.at_ms + 1, findings=())
    keep(tmp_path, only_compared)
    assert whole.run_id == latest_verdict(tmp_path).run_id
