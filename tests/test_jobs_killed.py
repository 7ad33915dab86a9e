"""kill -9 in the middle of jobs and of keyed requests: each has one answer, or says that it has none.

Rule: only over HTTP and through the tables; nobody tells the service that it is being tested.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import apsw
import msgspec
import psycopg
import pytest

from router.clock import SystemClock
from router.ledger.jobs_sqlite import FILE

from .processes import Process, free_port, standin
from .servers import running_postgres
from .test_kill import forked, listens, zygote

ROUNDS = 12
CALLERS = 6
# Only jobs meet it, and most of their first runs: what is put off must come again.
FAULT = {"kind": "status", "status": 529, "match": "[later]", "share": 0.7, "seed": 5}
clock = SystemClock()
AGAIN = frozenset({409, 429, 503, 529})  # a key that is running, or that nothing was sent for


class Seen:
    """All that callers were ever told, by key and by job."""

    def __init__(self) -> None:
        self.keys: dict[str, set[tuple[int, bytes]]] = {}
        self.jobs: dict[str, set[bytes]] = {}
        self.dice = random.Random(20261121)
        self.sent: Counter[str] = Counter()  # prompts that reached the model, by key

    async def ask(self, session: aiohttp.ClientSession, url: str, key: str) -> int:
        """One request with a key, whole or as a stream; the same body each time."""
        fields = {"prompt": f"<{key}> Say it.", "model": "claude-haiku-5-5", "stream": hash_of(key) % 2 == 0}
        self.keys.setdefault(key, set())
        async with session.post(f"{url}/complete", json=fields, headers={"idempotency-key": key}) as response:
            body = await response.read()
        if response.status not in AGAIN:
            code = b"" if response.status == 200 else msgspec.json.encode(msgspec.json.decode(body)["error"]["details"])
            self.keys[key].add((response.status, body if response.status == 200 else code))
        return response.status

    async def put_off(self, session: aiohttp.ClientSession, url: str, number: int) -> None:
        words = {"fallback": "defer"}
        fields = {"prompt": f"[later] Number {number}.", "model": "claude-sonnet-5-5", "router": words}
        async with session.post(f"{url}/complete", json=fields) as response:
            told = msgspec.json.decode(await response.read())
        if response.status == 202:
            self.jobs[str(told["id"])] = set()

    async def look(self, session: aiohttp.ClientSession, url: str, job: str) -> str:
        async with session.get(f"{url}/jobs/{job}") as response:
            told = msgspec.json.decode(await response.read(), type=dict[str, msgspec.Raw])
        assert 200 == response.status, "what was promised is known"
        if bytes(told["answer"]) != b"null":
            self.jobs[job].add(bytes(told["answer"]))
        return str(msgspec.json.decode(told["status"]))


def hash_of(key: str) -> int:
    return int(key.removeprefix("key-"))


async def load_until_killed(seen: Seen, port: int, pid: int) -> None:
    """Callers at random until the service dies; what is cut off is what the test is about."""
    url = f"http://127.0.0.1:{port}"
    alive = True

    async def caller(session: aiohttp.ClientSession) -> None:
        while alive:
            with suppress(aiohttp.ClientError, OSError):
                await anything(seen, session, url)
            await asyncio.sleep(0)

    if not await listens(port, pid):
        return  # somebody else had taken the port meanwhile: the next round has another one
    async with aiohttp.ClientSession() as session:
        callers = [asyncio.ensure_future(caller(session)) for _ in range(CALLERS)]
        await asyncio.sleep(seen.dice.uniform(0.05, 0.5))
        os.kill(pid, signal.SIGKILL)
        alive = False
        await asyncio.gather(*callers)


async def anything(seen: Seen, session: aiohttp.ClientSession, url: str) -> None:
    dice = seen.dice.random()
    if dice < 0.3:
        await seen.ask(session, url, f"key-{len(seen.keys)}")
    elif dice < 0.5 and seen.keys:
        await seen.ask(session, url, seen.dice.choice(list(seen.keys)))
    elif dice < 0.7:
        await seen.put_off(session, url, seen.dice.randrange(10**9))
    elif seen.jobs:
        await seen.look(session, url, seen.dice.choice(list(seen.jobs)))


async def settle(seen: Seen, server: tuple[int, int], upstream: Process, place: str) -> set[str]:
    """With nothing wrong any more: every key is asked again, and every job awaited. How the jobs ended."""
    port, pid = server
    url = f"http://127.0.0.1:{port}"
    assert await listens(port, pid)
    ends: set[str] = set()
    async with aiohttp.ClientSession() as session:
        for number, key in enumerate(list(seen.keys)):
            while await seen.ask(session, url, key) in AGAIN:
                await clock.sleep(0.05)
            if number % 10 == 0:
                seen.sent.update(await asyncio.to_thread(prompts, upstream))
        seen.sent.update(await asyncio.to_thread(prompts, upstream))
        while "queued" in (states := await asyncio.to_thread(states_in, place)) or "running" in states:
            await clock.sleep(0.1)
        for job in list(seen.jobs) * 2:
            ends.add(await seen.look(session, url, job))
    return ends | states


def prompts(upstream: Process) -> list[str]:
    """The keys whose prompts reached the model since this was asked last."""
    requests = msgspec.json.decode(upstream.get("/_standin/seen")[1])["requests"]
    assert len(requests) < 100, "the stand-in keeps no more: make the rounds shorter"
    upstream.request("DELETE", "/_standin/seen")
    bodies = [base64.b64decode(request["body_base64"]).decode() for request in requests]
    return [body.partition("<")[2].partition(">")[0] for body in bodies if "<key-" in body]


def states_in(place: str) -> set[str]:
    """Of all the jobs that were ever put down, those too whose 202 was cut off."""
    if place.startswith("postgresql:"):
        with psycopg.connect(place) as connection:
            return {str(state) for (state,) in connection.execute("SELECT DISTINCT state FROM jobs")}
    opened = apsw.Connection(place, flags=apsw.SQLITE_OPEN_READONLY)
    states = {str(state) for (state,) in opened.execute("SELECT DISTINCT state FROM jobs")}
    opened.close()
    return states


def killed_many_times(folder: Path, place: str) -> tuple[Seen, set[str]]:
    """What callers were told, and how the jobs ended."""
    seen = Seen()
    with (
        standin(folder, "--keep-requests", "--latency-ms", "30", "--deltas", "4") as upstream,
        zygote(folder) as mother,
    ):
        upstream.request("POST", "/_standin/faults", msgspec.json.encode([FAULT]))
        for _ in range(ROUNDS):
            port = free_port()
            pid = forked(mother, port, folder / "data", upstream.url)
            asyncio.run(load_until_killed(seen, port, pid))
            seen.sent.update(prompts(upstream))
        upstream.request("DELETE", "/_standin/faults")
        port = free_port()
        pid = forked(mother, port, folder / "data", upstream.url)
        try:
            ends = asyncio.run(settle(seen, (port, pid), upstream, place))
        finally:
            os.kill(pid, signal.SIGTERM)
    return seen, ends


def hold_them_to_it(seen: Seen, ends: set[str]) -> None:
    assert {"done"} == ends
    assert {1} == {len(answers) for answers in seen.jobs.values()}, "one answer for each job, whenever it was asked for"
    assert {1} == {len(answers) for answers in seen.keys.values()}, "one answer for each key, whenever it was asked for"
    outcomes = [next(iter(answers)) for answers in seen.keys.values()]
    unknown = (502, msgspec.json.encode({"error_code": "router_outcome_unknown", "field": "idempotency-key"}))
    assert set() == {outcome for outcome in outcomes if outcome[0] != 200} - {unknown}
    assert {} == {key: count for key, count in seen.sent.items() if count > 1}, "nothing is generated twice in silence"
    assert len(seen.jobs) >= ROUNDS, "there was something to lose"
    assert unknown in outcomes, "some were cut off"


@pytest.mark.timeout(300)  # a dozen starts of the service, and the waits between a job's tries
def test_each_job_has_one_answer_and_each_key_one_answer_or_none_that_is_known(tmp_path: Path) -> None:
    hold_them_to_it(*killed_many_times(tmp_path, str(tmp_path / "data" / FILE)))


@pytest.mark.soak  # a dead process is known to be dead only after its lease
@pytest.mark.timeout(600)
def test_the_same_in_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_postgres() as url:
        monkeypatch.setenv("TIERWISE_JOBS_URL", url)
        hold_them_to_it(*killed_many_times(tmp_path, url))
