"""Batches: half the price, found again after a kill, and asked again where an item came to nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from evals.cli.opening import opened
from evals.desk import Options
from evals.pending import Folder
from router.ledger.report import rows
from tests.processes import ROOT

from .scene import MAKING, desk_at, settings_for, suite, upstream

pytestmark = pytest.mark.anyio

BATCHES = "/v1/messages/batches"


async def test_a_batch_costs_half_and_is_in_the_books(tmp_path: Path) -> None:
    sums = suite(10)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path / "live", sums) as desk:
            live = await desk.engine.run(sums, "haiku", sums.cases)
            whole_pico = desk.spent_pico
        standin.seen.clear()
        async with desk_at(standin, tmp_path / "batch", sums, batch=True) as desk:
            tried = await desk.engine.run(sums, "haiku", sums.cases)
            assert whole_pico == 2 * desk.spent_pico
            assert 2 * sum(one.answer.cost_pico for one in tried) == whole_pico
        bill = standin.bill()
        assert whole_pico + whole_pico // 2 == bill.cost_pico
        assert [one.answer.text for one in live] == [one.answer.text for one in tried]
        assert {(True, 0)} == {(one.answer.batch, one.answer.latency_ms) for one in tried}
        assert {one.answer.key for one in live} == {one.answer.key for one in tried}
        assert 0 == standin.seen.counts["/v1/messages"]
        assert 1 == sum(one.method == "POST" and one.path == BATCHES for one in standin.seen.requests)
    books = rows(tmp_path / "batch" / "evals" / "books")
    assert (10, whole_pico // 2) == (len(books), sum(row.cost_pico for row in books))
    assert {("batch", "settled", "haiku", "eval:sums")} == {
        (row.door, row.billed, row.tier, row.feature) for row in books
    }


async def test_what_is_known_goes_into_no_batch(tmp_path: Path) -> None:
    sums = suite(6)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, sums) as desk:
            await desk.engine.run(sums, "haiku", sums.cases[:4])
        for _ in range(2):
            async with desk_at(standin, tmp_path, sums, batch=True) as desk:
                await desk.engine.run(sums, "haiku", sums.cases)
        assert (6, 2) == (standin.bill().attempts, sum(row.batch for row in standin.bill().rows))


async def test_a_system_text_that_many_share_is_cached_in_a_batch_too(tmp_path: Path) -> None:
    sums = suite(10, system="Answer with the sum only, and check it once more. " * 60)
    async with upstream() as standin, desk_at(standin, tmp_path, sums, batch=True) as desk:
        tried = await desk.engine.run(sums, "haiku", sums.cases)
        assert [0] + [1] * 9 == sorted(int(one.answer.usage.cache_read_tokens > 0) for one in tried)
        assert standin.bill().cost_pico == desk.spent_pico


class Muffled:
    """Stands between a client and the stand-in. It keeps back the answer to the first creation of a batch."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.kept_back = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.ensure_future(self._answers(there, writer))
        try:
            while data := await reader.read(65_536):
                back.write(data)
        finally:
            answers.cancel()
            back.close()
            writer.close()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.kept_back.is_set():
            await there.readuntil(b"\r\n\r\n")
            self.kept_back.set()
            return
        while data := await there.read(65_536):
            writer.write(data)


async def test_a_batch_whose_name_was_lost_to_a_kill_is_found_and_not_paid_twice(tmp_path: Path) -> None:
    sums = suite(8)
    async with upstream() as standin:
        muffled = Muffled(int(standin.url.rpartition(":")[2]))
        async with await asyncio.start_server(muffled.serve, "127.0.0.1", 0) as between:
            url = f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}"
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.evals.engine.child", url, str(tmp_path), "8", "batch", cwd=ROOT
            )
            await asyncio.wait_for(muffled.kept_back.wait(), 60)
            os.kill(child.pid, signal.SIGKILL)
            await child.wait()
            [pending] = Folder(tmp_path / "evals" / "batches").all()
            assert ("", 8) == (pending.batch_id, len(pending.items))
            settings, options = settings_for(url, tmp_path), Options(quiet=True, batch=True)
            async with opened(settings, options, [sums], MAKING) as desk:
                assert 8 == len(await desk.engine.run(sums, "haiku", sums.cases))
        assert 8 == standin.bill().attempts
        assert 1 == sum(one.method == "POST" for one in standin.seen.requests)
    assert [] == Folder(tmp_path / "evals" / "batches").all()
