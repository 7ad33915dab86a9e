"""The bench of faults is honest: it judges answers word for word, counts every call, and prints every figure."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from router.standin.faults import Fault
from tests.bench.faults import rival
from tests.bench.faults.client import Client, open_loop
from tests.bench.faults.figures import Asked, Calls, Figures, figures, opened
from tests.bench.faults.judge import Raw, Verdict, judge
from tests.bench.faults.questions import Question
from tests.bench.faults.scenarios import QUICK, SCENARIOS, Load, Scenario
from tests.bench.faults.systems import policy

ROOT = Path(__file__).parent.parent.parent
SSE = {"content-type": "text/event-stream"}
ASKED = Question(1)
OUTAGE = SCENARIOS[0]


def event(name: str, **more: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n".encode()


def start(message_id: str = "msg_1", model: str = "claude-haiku-5-5") -> bytes:
    return event("message_start", message={"id": message_id, "model": model})


def says(text: str) -> bytes:
    return event("content_block_delta", delta={"type": "text_delta", "text": text})


def streamed(*pieces: bytes, ended: str = "clean") -> Raw:
    return msgspec.convert({"status": 200, "headers": SSE, "body": b"".join(pieces), "ended": ended}, Raw)


def message(text: str, **more: object) -> Raw:
    fields = {"type": "message", "id": "msg_1", "model": "m", "content": [{"type": "text", "text": text}]}
    return Raw(200, {}, json.dumps({**fields, **more}).encode(), "clean")


STOP = event("message_stop")
ERROR = event("error", error={"type": "api_error", "message": "cut"})
HALF = ASKED.answer[:40]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (streamed(start(), says(HALF), says(ASKED.answer[40:]), STOP), "whole"),
        (streamed(start(), says(ASKED.answer), STOP, ended="broken"), "whole"),
        (streamed(start(), says(HALF), STOP), "passed_off"),
        (streamed(start(), says(HALF), start(), says(ASKED.answer[40:]), STOP), "passed_off"),
        (streamed(start(), says(HALF), says(ASKED.answer), STOP), "passed_off"),
        (streamed(start(), says(HALF)), "silent"),
        (streamed(start(), says(HALF), ended="broken"), "error"),
        (streamed(start(), says(HALF), ERROR), "error"),
        (streamed(start(), says(ASKED.answer), STOP, ERROR), "error"),
        (streamed(start(), says(HALF), b'event: content_block_delta\ndata: {"ty\n\n', STOP), "error"),
        (streamed(b""), "silent"),
    ],
)
def test_a_stream_is_whole_only_word_for_word_and_to_its_end(raw: Raw, kind: str) -> None:
    assert kind == judge(raw, ASKED.answer, stream=True).kind


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (message(ASKED.answer), "whole"),
        (message(HALF), "passed_off"),
        (message("We could not answer.", router={"served_by": "canned"}), "whole"),
        (message("We could not answer.", model="router/canned"), "whole"),
        (message(HALF, router={"served_by": "stale"}), "passed_off"),
        (Raw(200, {}, b'{"type":"mess', "broken"), "error"),
        (Raw(200, {}, b"<html>", "clean"), "error"),
        (Raw(200, {}, b'{"type":"error"}', "clean"), "error"),
        (Raw(529, {}, b"{}", "clean"), "error"),
        (Raw(0, {}, b"", "refused"), "error"),
    ],
)
def test_a_plain_answer_is_whole_only_word_for_word_or_when_it_says_that_it_is_canned(raw: Raw, kind: str) -> None:
    assert kind == judge(raw, ASKED.answer, stream=False).kind


def test_who_served_is_what_the_receipt_or_the_headers_say() -> None:
    receipt = event("router", served_by="stale")
    by_receipt = judge(streamed(start(), says(ASKED.answer), STOP, receipt), ASKED.answer, stream=True)
    by_header = judge(
        Raw(200, {"x-router-fallback": "stale"}, message(ASKED.answer).body, "clean"), ASKED.answer, False
    )
    unsaid = judge(message(ASKED.answer), ASKED.answer, stream=False)
    assert ("stale", "stale", "") == (by_receipt.served_by, by_header.served_by, unsaid.served_by)


async def asked_of(reply: bytes, ask: Callable[[Client], Awaitable[None]]) -> None:
    """A server that gives this reply to every request and then closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(reply)
            await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", timeout_s=5)
        await ask(client)
        client.close()


def chunked(body: bytes, *, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body) + end


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (chunked(start() + says(ASKED.answer) + STOP), "whole"),
        (chunked(start() + says(HALF) + STOP), "passed_off"),
        (chunked(start() + says(HALF)), "silent"),
        (chunked(start() + says(HALF), end=b""), "error"),
        (b"", "error"),
    ],
)
async def test_over_a_socket_a_fake_that_passes_off_a_cut_stream_is_found_out(reply: bytes, kind: str) -> None:
    found: list[Verdict] = []

    async def ask(client: Client) -> None:
        found.append(judge(await client.post("/", b"{}"), ASKED.answer, stream=True))

    await asked_of(reply, ask)
    assert [kind] == [verdict.kind for verdict in found]


