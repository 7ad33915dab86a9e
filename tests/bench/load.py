"""Load: one closed loop a connection, by wrk where it is installed, else by the few lines of asyncio below.

Rule: a window counts every failure (a socket error, a status other than 200, a shortened answer) and hides none.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Target:
    """What is asked, again and again."""

    url: str
    body: str


@dataclass(frozen=True)
class Window:
    """What one stretch of load came to."""

    requests: int
    seconds: float
    bytes: int
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def driver() -> str:
    return "wrk" if shutil.which("wrk") else "asyncio"


def drive(target: Target, connections: int, seconds: int) -> Window:
    """Asks as fast as the connections allow, each waiting for its answer."""
    if driver() == "wrk":
        return with_wrk(target, connections, seconds, program="wrk")
    return asyncio.run(with_asyncio(target, connections, seconds))


def with_wrk(target: Target, connections: int, seconds: int, program: str) -> Window:
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), target.url]
    run = subprocess.run(
        command, env={**os.environ, "BENCH_BODY": target.body}, capture_output=True, text=True, check=True
    )
    return Window(**json.loads(run.stdout.splitlines()[-1]))


async def with_asyncio(target: Target, connections: int, seconds: float) -> Window:
    """The same load without wrk: slower itself, so its figures are not those of docs/performance.md."""
    began = time.monotonic()
    runs = await asyncio.gather(*(_ask_until(target, began + seconds) for _ in range(connections)))
    waited = sorted(wait for run in runs for wait in run.waited_s)
    if not waited:
        return Window(0, seconds, 0, sum(run.failed for run in runs), 0, 0)
    return Window(
        requests=len(waited),
        seconds=time.monotonic() - began,
        bytes=sum(run.bytes for run in runs),
        failed=sum(run.failed for run in runs),
        p50_ms=waited[len(waited) // 2] * 1000,
        p99_ms=waited[len(waited) * 99 // 100] * 1000,
    )


class _Run:
    """What one connection has seen."""

    def __init__(self) -> None:
        self.waited_s: list[float] = []
        self.bytes = 0
        self.failed = 0


async def _ask_until(target: Target, end: float) -> _Run:
    run = _Run()
    while time.monotonic() < end:
        try:
            await _one_connection(target, end, run)
        except (OSError, EOFError, ValueError, LookupError):
            run.failed += 1
    return run


async def _one_connection(target: Target, end: float, run: _Run) -> None:
    address = urlsplit(target.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = (
        f"POST {address.path} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
        "x-api-key: bench\r\nanthropic-version: 2023-06-01\r\ncontent-length: "
    )
    try:
        while time.monotonic() < end:
            began = time.monotonic()
            # Each request is another one: equal requests at the same time would share a call.
            body = f'{target.body[:-1]}, "metadata": {{"user_id": "{id(run)}-{len(run.waited_s)}-{run.failed}"}}}}'
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            status, length = await _read_answer(reader)
            run.waited_s.append(time.monotonic() - began)
            run.bytes += length
            run.failed += status != 200
    finally:
        writer.close()
        await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, int]:
    """The status and the size of one answer. Raises when it is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").lower().split("\r\n")
    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    size = len(head)
    if headers.get("transfer-encoding") == "chunked":
        size += await _read_chunks(reader)
    else:
        size += len(await reader.readexactly(int(headers["content-length"])))
    return int(first.split()[1]), size


async def _read_chunks(reader: asyncio.StreamReader) -> int:
    total = 0
    while True:
        line = await reader.readline()
        chunk = await reader.readexactly(int(line, 16) + 2)
        total += len(line) + len(chunk)
        if len(chunk) == 2:
            return total
