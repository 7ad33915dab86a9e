"""Whoever asked is told once his job has an answer: signed, tried again for a day, and after a restart too."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from router.decide.hooks import TELLING_TRIES, refusal, telling_wait_s
from router.decide.policy import Rulebook
from router.delivering import Delivering
from router.errors import RequestError
from router.ledger.jobs import StoredJobs
from router.ledger.jobs_sqlite import SqliteJobs
from router.putting import check_webhook
from router.vocabulary import Job, JobState

from .api.street import until
from .jobscene import rules
from .worlds import ListEvents, ScriptedClock

URL = "https://hooks.example.com/jobs?team=red"
HOSTS = ("hooks.example.com", ".example.org")
SECRET = "the-secret-of-the-jobs"
OPEN = rules(webhook_hosts=HOSTS)
ANSWER = b'{"id":"msg_1","content":[{"type":"text","text":"\xc3\xa9"}]}'


class ListPosts:
    """Answers with the scripted statuses, and keeps what it was given."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[str, bytes, dict[str, str]]] = []

    async def post(self, url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int:
        self.came.append((url, body, dict(headers)))
        return self.statuses.pop(0) if self.statuses else 500


class Scene:
    def __init__(self, jobs: StoredJobs, clock: ScriptedClock, posts: ListPosts) -> None:
        self.jobs = jobs
        self.clock = clock
        self.posts = posts
        self.events = ListEvents()

    async def answered(self, state: JobState = JobState.DONE, answer: bytes = ANSWER) -> Job:
        job = Job(job_id="job_1", tenant="acme", request_id="req_1", at_ms=self.clock.now_ms(), webhook=URL, body=b"{}")
        await self.jobs.add(job)
        (running,) = await self.jobs.claim("run_1", 1)
        await self.jobs.finish(replace(running, state=state, status=200, answer=answer, error=""))
        return job

    def delivering(self, in_force: Callable[[], Rulebook] = OPEN, secret: str = SECRET) -> Delivering:
        return Delivering(
            outbox=self.jobs,
            posts=self.posts,
            rules=in_force,
            secret=lambda: secret,
            clock=self.clock,
            events=self.events,
        )

    async def deliver(self, in_force: Callable[[], Rulebook] = OPEN, secret: str = SECRET) -> int:
        return await self.delivering(in_force, secret).deliver()

    @property
    def counts(self) -> list[str]:
        return [label for name, label in self.events.counts if name == "webhooks"]


@asynccontextmanager
async def scene(folder: Path, *statuses: int) -> AsyncIterator[Scene]:
    clock = ScriptedClock()
    database = SqliteJobs(folder, clock)
    await database.open()
    try:
        yield Scene(StoredJobs(database), clock, ListPosts(*statuses))
    finally:
        await database.close()


@pytest.mark.anyio
async def test_what_is_told_is_the_answer_signed_over_time_and_body(tmp_path: Path) -> None:
    async with scene(tmp_path, 204) as it:
        await it.answered()
        assert [1, 0] == [await it.deliver(), await it.deliver()]
        ((url, body, headers),) = it.posts.came
    at_s = headers["x-tierwise-timestamp"]
    digest = hmac.new(SECRET.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    assert (URL, f"v1={digest}", str(it.clock.now_ms() // 1000)) == (url, headers["x-tierwise-signature"], at_s)
    told = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    assert ANSWER == bytes(told["answer"]), "the very bytes"
    plain = {name: msgspec.json.decode(raw) for name, raw in told.items() if name not in ("answer", "answered_at")}
    expected = {"id": "dlv_1", "type": "job", "job": "job_1", "status": "done", "url": "/jobs/job_1"}
    assert {**expected, "request_id": "req_1", "error": None} == plain
    assert "dlv_1" == headers["x-tierwise-delivery"]


@pytest.mark.anyio
async def test_a_job_that_failed_is_told_of_with_its_error(tmp_path: Path) -> None:
    async with scene(tmp_path, 200) as it:
        error = {"type": "billing_error", "message": "spent", "details": {"error_code": "router_budget"}}
        await it.answered(JobState.FAILED, msgspec.json.encode({"type": "error", "error": error}))
        await it.deliver()
        told = msgspec.json.decode(it.posts.came[0][1])
        assert ("failed", None, error) == (told["status"], told["answer"], told["error"])


@pytest.mark.anyio
async def test_a_failure_is_tried_again_under_the_same_id_until_it_is_taken(tmp_path: Path) -> None:
    async with scene(tmp_path, 500, 0, 302, 200) as it:
        await it.answered()
        waits: list[float] = []
        while len(it.posts.came) < 4:
            began_s = it.clock.now_s
            while not await it.deliver():
                it.clock.now_s += 1
            waits.append(it.clock.now_s - began_s)
        assert 1 == len({headers["x-tierwise-delivery"] for _, _, headers in it.posts.came})
        assert [0, 23, 68, 203] == waits  # 30 s, tripled each time, at dice of a half
        assert ["again", "again", "again", "told"] == it.counts


@pytest.mark.anyio
async def test_it_keeps_telling_until_it_is_stopped(tmp_path: Path) -> None:
    async with scene(tmp_path, 500, 200) as it:
        await it.answered()
        keeping = asyncio.ensure_future(it.delivering().keep())
        await until(lambda: "told" in it.counts)
        keeping.cancel()
        assert ["again", "told"] == it.counts


@pytest.mark.anyio
async def test_a_store_that_fails_is_asked_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        pass
    keeping = asyncio.ensure_future(it.delivering().keep())
    await until(lambda: it.counts.count("store_failed") >= 3)
    keeping.cancel()


@pytest.mark.anyio
async def test_after_a_restart_it_is_still_told(tmp_path: Path) -> None:
    async with scene(tmp_path, 500) as it:
        await it.answered()
        await it.deliver()
    async with scene(tmp_path, 200) as it:
        it.clock.now_s += 3600
        assert 1 == await it.deliver()
        assert ["told"] == it.counts


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("hosts", "secret", "status", "posts"),
    [((), SECRET, 200, 0), (HOSTS, "", 200, 0), (HOSTS, SECRET, 410, 1)],
    ids=["the policy changed", "no secret any more", "gone"],
)
async def test_it_is_given_up_where_telling_is_not_wanted(
    tmp_path: Path, hosts: Sequence[str], secret: str, status: int, posts: int
) -> None:
    async with scene(tmp_path, status) as it:
        await it.answered()
        await it.deliver(rules(webhook_hosts=tuple(hosts)), secret)
        it.clock.now_s += 86_400
        assert 0 == await it.deliver()
        assert (posts, ["given_up"]) == (len(it.posts.came), it.counts)


@pytest.mark.anyio
async def test_after_ten_tries_it_is_given_up(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.answered()
        for _ in range(100):
            await it.deliver()
            it.clock.now_s += 3600
        assert (TELLING_TRIES, "given_up") == (len(it.posts.came), it.counts[-1])


def test_the_tries_are_spread_over_most_of_a_day_and_never_go_beyond_it() -> None:
    for dice in (0.0, 0.5, 0.999):
        age_s, waits = 0.0, 0
        while (wait_s := telling_wait_s(waits + 1, dice, age_s)) is not None:
            age_s += wait_s
            waits += 1
        assert waits == TELLING_TRIES - 1
        assert 6 * 3600 < age_s < 86_400
    assert telling_wait_s(2, 0.5, 86_399.0) is None


ALLOWED = [URL, "https://HOOKS.example.com", "https://a.b.example.org/x", "https://hooks.example.com:443/"]
REFUSED = {
    "http://hooks.example.com/": "https",
    "https://": "names a host",
    "https://evil.com/": "webhook_hosts",
    "https://example.org/": "webhook_hosts",
    "https://evilexample.org/": "webhook_hosts",
    "https://hooks.example.com.evil.com/": "webhook_hosts",
    "https://hooks.example.com:8443/": "webhook_hosts",
    "https://hooks.example.com@evil.com/": "user",
    "https://user:word@hooks.example.com/": "user",
    "https://hooks.example.com/#part": "fragment",
    "https://hooks.example.com:99999/": "no address",
    "https://hooks.example.com/a b": "https",
    "https://hooks.example.com/\x00": "https",
    "https://[::1/": "no address",
    "https://evil.com\\@hooks.example.com/": "user",
}


@pytest.mark.parametrize("url", ALLOWED)
def test_an_address_on_a_host_of_the_policy_may_be_told(url: str) -> None:
    assert refusal(url, HOSTS) is None


@pytest.mark.parametrize("url", REFUSED)
def test_any_other_address_is_refused_with_a_reason_and_a_400(url: str) -> None:
    why = refusal(url, HOSTS)
    assert why is not None
    assert REFUSED[url] in why
    with pytest.raises(RequestError) as refused:
        check_webhook(url, OPEN(), SECRET)
    assert ("router_bad_request", "router.webhook") == (refused.value.code, refused.value.field)


def test_a_port_of_its_own_is_named_in_the_policy() -> None:
    assert refusal("https://hooks.example.com:8443/", ("hooks.example.com:8443",)) is None
    assert refusal("https://hooks.example.com/", ("hooks.example.com:8443",)) is not None


def test_without_a_secret_nobody_can_be_told() -> None:
    check_webhook(URL, OPEN(), SECRET)
    with pytest.raises(RequestError, match="secret"):
        check_webhook(URL, OPEN(), "")
