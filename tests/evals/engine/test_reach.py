"""How far a failure reaches: where nobody answers all suites end, where a question is refused only its own does."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.measuring import Measuring
from evals.runs import keep
from evals.vocabulary import Claim
from router.clock import SystemClock
from router.standin import Fault

from .scene import desk_at, suite, upstream

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("status", "measured"), [(401, ["one"]), (400, ["one", "other"])])
async def test_a_refused_question_ends_its_suite_and_a_refused_key_the_run(
    tmp_path: Path, status: int, measured: list[str]
) -> None:
    easy = Claim(kind="bar", value=0.5)
    one, other = (suite(20, name=name, system=name, claim=easy, tiers=("haiku",)) for name in ("one", "other"))
    async with upstream() as standin, desk_at(standin, tmp_path, one, other) as desk:
        standin.faults.add(Fault(kind="status", status=status, count=1))
        measuring = Measuring(desk, SystemClock(), lambda run: keep(tmp_path, run))
        run = await measuring.verdicts(measuring.plan((one, other)))
    assert measured == [finding.suite for finding in run.findings]
    assert run.stopped.startswith("one: 1 call failed, after ")
    assert "other" not in run.stopped
