"""A deploy begins no job, lets those that run come to an end, and so has none generated twice."""

from __future__ import annotations

import asyncio
import signal
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from router.clock import SystemClock
from router.deferring import Deferring
from router.ledger.jobs import StoredJobs
from router.ledger.jobs_sqlite import FILE
from router.vocabulary import Job, JobState

from .api.street import until
from .jobscene import CALLER, ask, scene
from .processes import Process, service, standin
from .rulebooks import default_rules

# Whoever asks is put off, and the job's own call takes its time.
FAULTS = [
    {"kind": "status", "status": 500, "match": "[later]", "count": 3},
    {"kind": "slow_head", "delay_s": 2, "match": "[later]"},
]
CLOCK = SystemClock()


@pytest.mark.anyio
async def test_a_service_that_drains_begins_nothing_and_ends_what_it_began(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        gate = asyncio.Event()
        it.script.append(gate)
        first = await it.deferring.defer(ask("First."), CALLER)
        async with it.running():
            await until(lambda: bool(it.asked))
            it.draining = True
            second = await it.deferring.defer(ask("Second."), CALLER)
            idle = asyncio.ensure_future(it.deferring.idle())
            for _ in range(50):
                await it.clock.sleep(1.0)
            assert (1, False) == (len(it.asked), idle.done())
            gate.set()
            await idle
            assert JobState.DONE is (await it.ends(first)).state
        found = await it.jobs.get(second.job_id, CALLER.tenant)
        assert found is not None
        assert (JobState.QUEUED, 0) == (found.state, found.tries)


class Late(StoredJobs):
    """The drain begins while the database is asked for jobs."""

    draining = False

    async def claim(self, owner: str, limit: int) -> list[Job]:
        found = await super().claim(owner, limit)
        self.draining = bool(found)
        return found


@pytest.mark.anyio
async def test_a_job_that_was_claimed_as_the_drain_began_goes_back_unasked(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        late = Late(it.database)
        it.deferring = Deferring(
            store=late,
            rules=default_rules,
            secret=lambda: "",
            clock=it.clock,
            events=it.events,
            draining=lambda: late.draining,
        )
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            await until(lambda: late.draining)
            found = await late.get(job.job_id, CALLER.tenant)
            while found is not None and found.state is JobState.RUNNING:
                found = await late.get(job.job_id, CALLER.tenant)
        assert found is not None
        assert (JobState.QUEUED, []) == (found.state, it.asked)


def put_off(front: Process) -> str:
    """A job whose every call is slow."""
    fields = {"prompt": "[later] Sum up.", "model": "claude-haiku-5-5", "router": {"fallback": "defer"}}
    status, told = front.post("/complete", fields)
    assert 202 == status, told
    return str(told["id"])


def status_of(front: Process, job_id: str) -> str:
    return str(msgspec.json.decode(front.get(f"/jobs/{job_id}")[1])["status"])


@pytest.mark.parametrize(
    ("drain_s", "signals", "ended"),
    [
        ("20", [signal.SIGTERM], "done"),
        ("0.1", [signal.SIGTERM], "queued"),
        ("300", [signal.SIGTERM, signal.SIGINT], "queued"),
    ],
)
def test_a_job_that_ends_within_the_drain_is_generated_once_and_a_second_signal_waits_for_none(
    tmp_path: Path, drain_s: str, signals: list[signal.Signals], ended: str
) -> None:
    with standin(tmp_path) as back:
        back.request("POST", "/_standin/faults", msgspec.json.encode(FAULTS))
        with service(tmp_path, back.url, TIERWISE_DRAIN_S=drain_s) as front:
            job_id = put_off(front)
            until_s = CLOCK.monotonic() + 20
            while status_of(front, job_id) != "running":
                assert CLOCK.monotonic() < until_s
            for number in signals:
                front.child.send_signal(number)
            assert 0 == front.wait()
        with closing(apsw.Connection(str(tmp_path / "data" / FILE))) as jobs:
            assert [(ended, 1)] == list(jobs.execute("SELECT state, tries FROM jobs"))
