"""kill -9 under load, 200 times over: the ledger against the bill of the stand-in."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from router.clock import SystemClock
from router.ledger.books import Books
from router.ledger.report import rows

from .processes import ROOT, Process, free_port, standin

ROUNDS = 200
CALLERS = 6


@contextmanager
def zygote(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.zygote"]
    with (
        (folder / "zygote.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def forked(mother: subprocess.Popen[bytes], port: int, data: Path, upstream: str) -> int:
    assert mother.stdin is not None
    assert mother.stdout is not None
    mother.stdin.write(f"{port} {data} {upstream}\n".encode())
    mother.stdin.flush()
    return int(mother.stdout.readline())


async def call(port: int, number: int, dice: random.Random) -> None:
    """One request that may be cut off at any moment; what it gets back is of no interest here."""
    body = msgspec.json.encode(
        {
            "prompt": f"Tell me about number {number}. " * dice.randint(1, 20),
            "max_tokens": 300,
            "stream": dice.random() < 0.5,
            "model": dice.choice(["haiku", "sonnet", "auto"]),
            "metadata": {"user_id": f"caller-{number}"},
        }
    )
    head = f"POST /complete HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        await reader.read()
        writer.close()
    except OSError:
        await asyncio.sleep(0.005)


async def load_until_killed(port: int, pid: int, first: int, dice: random.Random) -> int:
    """Several callers at once; the service dies at a random moment once it has begun to answer."""
    sent = 0
    alive = True

    async def caller() -> None:
        nonlocal sent
        while alive:
            sent += 1
            await call(port, first + sent, dice)

    if not await listens(port, pid):
        return 0  # somebody else had taken the port meanwhile: the next round has another one
    callers = [asyncio.ensure_future(caller()) for _ in range(CALLERS)]
    await asyncio.sleep(dice.uniform(0.0, 0.15))
    os.kill(pid, signal.SIGKILL)
    alive = False
    await asyncio.gather(*callers)
    return sent


async def listens(port: int, pid: int) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ProcessLookupError:
            return False
        except OSError:
            await asyncio.sleep(0.005)
            continue
        writer.close()
        return True
    raise AssertionError("the service did not start")


def killed_many_times(folder: Path, upstream: Process, rounds: int) -> None:
    dice = random.Random(20261120)
    sent = 0
    with zygote(folder) as mother:
        for _ in range(rounds):
            port = free_port()
            pid = forked(mother, port, folder / "data", upstream.url)
            sent += asyncio.run(load_until_killed(port, pid, sent, dice))
    assert sent > rounds, "there was load in the rounds"


@pytest.mark.timeout(600)  # 200 starts of the service: minutes, on a busy machine
def test_two_hundred_kills_lose_no_cost_and_count_none_twice(tmp_path: Path) -> None:
    """Every call on the bill is in the ledger: settled at its very cost, or within an upper bound."""
    with standin(tmp_path, "--deltas", "6", "--delta-interval-ms", "5") as upstream:
        killed_many_times(tmp_path, upstream, ROUNDS)
        bill = msgspec.json.decode(upstream.get("/_standin/bill")[1])["rows"]
    books = Books(tmp_path / "data", SystemClock())
    books.start()  # what was left open becomes `unknown`, at its upper bound
    books.flush()
    books.close()
    ledger = rows(tmp_path / "data")

    billed = {row["request_id"]: row["cost_pico"] for row in bill}
    known = [row for row in ledger if row.upstream_request_id is not None and row.billed in ("settled", "estimated")]
    assert Counter(row.upstream_request_id for row in known).most_common(1)[0][1] == 1, "nothing is counted twice"
    settled = {row.upstream_request_id: row.cost_pico for row in known if row.billed == "settled"}
    assert settled == {request_id: billed[request_id] for request_id in settled}, "settled rows are the bill's"

    bounds = sorted(row.worst_pico for row in ledger if row.billed in ("unknown", "estimated"))
    unsettled = sorted(cost for request_id, cost in billed.items() if request_id not in settled)
    assert len(unsettled) <= len(bounds), "no call on the bill is missing from the books"
    assert sum(unsettled) <= sum(bounds), "what is not known is not underestimated"
    assert [row for row in ledger if row.billed == "intent"] == []
    assert len(settled) > ROUNDS, "most calls were answered: the test had something to lose"
