"""P8 to P10 of the matrix: a broken policy, a clock that jumps, and more callers than there is room for."""

from __future__ import annotations

import asyncio
import resource
import shutil
import struct
import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.clock import SystemClock
from router.ledger.history import audits
from router.ledger.report import rows
from router.standin import running_standin

from ..processes import service
from ..upstream.rawserver import JSON, Request, Wire, http, message
from .caller import Told, asked, line, post, prompt, until
from .street import CALM, SONNET, USUAL, Mother, fault, over, played, policy, scripted, written
from .test_process import Gate

pytestmark = pytest.mark.anyio

ADMIN = "the-key-of-the-admin"


def as_text(**changed: Any) -> bytes:
    return msgspec.json.encode(over(CALM, changed))


BROKEN: dict[str, bytes] = {
    "syntax": b"tiers: {haiku: [",
    "empty": b"",
    "cut": as_text()[:-20],
    "unknown_tier": as_text(default={"tier": "platinum"}),
    "unknown_model": as_text(tiers={"sonnet": {"model": "claude-sonnet-99"}}),
    "unknown_word": as_text(brekaer={"enabled": False}),
    "wrong_type": as_text(fallbacks={"attempts": "three"}),
    "out_of_bounds": as_text(fallbacks={"attempts": 0}),
    "cycle": b"extends: policy.yaml\n",
    "unsafe_tag": b"tiers: !!python/object/apply:os.system ['true']\n",
    "alias_bomb": b"a: &a [x, x, x]\nb: &b [*a, *a, *a]\ntiers: [*b, *b, *b]\n",
    "twice": as_text()[:-1] + b', "tiers": {}}',
    "not_utf8": b"tiers: {haiku: \xff}\n",
    "too_large": as_text() + b"\n" + b"# padding\n" * 120_000,
}


async def test_p8_a_broken_policy_changes_nothing_and_is_told(mother: Mother, tmp_path: Path) -> None:
    async with played(mother, tmp_path, CALM, TIERWISE_ADMIN_KEY=ADMIN) as street:
        before = await street.front.complete(prompt())
        for name, content in BROKEN.items():
            (tmp_path / "policy.yaml").write_bytes(content)
            told = await street.front.ask("/admin/reload", b"", x_api_key=ADMIN)
            assert told.status == 422, f"{name}: {told.json}"
            assert told.code == "router_policy"
            served = await street.front.complete(prompt())
            decided = [(one.router["policy"], one.router["model"], one.router["reason"]) for one in (before, served)]
            assert decided[0] == decided[1], name
        ready = await street.front.ready()
        assert (ready["status"], bool(ready["policy_files"])) == ("degraded", True)
        (tmp_path / "policy.yaml").write_bytes(as_text(default={"tier": "haiku"}))
        assert (await street.front.ask("/admin/reload", b"", x_api_key=ADMIN)).status == 200
        after = await street.front.complete({**prompt(), "model": "auto"})
        assert (after.router["tier"], after.router["policy"] != before.router["policy"]) == ("haiku", True)
        refused = [audit for audit in audits(street.front.data) if audit.action == "reload_failed"]
        assert len(refused) >= len(BROKEN)
    assert street.front.lines("alert"), "somebody is called"


# What the service calls to know the time of day; its monotonic clock is left as it is.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long long *ahead;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("AHEAD_FILE"), O_RDONLY);
    ahead = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME && ahead) now->tv_sec += *ahead;
    return result;
}
"""
DAY_S = 86_400


def shim(folder: Path) -> tuple[Path, Path]:
    """A library that moves a process's clock by what stands in a file, and that file."""
    compiler = shutil.which("cc")
    assert compiler is not None, "this test needs a C compiler, as `make setup` does"
    source, library, ahead = folder / "shim.c", folder / "shim.so", folder / "ahead"
    source.write_text(SHIM)
    ahead.write_bytes(struct.pack("q", 0))
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60)
    return library, ahead


def jump(ahead: Path, seconds: int) -> None:
    with ahead.open("r+b") as file:
        file.write(struct.pack("q", seconds))


