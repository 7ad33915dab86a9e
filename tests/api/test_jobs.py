"""The path of a job and the key of a request, over real sockets: what is told, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.api.admin import AdminKey
from router.api.admission import Admission
from router.api.auth import Keys
from router.api.door import Front
from router.api.routes import build_api
from router.api.server import Ground, listen, server_of
from router.clock import SystemClock
from router.errors import RequestError
from router.ledger.idempotency import StoredKeys
from router.ledger.jobs_sqlite import SqliteJobs
from router.putting import accepted
from router.repeating import Repeating
from router.serving import Served
from router.telemetry import JsonEvents
from router.vocabulary import Ask, Caller, Job, JobState

from ..jobscene import ANSWER, Scene
from ..rulebooks import default_rules
from .street import ADMIN_KEY, LIMIT_BYTES, SSE, Administered, Health, Scripted, Street, Told, get, line, post, until
from .street import ask as say

pytestmark = pytest.mark.anyio
SECRETS = {"secret-of-acme": "acme", "secret-of-other": "other"}
ACME = {"x_api_key": "secret-of-acme"}
LATER = b'{"prompt":"Later.","router":{"fallback":"defer"}}'


@asynccontextmanager
async def open_later(folder: Path) -> AsyncIterator[tuple[Street, Scene[SystemClock]]]:
    """Doors whose pipeline puts everything off that asks for it, with the real jobs and keys behind them."""
    clock = SystemClock()
    database = SqliteJobs(folder, clock)
    await database.open()
    it = Scene(database, clock, default_rules)

    async def put_off(ask: Ask, caller: Caller) -> Served:
        if ask.words.fallback == "defer":
            return accepted(await it.deferring.defer(ask, caller))
        return await it.handle(ask, caller)

    room, events = Admission(100), JsonEvents(write=None, clock=clock)
    front = Front(keys=Keys(SECRETS, b"p"), admission=room, clock=clock, events=events, body_limit_bytes=LIMIT_BYTES)
    pipeline = Scripted(put_off)
    repeating = Repeating(store=StoredKeys(database), clock=clock, events=events)
    app = build_api(
        front=front,
        pipeline=pipeline,
        counting=pipeline,
        health=Health(room, events),
        admin=(AdminKey(ADMIN_KEY), Administered()),
        later=(repeating, it.deferring),
    )
    server = server_of(app, Ground(host="127.0.0.1", port=0, drain_s=5.0, head_s=5.0, body_bytes_per_s=1024), room)
    listening = listen("127.0.0.1", 0)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    port = listening.getsockname()[1]
    street = Street(port=port, pipeline=pipeline, admission=room, events=events, server=server, serving=serving)
    try:
        yield street, it
    finally:
        server.stop()
        server.stop()
        await serving
        await repeating.close()
        await database.close()


def fields(told: Told) -> dict[str, Any]:
    found = msgspec.json.decode(told.body)
    assert isinstance(found, dict)
    return found


async def ended(street: Street, url: str, **headers: str) -> Told:
    while True:
        told = await say(street, get(url, **(headers or ACME)))
        if fields(told)["status"] not in ("queued", "running"):
            return told


async def test_a_request_that_is_put_off_is_fetched_where_the_202_says(tmp_path: Path) -> None:
    async with open_later(tmp_path) as (street, it):
        put = await say(street, post(LATER, **ACME))
        url = put.headers["location"]
        assert (202, "queued", url) == (put.status, fields(put)["status"], fields(put)["url"])
        waiting = await say(street, get(url, **ACME))
        assert (200, "2", url) == (waiting.status, waiting.headers["retry-after"], waiting.headers["location"])
        assert ("queued", None, None) == tuple(fields(waiting)[name] for name in ("status", "answer", "answered_at"))
        async with it.running():
            done = await ended(street, url)
        assert (200, "done", 1) == (done.status, fields(done)["status"], fields(done)["tries"])
        assert ANSWER.body in done.body, "the very bytes"
        assert "retry-after" not in done.headers
        assert fields(put)["request_id"] == fields(done)["request_id"]


async def test_a_job_that_failed_says_why(tmp_path: Path) -> None:
    async with open_later(tmp_path) as (street, it):
        it.script = [RequestError("router_budget", "spent")]
        url = (await say(street, post(LATER, **ACME))).headers["location"]
        async with it.running():
            told = fields(await ended(street, url))
        assert ("failed", None) == (told["status"], told["answer"])
        assert ("router_budget", "spent") == (told["error"]["details"]["error_code"], told["error"]["message"])


async def test_a_job_is_deleted_once_or_twice_or_after_its_answer(tmp_path: Path) -> None:
    async with open_later(tmp_path) as (street, it):
        first, second = [(await say(street, post(LATER, **ACME))).headers["location"] for _ in range(2)]
        ends = [await say(street, get(first, "DELETE", **ACME)) for _ in range(2)]
        assert [(200, "cancelled")] * 2 == [(told.status, fields(told)["status"]) for told in ends]
        async with it.running():
            await ended(street, second)
        told = await say(street, get(second, "DELETE", **ACME))
        assert (200, "done", 1) == (told.status, fields(told)["status"], len(it.asked))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_who_has_no_part_in_a_job_cannot_tell_whether_it_is_there(tmp_path: Path, method: str) -> None:
    async with open_later(tmp_path) as (street, it):
        url = (await say(street, post(LATER, **ACME))).headers["location"]
        strange = {"x_api_key": "secret-of-other", "x_request_id": "req_same"}
        told = [await say(street, get(path, method, **strange)) for path in (url, "/jobs/job_never", "/jobs/%00")]
        assert {404} == {one.status for one in told}
        assert 1 == len({one.body for one in told})
        assert "router_job_unknown" == told[0].code
        wrong = await say(street, get(url, method, x_api_key="wrong"))
        assert (401, "router_key_invalid") == (wrong.status, wrong.code)
        job = await it.jobs.get(url.removeprefix("/jobs/"), "acme")
        assert isinstance(job, Job)
        assert JobState.QUEUED is job.state


KEYED = {**ACME, "idempotency_key": '"order-1"'}


async def test_a_key_gives_the_same_answer_again_byte_for_byte(tmp_path: Path) -> None:
    async with open_later(tmp_path) as (street, it):
        first, again = [await say(street, post(b'{"prompt":"Now."}', **KEYED)) for _ in range(2)]
        assert (200, first.body, 1) == (again.status, again.body, len(it.asked))
        own = {name: again.headers[name] for name in ("x-request-id", "request-id", "date")}
        assert {**first.headers, **own, "idempotent-replayed": "true"} == again.headers
        other = await say(street, post(b'{"prompt":"Other."}', **KEYED))
        assert (409, "router_idempotency_reuse") == (other.status, other.code)
        bad = await say(street, post(b'{"prompt":"Now."}', **{**KEYED, "idempotency_key": "a b"}))
        assert (400, "router_bad_idempotency_key") == (bad.status, bad.code)


async def test_what_was_put_off_under_a_key_is_the_same_job_again(tmp_path: Path) -> None:
    async with open_later(tmp_path) as (street, _):
        first, again = [await say(street, post(LATER, **KEYED)) for _ in range(2)]
        assert (202, first.headers["location"]) == (again.status, again.headers["location"])


async def test_an_error_is_given_again_as_it_came(tmp_path: Path) -> None:
    async with open_later(tmp_path) as (street, it):
        it.script = [RequestError("router_all_tiers_down", "nobody", retry_after_s=5), ANSWER]
        first, again = [await say(street, post(b'{"prompt":"Now."}', **KEYED)) for _ in range(2)]
        assert (503, first.body, "5") == (again.status, again.body, again.headers["retry-after"])
        assert ("false", "true") == (again.headers["x-should-retry"], again.headers["idempotent-replayed"])


async def test_a_caller_who_hangs_up_gets_his_stream_again_for_nothing(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"event: one\n\n"
        await gate.wait()
        yield b"event: two\n\n"

    async with open_later(tmp_path) as (street, it):
        it.script = [Served(status=200, headers=SSE, chunks=chunks())]
        body = b'{"prompt":"Now.","stream":true}'
        async with line(street) as caller:
            caller.say(post(body, **KEYED))
            await caller.head()
            assert b"event: one\n\n" == await caller.chunk()
        running = await say(street, post(body, **KEYED))
        assert (409, "router_idempotency_running") == (running.status, running.code)
        assert "true" == running.headers["x-should-retry"]
        assert 1 <= int(running.headers["retry-after"]) <= 5
        await until(lambda: street.admission.in_flight == 0)
        gate.set()
        while (again := await say(street, post(body, **KEYED))).status == 409:
            pass
        assert (b"event: one\n\nevent: two\n\n", 1) == (again.body, len(it.asked))
        assert "text/event-stream" == again.headers["content-type"]
