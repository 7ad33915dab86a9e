"""Answers shared through Redis: given by one process to another, never to the wrong one, and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from redis.asyncio import Redis

from router.errors import StartError
from router.memory.outage import PAUSE_MAX_S, Outage
from router.memory.redis_replies import FAILURES, PREFIX, WAITING_BYTES_MAX, RedisReplies, Sealed
from router.memory.replies import ISOLATION, MemoryReplies
from router.vocabulary import KeptReply
from tests.servers import running_redis

from ..worlds import ListEvents, ScriptedClock
from .talker import Talker
from .test_replies import answer, key, question

pytestmark = pytest.mark.anyio
NOBODY = "redis://127.0.0.1:1/0"


class Machine:
    """One process: its memory, its way to Redis, and what it says."""

    def __init__(self, url: str, clock: ScriptedClock, wait_s: float) -> None:
        self.clock, self.events = clock, ListEvents()
        self.local = MemoryReplies(clock, 1_000_000, self.events)
        self.replies = RedisReplies(url, self.local, clock, self.events, wait_s=wait_s)

    def put(self, number: int, tenant: str = "ann", text: str = "So.") -> KeptReply:
        one = answer(self.clock, tenant, text)
        self.replies.put(key(number), one)
        return one

    async def get(self, number: int, tenant: str = "ann") -> KeptReply | None:
        return await self.replies.get(key(number), tenant)

    async def ended(self) -> None:
        """Until every command that is under way has come to its end."""
        if self.replies._running:
            await asyncio.wait(self.replies._running)


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with running_redis() as url:
        yield url


@asynccontextmanager
async def machines(url: str, count: int = 2, wait_s: float = 30.0) -> AsyncIterator[list[Machine]]:
    """They wait as long as a test may take, but where waiting is what it is about."""
    clock = ScriptedClock()
    made = [Machine(url, clock, wait_s) for _ in range(count)]
    try:
        yield made
    finally:
        for machine in made:
            await machine.replies.close()


async def test_what_one_process_was_answered_another_gives(redis: str) -> None:
    async with machines(redis) as (one, other):
        made = one.put(1)
        assert None is await other.get(1)
        await one.replies.flush()
        assert made == await other.get(1)
        assert made == other.local.held(key(1), "ann"), "and has it at hand now"
        assert ([], []) == (one.events.counts, other.events.counts)


async def test_redis_lets_go_of_it_when_nobody_may_have_it_any_more(redis: str) -> None:
    async with machines(redis, 1) as (one,):
        one.put(2)
        await one.replies.flush()
        async with Redis.from_url(redis) as client:
            assert 59_000 < await client.pttl(PREFIX + key(2)) <= 60_000
        one.put(3)
        one.clock.now_s += 60
        await one.replies.flush()
        async with Redis.from_url(redis) as client:
            assert 0 == await client.exists(PREFIX + key(3))


async def test_a_stale_answer_gives_way_to_one_that_another_process_made_since(redis: str) -> None:
    async with machines(redis) as (one, other):
        stale = one.put(4, text="old")
        await one.replies.flush()
        one.clock.now_s += 31
        assert stale == await one.get(4), "where nothing newer is known"
        fresh = other.put(4, text="new")
        await other.replies.flush()
        assert fresh == await one.get(4)


@pytest.mark.parametrize(
    "forged",
    [
        lambda one: Sealed(key(6), one),
        lambda one: Sealed(key(5), msgspec.structs.replace(one, tenant="bob")),
        lambda one: Sealed(key(5), msgspec.structs.replace(one, tenant="")),
    ],
)
async def test_a_value_that_is_somebody_elses_is_not_there_and_is_counted(
    redis: str, forged: Callable[[KeptReply], Sealed]
) -> None:
    async with machines(redis, 1) as (one,):
        async with Redis.from_url(redis) as client:
            await client.set(PREFIX + key(5), msgspec.msgpack.encode(forged(answer(one.clock))), px=60_000)
        assert None is await one.get(5)
        assert [(ISOLATION, "")] == one.events.counts
        assert ["redis_mixed_up"] == [event for event, _ in one.events.said]


@pytest.mark.parametrize("value", [b"", b"garbage", msgspec.msgpack.encode({"key": b"k", "kept": 3})])
async def test_a_value_that_we_cannot_read_is_not_there(redis: str, value: bytes) -> None:
    async with machines(redis, 1) as (one,):
        async with Redis.from_url(redis) as client:
            await client.set(PREFIX + key(7), value, px=60_000)
        assert None is await one.get(7)
        assert [(FAILURES, "reply_unreadable")] == one.events.counts


async def test_without_redis_everything_goes_on_and_it_is_soon_left_alone() -> None:
    async with machines(NOBODY, 1) as (one,):
        made = one.put(1)
        assert (made, None) == (await one.get(1), await one.get(2))
        for number in range(3, 20):
            assert None is await one.get(number)
        assert [(FAILURES, "replies")] * 3 == one.events.counts
        assert [("redis", {"about": "replies", "state": "left alone"})] == one.events.said
        one.clock.now_s += 1
        await one.get(2)
        await one.get(2)
        assert 4 == len(one.events.counts), "one tried again, and nobody else"


async def test_what_waits_to_be_written_is_bounded() -> None:
    async with machines(NOBODY, 1) as (one,):
        for number in range(40):
            one.put(number, text="x" * 500_000)
        assert 33 == len(one.replies._waiting)
        assert one.replies._waiting_bytes <= WAITING_BYTES_MAX
        assert [(FAILURES, "reply_not_written")] * 7 == one.events.counts
        await one.replies.flush()
        assert (0, 0) == (len(one.replies._waiting), one.replies._waiting_bytes)


async def test_what_is_put_is_written_by_and_by_until_the_writer_is_cancelled() -> None:
    async def say(_number: bytes) -> None:
        return None

    async with Talker(say).running() as talker, machines(talker.url, 1) as (one,):
        keeping = asyncio.create_task(one.replies.keep())
        for number in range(3):
            talker.written.clear()
            one.put(number)
            await talker.written.wait()
            assert 1 + number == len(talker.values)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        one.put(9)
        await one.ended()
        assert [key(number) for number in range(3)] == list(talker.values)


async def test_likeness_is_looked_for_at_hand_only(redis: str) -> None:
    async with machines(redis) as (one, other):
        one.replies.put(key(8), answer(one.clock), question(1))
        await one.replies.flush()
        found = [await machine.replies.near(question(1), "ann", 0.9) for machine in (one, other)]
        assert [answer(one.clock), None] == found


@pytest.mark.parametrize("url", ["localhost:6379", "http://:secret@localhost", "redis://:secret@localhost:port/0"])
def test_a_wrong_address_is_said_at_the_start_without_its_password(url: str) -> None:
    clock, events = ScriptedClock(), ListEvents()
    with pytest.raises(StartError, match="address of Redis") as error:
        RedisReplies(url, MemoryReplies(clock, 1_000, events), clock, events)
    assert "secret" not in str(error.value)


def test_a_server_is_left_alone_for_longer_and_longer_and_one_success_ends_it() -> None:
    outage = Outage()
    assert [False, False, True, False] == [outage.learn(False, 0.0) for _ in range(4)]
    tried = []
    for tenth in range(2_000):
        if outage.lets(tenth / 10):
            tried.append(tenth / 10)
            outage.learn(False, tenth / 10)
    assert [1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0, 121.0, 151.0, 181.0] == tried
    assert PAUSE_MAX_S == tried[-1] - tried[-2]
    assert (True, True, False) == (outage.learn(True, 200.0), outage.lets(200.0), outage.on)


def sealed(clock: ScriptedClock, number: bytes) -> bytes:
    return msgspec.msgpack.encode(Sealed(number, answer(clock, text=number.hex())))


async def test_who_gives_up_or_is_cancelled_leaves_no_answer_behind_for_the_next() -> None:
    """As in March 2023, when a cancelled command left its answer on the connection."""
    late, asked = asyncio.Event(), asyncio.Event()

    async def say(number: bytes) -> bytes:
        if number in (key(1), key(2)):
            asked.set()
            await late.wait()
        return sealed(clock, number)

    async with Talker(say).running() as talker, machines(talker.url, 1) as (one,):
        clock = one.clock
        one.replies._wait_s = 0.001
        assert None is await one.get(1), "it comes too late"
        one.replies._wait_s = 30.0
        await asked.wait()
        asked.clear()
        reader = asyncio.create_task(one.get(2))
        await asked.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert 2 == len(one.replies._running), "both go on by themselves"
        bodies = [found.body for number in range(3, 40) if (found := await one.get(number)) is not None]
        late.set()
        await one.ended()
        bodies += [found.body for number in range(40, 80) if (found := await one.get(number)) is not None]
        assert [key(number).hex().encode() for number in range(3, 80)] == bodies
        assert (3, [(FAILURES, "replies")]) == (talker.connections, one.events.counts)


async def test_a_server_that_answers_the_question_before_is_not_believed() -> None:
    before = [key(0)]

    async def say(number: bytes) -> bytes:
        before.append(number)
        return sealed(clock, before[-2])

    async with Talker(say).running() as talker, machines(talker.url, 1) as (one,):
        clock = one.clock
        for number in range(1, 6):
            assert None is await one.get(number)
            await one.ended()
        assert [(ISOLATION, "")] * 5 == one.events.counts
        assert 0 == one.local.entries
        assert talker.connections > 1, "the connection was given up"


async def test_however_many_ask_at_once_each_is_given_his_own() -> None:
    async def say(number: bytes) -> bytes:
        for _ in range(number[-1] % 7):
            await asyncio.sleep(0)
        return sealed(clock, number)

    async with Talker(say).running() as talker, machines(talker.url, 1) as (one,):
        clock = one.clock
        found = await asyncio.gather(*(one.get(number) for number in range(200)))
        given = {number: reply.body for number, reply in enumerate(found) if reply is not None}
        assert {number: key(number).hex().encode() for number in given} == given
        assert 32 == len(given), "the rest were not asked: nobody waits for his turn"


async def test_a_server_that_says_nothing_is_waited_for_once_each_and_then_left_alone() -> None:
    never = asyncio.Event()

    async def say(_number: bytes) -> None:
        await never.wait()

    async with Talker(say).running() as talker, machines(talker.url, 1, wait_s=0.001) as (one,):
        assert [None] * 9 == [await one.get(number) for number in range(9)]
        assert [(FAILURES, "replies")] * 3 == one.events.counts
        await one.ended()  # each by itself
        never.set()
