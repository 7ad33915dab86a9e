"""Several processes share what they learn of the models over a real Redis, and do without when it is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from router.clock import SystemClock
from router.decide.ratelimits import Figures, Said
from router.memory.gossip import CHANNEL, KEPT, MINE_MAX, Gossip, Kept, Message
from router.memory.health import Health
from router.memory.told import SPAN_S_MAX, Told, aged
from router.ports import Want
from router.vocabulary import Outcome, OutcomeKind

from ..rulebooks import default_rules
from ..servers import running_redis
from ..worlds import ListEvents, ScriptedClock

HAIKU = "claude-haiku-5-5"
FAILED = Outcome(kind=OutcomeKind.SERVER_ERROR, status=500)
OPEN = Told(about="open", model=HAIKU, for_s=30.0)


class Process:
    """What one process of many has of it."""

    def __init__(self, url: str) -> None:
        self.events = ListEvents()
        self.heard: list[Told] = []
        self.health = Health(SystemClock(), self.events)
        self.gossip = Gossip(url, SystemClock(), self.events, self.hear)
        self.health.on_change = self.gossip.tell

    def hear(self, told: Told) -> None:
        self.heard.append(told)
        self.health.heard(told)

    async def enter(self, model: str = HAIKU) -> Any:
        return await self.health.enter(Want(model=model), default_rules())

    async def fails(self, model: str = HAIKU, outcome: Outcome = FAILED, times: int = 5) -> None:
        for _ in range(times):
            (await self.enter(model)).ended(outcome)

    @property
    def states(self) -> list[object]:
        return [fields["state"] for event, fields in self.events.said if event == "redis"]


@asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(process.gossip.keep()) for process in processes]
    try:
        await until(lambda: all(process.gossip.connected for process in processes))
        yield
    finally:
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True)
        )


async def until(true: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up_s, "it never came true"
        await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_redis() as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    with redis.Redis.from_url(server) as client:
        client.flushall()
    return server


def test_what_one_process_learns_the_other_one_knows_and_does_not_say_again(url: str) -> None:
    async def story() -> None:
        one, other = Process(url), Process(url)
        async with running(one, other):
            (await other.enter()).ended(None)
            await one.fails()
            await one.fails(
                "claude-sonnet-5-5", Outcome(kind=OutcomeKind.RATE_LIMITED, status=429, retry_after_s=50), 1
            )
            await until(lambda: len(other.heard) >= 2)
            opened, blocked = await other.enter(), await other.enter("claude-sonnet-5-5")
            assert (opened.kind, blocked.kind) == (OutcomeKind.BREAKER_OPEN, OutcomeKind.HELD_BACK)
            assert 0 < opened.retry_after_s <= 6 < blocked.retry_after_s <= 50
            assert (one.heard, ["open", "blocked"]) == ([], [told.about for told in other.heard])

    asyncio.run(story())


def test_what_an_answer_said_of_the_limits_lowers_them_everywhere(url: str) -> None:
    async def story() -> None:
        one, other = Process(url), Process(url)
        async with running(one, other):
            passes = [await other.enter("claude-opus-5-5") for _ in range(3)]
            passed = await one.enter("claude-opus-5-5")
            prefix = "anthropic-ratelimit-requests"
            passed.began({f"{prefix}-limit": "6", f"{prefix}-remaining": "5"})
            await until(lambda: other.heard)
            left = other.health.standing()["claude-opus-5-5"]["left"]
            assert left == {"requests": 2}  # its own three are under way
            for one_more in (passed, *passes):
                one_more.ended(None)

    asyncio.run(story())


def test_who_comes_later_reads_what_is_still_true(url: str) -> None:
    async def story() -> None:
        async with Redis.from_url(url) as client:
            one = Process(url)
            async with running(one):
                one.gossip.tell(OPEN)
                one.gossip.tell(Told(about="blocked", model="short", for_s=0.001))
                one.gossip.tell(Told(about="closed", model="closed"))
                await until(lambda: not one.gossip._due)
                await asyncio.sleep(0.05)
            seconds, _ = await client.time()
            old = Kept(Told(about="said", model="old", said=Said(Figures(10, 1))), float(seconds - 3600))
            strange = {"old": msgspec.msgpack.encode(old), "garbage": b"\xc1", "huge": b"x" * 100_000}
            for field, value in strange.items():
                await client.hset(KEPT, field, value)
            late = Process(url)
            async with running(late):
                assert [HAIKU] == [told.model for told in late.heard]
                assert (await late.enter()).kind is OutcomeKind.BREAKER_OPEN
                assert [f"breaker:{HAIKU}".encode()] == await client.hkeys(KEPT)

    asyncio.run(story())


def test_garbage_is_ignored_and_what_follows_is_heard(url: str) -> None:
    async def story() -> None:
        process = Process(url)
        async with running(process), Redis.from_url(url) as client:
            endless = {"about": "open", "model": HAIKU, "for_s": float("inf")}
            never = {**endless, "for_s": float("nan")}
            bad: list[bytes] = [b"", b"hello", b"\xc1" * 50, msgspec.msgpack.encode(["x", endless])]
            bad += [msgspec.msgpack.encode(["x", never]), msgspec.msgpack.encode(["x", {"about": "rm", "model": ""}])]
            bad.append(msgspec.msgpack.encode(["x", {**endless, "for_s": 1.0, "model": "m" * 300}]))
            bad.append(msgspec.msgpack.encode(["x" * 5000, {**endless, "for_s": 1.0}]))
            for data in (*bad, msgspec.msgpack.encode(Message("stranger", OPEN))):
                await client.publish(CHANNEL, data)
            await until(lambda: process.heard)
            assert [OPEN] == process.heard

    asyncio.run(story())


def test_redis_may_die_and_come_back_while_calls_go_on() -> None:
    async def story() -> None:
        with running_redis() as first:
            one, other = Process(first), Process(first)
            tasks = [asyncio.create_task(process.gossip.keep()) for process in (one, other)]
            await until(lambda: one.gossip.connected and other.gossip.connected)
        await until(lambda: not one.gossip.connected and not other.gossip.connected)
        await one.fails()  # nobody hears it, and nobody is held up
        one.gossip.tell(OPEN)
        assert (await one.enter()).kind is OutcomeKind.BREAKER_OPEN
        passed = await other.enter()
        passed.ended(None)
        with running_redis(urlsplit(first).port or 0):
            await until(lambda: other.heard)  # what happened in between
            assert (await other.enter()).kind is OutcomeKind.BREAKER_OPEN
            assert ["connected", "lost", "connected"] == one.states
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(story())


def test_without_redis_what_is_told_is_bounded_and_the_newest_of_its_kind() -> None:
    gossip = Gossip("redis://127.0.0.1:1/0", ScriptedClock(), ListEvents(), lambda _told: None)
    for number in range(MINE_MAX * 3):
        gossip.tell(Told(about="blocked", model=str(number), for_s=1.0))
        gossip.tell(OPEN)
        gossip.tell(Told(about="closed", model=HAIKU))
    assert (len(gossip._mine), len(gossip._due)) == (MINE_MAX, MINE_MAX)
    assert gossip._mine["breaker", HAIKU][0].about == "closed"


def test_what_is_heard_before_the_first_call_is_kept_for_it() -> None:
    async def story() -> None:
        clock = ScriptedClock()
        health = Health(clock, ListEvents())
        health.heard(OPEN)
        health.heard(Told(about="blocked", model="claude-sonnet-5-5", for_s=5.0))
        clock.now_s += 10
        await health.enter(Want(model="claude-opus-5-5"), default_rules())  # which answers, so nobody is in a hurry
        refused = await health.enter(Want(model=HAIKU), default_rules())
        assert isinstance(refused, Outcome)
        assert refused.retry_after_s == pytest.approx(20.0)
        assert not isinstance(await health.enter(Want(model="claude-sonnet-5-5"), default_rules()), Outcome)

    asyncio.run(story())


def test_another_process_key_trouble_is_ours_too_and_ends_with_it() -> None:
    async def story() -> None:
        clock = ScriptedClock()
        health = Health(clock, ListEvents())
        told: list[Told] = []
        health.on_change = told.append
        (await health.enter(Want(model=HAIKU), default_rules())).ended(None)  # type: ignore[union-attr]
        health.heard(Told(about="open", model="", for_s=5.0))
        refused = await health.enter(Want(model=HAIKU), default_rules())
        assert isinstance(refused, Outcome)
        assert refused.kind is OutcomeKind.BREAKER_OPEN
        health.heard(Told(about="closed", model=""))
        passed = await health.enter(Want(model=HAIKU), default_rules())
        assert not isinstance(passed, Outcome)
        passed.ended(Outcome(kind=OutcomeKind.ANSWERED, status=200))
        assert ["closed"] == [one.about for one in told]  # what it found out itself

    asyncio.run(story())


@given(st.floats(0, SPAN_S_MAX), st.floats(-10, SPAN_S_MAX), st.integers(0, 1000))
def test_what_is_told_gets_weaker_with_age_and_stays_well_formed(for_s: float, age_s: float, left: int) -> None:
    for told in (
        Told(about="open", model=HAIKU, for_s=for_s),
        Told(about="said", model=HAIKU, said=Said(Figures(1000, left, 30.0))),
    ):
        later = aged(told, age_s)
        if later is None:
            assert age_s >= for_s
            continue
        assert later == msgspec.msgpack.decode(msgspec.msgpack.encode(later), type=Told)
        if later.said is not None and later.said.requests is not None:
            assert left <= later.said.requests.left <= 1000