async def test_p9_a_clock_that_jumps_by_a_day_changes_no_answer(tmp_path: Path) -> None:
    """The whole service as it is started by hand, with a clock that an operator sets wrong, and right again."""
    library, ahead = shim(tmp_path)
    file = written(tmp_path, over(USUAL, {"replies": {"ttl_s": 600}}))
    shifted = {"LD_PRELOAD": str(library), "AHEAD_FILE": str(ahead), "TIERWISE_POLICY": str(file)}
    told: list[Told] = []
    async with running_standin(clock=SystemClock(), keep_requests=True) as api:
        with service(tmp_path, api.url, **shifted) as front:
            for number, days in enumerate((0, 1, -1, 0)):
                api.faults.add(fault("stall", after_events=5, delay_s=0.3, match=f"Across {number}"))
                across = asyncio.ensure_future(post(front.port, "/complete", prompt(f"Across {number}", stream=True)))
                await until(lambda seen=2 * number: api.seen.counts["/v1/messages"] > seen)  # type: ignore[misc]
                jump(ahead, days * DAY_S)
                told += [await across, await post(front.port, "/complete", prompt(f"After {number}"))]
            kept = rows(tmp_path / "data")
    assert {one.status for one in told} == {200}
    assert all(b'"served_by":"model"' in one.body for one in told)
    assert (len(kept), {row.billed for row in kept}) == (len(told), {"settled"})
    spread = max(row.at_ms for row in kept) - min(row.at_ms for row in kept)
    assert spread > 2 * DAY_S * 1000 - 60_000, "the clock did jump"
    assert all(0 <= row.latency_ms < 60_000 for row in kept), "and no wait was measured by it"


@pytest.mark.parametrize("days", [-1, 1])
async def test_p9_an_api_whose_clock_is_a_day_off_holds_nobody_back(mother: Mother, tmp_path: Path, days: int) -> None:
    """Its bucket is nearly empty and full again in a minute: by its own `date`, and not by ours."""

    async def limited(wire: Wire, _request: Request) -> bool:
        now = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        told = {"limit": "600", "remaining": "1", "reset": (now + timedelta(seconds=60)).isoformat()}
        headers = [f"anthropic-ratelimit-requests-{name}: {value}" for name, value in told.items()]
        date = f"date: {format_datetime(now, usegmt=True)}"
        await wire.send(http(200, message(model=SONNET), JSON, date, *headers))
        return True

    async with scripted(mother, tmp_path, USUAL) as street:
        street.api.on(SONNET, limited)
        for number in range(5):
            told = await street.front.messages(asked(system=str(number)))
            assert (told.status, told.headers["x-router-model"]) == (200, SONNET)
        assert (await street.front.standing(SONNET))["left"]["requests"] <= 600


STREAMS = 990


async def test_p10_a_thousand_streams_and_a_clear_word_to_the_next(mother: Mother, tmp_path: Path) -> None:
    gate = Gate()
    patient = policy(limits={"idle_timeout_s": 60, "first_byte_s": 60})
    async with scripted(mother, tmp_path, patient, TIERWISE_MAX_IN_FLIGHT=str(STREAMS)) as street:
        street.api.on(SONNET, gate.play)
        streams = [
            asyncio.ensure_future(street.front.messages(asked(stream=True, metadata={"user_id": str(number)})))
            for number in range(STREAMS)
        ]
        await street.front.inside(lambda now: now == STREAMS)
        for door, fields in (("/v1/messages", asked()), ("/complete", prompt())):
            beyond = await street.front.ask(door, fields)
            assert (beyond.status, beyond.code, beyond.headers["x-should-retry"]) == (503, "router_overloaded", "true")
            assert 1 <= int(beyond.headers["retry-after"]) <= 5
            assert [row for row in rows(street.front.data) if row.request_id == beyond.request_id] == []
        await until(lambda: len(street.api.models) == STREAMS)
        gate.let.set()
        told = await asyncio.gather(*streams)
        assert {(one.status, one.names[-1]) for one in told} == {(200, "message_stop")}
        assert (await street.front.messages(asked())).status == 200
        assert await street.front.counter('tierwise_refusals_total{kind="router_overloaded"}') == 2


def count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


async def test_p10_without_descriptors_it_refuses_and_lives(mother: Mother, tmp_path: Path) -> None:
    async with played(mother, tmp_path, CALM) as street:
        assert (await street.front.messages(asked())).status == 200
        descriptors = Path(f"/proc/{street.front.pid}/fd")
        open_now = count(descriptors)
        resource.prlimit(street.front.pid, resource.RLIMIT_NOFILE, (open_now + 20, open_now + 20))
        async with AsyncExitStack() as stack:
            for _ in range(100):
                await stack.enter_async_context(line(street.front.port))
            await until(lambda: count(descriptors) >= open_now + 15)
        await until(lambda: count(descriptors) <= open_now + 5)
        told = [await street.front.messages(asked(system=str(number))) for number in range(3)]
        assert {one.status for one in told} == {200}