@pytest.mark.anyio
async def test_a_kept_connection_that_was_closed_is_no_error_of_the_system() -> None:
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    found: list[Raw] = []

    async def ask(client: Client) -> None:
        found.extend([await client.post("/", b"{}"), await client.post("/", b"{}")])

    await asked_of(reply, ask)
    assert [(200, b"{}", "clean")] * 2 == [(raw.status, raw.body, raw.ended) for raw in found]


@pytest.mark.anyio
async def test_nobody_listening_is_refused_and_a_wait_counts_from_when_it_was_due() -> None:
    found: list[tuple[str, float]] = []
    client = Client("http://127.0.0.1:9", timeout_s=5)

    async def ask(_index: int, due: float) -> None:
        found.append(((await client.post("/", b"{}")).ended, due))

    await open_loop(3, 1000.0, ask)
    first = found[0][1]
    assert [("refused", 0), ("refused", 1), ("refused", 2)] == [(how, round(1000 * (at - first))) for how, at in found]


def one(due_s: float, kind: str = "whole", waited_s: float = 0.01, served_by: str = "model") -> Asked:
    verdict = msgspec.convert({"kind": kind, "served_by": served_by, "why": kind}, Verdict)
    return Asked(due_s, 0.0, waited_s, ASKED, verdict)


def test_figures_count_every_request_and_call_late_what_is_late() -> None:
    asked = [one(0), one(1, served_by="stale"), one(2, waited_s=99), one(3, "passed_off"), one(4, "silent")]
    found = figures(asked, Calls(((0.0, 0), (3.0, 9)), until_s=3.0), Load(rate=1, seconds=5))
    assert (0.4, 0.2, 1, 2) == (found.answered_share, found.by_model_share, found.late, found.errors)
    assert (1, 1, 3.0) == (found.passed_off, found.silent, found.calls_per_request)
    assert (10.0, 99_000.0) == (found.p50_ms, found.max_ms)


def test_a_breaker_opened_when_calls_became_few_and_stayed_few() -> None:
    asked = [one(second + part / 20) for second in range(5) for part in range(20)]
    stays = Calls(((0.0, 0), (1.0, 60), (2.0, 90), (3.0, 90), (4.0, 91), (5.0, 91)), until_s=5.0)
    returns = Calls(((0.0, 0), (1.0, 0), (2.0, 0), (3.0, 60), (4.0, 120), (5.0, 180)), until_s=5.0)
    cached = [one(number / 20, served_by="cache") for number in range(100)]
    assert (2.0, None, None) == (opened(asked, stays), opened(asked, returns), opened(cached, stays))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_script_is_one_that_the_standin_takes_and_a_seed_repeats_it(scenario: Scenario) -> None:
    scripts = [scenario.faults(random.Random(7), Load()) for _ in range(2)]
    assert scripts[0] == scripts[1]
    assert len(scripts[0]) == len(msgspec.convert(scripts[0], list[Fault])) > 0


def test_both_systems_get_the_same_patience_and_the_same_ladder() -> None:
    ours, theirs = policy(OUTAGE, QUICK, attempts=3), rival.configuration(OUTAGE, QUICK, "http://127.0.0.1:1")
    for model in rival.MODELS.values():
        assert (True, True) == (model in ours, model in theirs)
    assert f"first_byte_s: {QUICK.first_byte_s}" in ours
    assert f"stream_timeout: {QUICK.first_byte_s}" in theirs
    assert ("stale_s: 3600" in ours, "cache: true" in theirs) == (True, True)
    assert rival.VERSION not in ("1.82.7", "1.82.8")


@pytest.mark.timeout(300)
def test_a_quick_run_over_real_sockets_prints_every_figure_and_nothing_was_passed_off() -> None:
    command = [sys.executable, "-m", "tests.bench.faults", "--quick", "--without-litellm", "--only", "outage,cut"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (run.returncode, run.stderr)
    report = json.loads(run.stdout.splitlines()[-1])
    assert ["calm", "outage", "cut"] == list(report["scenarios"])
    names = {field.name for field in fields(Figures)}
    for systems in report["scenarios"].values():
        found = systems["tierwise"]
        assert names == set(found)
        assert (QUICK.requests, 0, 0) == (found["requests"], found["passed_off"], found["silent"])
    calm, outage, cut = (report["scenarios"][name]["tierwise"] for name in ("calm", "outage", "cut"))
    assert (1.0, 1.0, 0) == (calm["by_model_share"], calm["calls_per_request"], calm["errors"])
    assert (0, True) == (outage["served_by"]["model"], outage["calls_per_request"] > 0)
    assert 0 < cut["calls_per_request"] < 3
