"""The bench tells the truth: it counts failures, voids what is not whole, and prints every figure."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.bench.legs import LEGS
from tests.bench.load import Target, Window, with_asyncio, with_wrk
from tests.bench.measure import TRIES, Figures, Void, _clean, is_whole
from tests.bench.process import Server

ROOT = Path(__file__).parent.parent.parent
WHOLE = Window(requests=100, seconds=2.0, bytes=100_000, failed=0, p50_ms=1.0, p99_ms=2.0)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
FAILED = b"HTTP/1.1 529 Overloaded\r\ncontent-length: 2\r\n\r\n{}"


async def answered(reply: bytes, ask: Callable[[Target], Awaitable[Window]]) -> Window:
    """What a driver makes of a server that gives this reply to everything. No two requests are the same."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = re.search(rb"(?i)content-length: ([0-9]+)", head)
                assert size is not None, "a request says how long it is"
                seen.append(await reader.readexactly(int(size[1])))
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        window = await ask(Target(f"http://127.0.0.1:{port}/v1/messages", '{"a": 1}'))
    assert len(seen) == len(set(seen)), "equal requests at the same time would share a call"
    assert all(json.loads(body)["a"] == 1 for body in seen)
    return window


@pytest.mark.anyio
@pytest.mark.parametrize("reply", [OK, CHUNKED])
async def test_the_own_driver_counts_answers_and_their_bytes(reply: bytes) -> None:
    window = await answered(reply, lambda target: with_asyncio(target, 2, 0.05))
    assert (0, True) == (window.failed, window.requests > 2)
    assert window.requests * len(reply) == window.bytes


@pytest.mark.anyio
async def test_the_own_driver_counts_a_status_that_is_no_success() -> None:
    window = await answered(FAILED, lambda target: with_asyncio(target, 2, 0.05))
    assert window.requests == window.failed


@pytest.mark.anyio
async def test_the_own_driver_counts_an_answer_that_is_cut() -> None:
    window = await answered(b"HTTP/1.1 200 OK\r\n\r\n", lambda target: with_asyncio(target, 1, 0.05))
    assert (0, True) == (window.requests, window.failed > 0)


@pytest.mark.anyio
async def test_a_window_without_an_answer_is_no_division_by_zero() -> None:
    nobody = Target("http://127.0.0.1:9/v1/messages", "{}")
    window = await with_asyncio(nobody, 1, 0.02)
    assert (0, True, 0.0) == (window.requests, window.failed > 0, window.per_s)


def test_the_report_of_wrk_becomes_a_window(tmp_path: Path) -> None:
    """wrk itself runs in the quick bench; here its last line is read, whatever stands before it."""
    wrk = tmp_path / "wrk"
    line = '{"requests": 100, "seconds": 2.0, "bytes": 100000, "failed": 0, "p50_ms": 1.0, "p99_ms": 2.0}'
    wrk.write_text(f"#!/bin/sh\necho Running 2s test\necho '{line}'\n", encoding="utf-8")
    wrk.chmod(0o755)
    assert WHOLE == with_wrk(Target("http://127.0.0.1:9/", "{}"), 16, 2, program=str(wrk))


@pytest.mark.parametrize("window", [replace(WHOLE, failed=1), replace(WHOLE, requests=0), replace(WHOLE, bytes=50_000)])
def test_a_failure_an_empty_window_and_short_answers_void_it(window: Window) -> None:
    assert (True, False) == (is_whole(WHOLE, 1000), is_whole(window, 1000))


def test_a_void_window_is_repeated_and_counted() -> None:
    windows = iter([replace(WHOLE, failed=3), WHOLE])
    assert (WHOLE, 1) == _clean(lambda: next(windows), 1000)


def test_windows_that_stay_void_are_an_error_and_no_figure() -> None:
    runs: list[Window] = []

    def failing() -> Window:
        runs.append(replace(WHOLE, failed=3))
        return runs[-1]

    with pytest.raises(Void, match="failed requests"):
        _clean(failing, 1000)
    assert TRIES == len(runs)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads what the Linux kernel counts")
def test_processor_time_and_memory_are_those_of_the_whole_family() -> None:
    burn = "sum(range(3_000_000))"
    script = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', '{burn}; input()'], stdin=0); {burn}"
    shell = [sys.executable, "-c", script + "; print('ready', flush=True); p.wait()"]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        server = Server(process, 0)
        cpu_s, peak_mib = server.cpu_s(), server.peak_mib()
        process.communicate(b"\n")
    assert cpu_s is not None
    assert peak_mib is not None
    assert (True, True) == (cpu_s > 0.02, peak_mib > 10)


@pytest.mark.timeout(300)
def test_a_quick_bench_prints_every_figure_and_no_request_failed() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, "") == (run.returncode, run.stderr)
    report = json.loads(run.stdout.splitlines()[-1])
    assert [leg.name for leg in LEGS] == list(report["legs"])
    for figures in report["legs"].values():
        assert {field.name for field in fields(Figures)} == set(figures)
        assert figures["requests"] > 0
    assert {"plain_per_s_to_sdk", "routed_per_s_to_sdk", "routed_per_s_to_echo"} <= set(report["ratios"])


def test_the_replays_bench_counts_what_it_made_and_prints_one_json_object_last() -> None:
    command = [sys.executable, "-m", "tests.bench.replay", "--requests", "300", "--runs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (300, 1) == (told["requests"], len(told["runs"]))
    assert told["decisions_per_second"] > 0
