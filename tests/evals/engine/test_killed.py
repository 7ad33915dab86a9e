"""kill -9 in the middle of a run: what was answered is known, and only what was in flight may be paid twice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from router.ledger.report import rows
from tests.processes import ROOT

from .scene import desk_at, suite, upstream

pytestmark = pytest.mark.anyio

CASES, CONCURRENCY, KILL_AFTER = 32, 4, 13


async def begun_and_killed(url: str, data: Path, paid: asyncio.Task[None]) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.evals.engine.child", url, str(data), str(CASES),
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    ended = asyncio.ensure_future(child.wait())
    await asyncio.wait({ended, paid}, return_when=asyncio.FIRST_COMPLETED)
    assert not ended.done(), "it ended before it could be killed"
    os.kill(child.pid, signal.SIGKILL)
    await ended


async def test_after_a_kill_each_case_is_paid_once_apart_from_those_in_flight(tmp_path: Path) -> None:
    sums = suite(CASES)
    async with upstream(latency_s=0.05) as standin:

        async def enough_is_paid() -> None:
            while standin.bill().attempts < KILL_AFTER:  # noqa: ASYNC110 - the stand-in tells nobody
                await asyncio.sleep(0.005)

        await begun_and_killed(standin.url, tmp_path, asyncio.ensure_future(enough_is_paid()))
        answered = len(list((tmp_path / "evals" / "answers").glob("*/*.json")))
        paid_before = standin.bill().attempts
        async with desk_at(standin, tmp_path, sums, concurrency=CONCURRENCY) as desk:
            [note] = desk.notes
            tried = await desk.engine.run(sums, "haiku", sums.cases)
        prompts = Counter(
            msgspec.json.encode(msgspec.json.decode(one.body)["messages"])
            for one in standin.seen.requests
            if one.path == "/v1/messages"
        )
    in_flight = int(note.partition(" ")[0])
    assert re.match(r"\d+ calls? (was|were) in flight when the last run ended: at most \$0\.\d+ were paid", note)
    assert CASES == len(tried) == len(prompts)
    assert {1, 2} >= set(prompts.values())
    twice = sum(count == 2 for count in prompts.values())
    assert twice <= in_flight <= CONCURRENCY
    assert paid_before - answered <= in_flight
    assert CASES == len(list((tmp_path / "evals" / "answers").glob("*/*.json")))
    assert CASES + twice == standin.bill().attempts
    books = rows(tmp_path / "evals" / "books")
    assert CASES + twice <= len(books) <= CASES + in_flight
    assert {"settled", "unknown"} >= {row.billed for row in books}
    assert sum(row.cost_pico for row in books) >= standin.bill().cost_pico
