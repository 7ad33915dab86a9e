"""A job that CI ends, with SIGTERM or a Ctrl-C: what is on its way is waited for, and nothing is lost or paid twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from router.standin import StandIn
from tests.processes import ROOT

from .scene import upstream

pytestmark = pytest.mark.anyio

SUITE = """task: classify
template: |
  What is {input}?
grader: {kind: number}
bar: 0.5
budget_usd: 5
max_tokens: 300
tiers: [haiku]
"""
CASES, AFTER = 60, 6


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "evals", "run", "--suites", str(folder / "suites"), "--at-once", "3", "--json"]


def environment(standin: StandIn, folder: Path) -> dict[str, str]:
    own = {"ANTHROPIC_BASE_URL": standin.url, "ANTHROPIC_API_KEY": "made-up", "TIERWISE_DATA_DIR": str(folder / "data")}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


async def started(standin: StandIn, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(folder),
        cwd=folder,
        env=environment(standin, folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_ends_it_gently_loses_nothing(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "suites" / "sums"
    folder.mkdir(parents=True)
    (folder / "suite.yaml").write_text(SUITE)
    cases = ({"id": f"s-{one}", "input": f"{one} + {one}", "expected": 2 * one} for one in range(CASES))
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    async with upstream(latency_s=0.2) as standin:
        run = await started(standin, tmp_path)
        while standin.bill().attempts < AFTER:  # noqa: ASYNC110 - the stand-in tells nobody
            await asyncio.sleep(0.01)
        run.send_signal(number)
        out, told = await run.communicate()
        kept = len(list((tmp_path / "data" / "evals" / "answers").glob("*/*.json")))
        assert (1, kept) == (run.returncode, standin.bill().attempts)
        assert {"error": "interrupted; nothing is lost: run it again to go on"} == json.loads(out)
        assert b"Traceback" not in told
        assert [] == list((tmp_path / "data" / "evals" / "in-flight").iterdir())
