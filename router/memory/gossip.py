"""What the processes tell each other of the models, over Redis: at once by pub/sub, and in a hash for who comes later.

Rule: hints only. Nothing that serves a request ever waits for Redis, and without it every process knows what it
learnt itself. What comes in is checked as if a stranger had sent it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from ..ports import Clock, Events
from .told import Told, aged

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

CHANNEL = "tierwise:health"
KEPT = "tierwise:health:kept"
KEPT_S = 86_400
FIELDS_MAX = 5_000
MINE_MAX = 1_000
MESSAGE_BYTES_MAX = 4_096
SAID_S = 120.0  # what an answer said so long ago says nothing any more
CONNECT_S, ANSWER_S, PING_EVERY_S, SILENT_S = 2.0, 5.0, 5, 20.0
BACKOFF_S, BACKOFF_S_MAX = 0.1, 5.0

Key = tuple[str, str]
Sender = Annotated[str, Meta(max_length=64)]


class Message(msgspec.Struct, frozen=True, array_like=True):
    sender: Sender
    told: Told


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Of the hash. It is as old as the clock of Redis says: all processes ask the same clock."""

    told: Told
    at_s: Annotated[float, Meta(ge=0)]


class Gossip:
    """`tell` is for Health.on_change, `heard` is Health.heard. Runs while `keep` does."""

    def __init__(self, url: str, clock: Clock, events: Events, heard: Callable[[Told], None]) -> None:
        import redis.asyncio  # noqa: PLC0415 - an extra: without it nobody gets here
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        self._open: Callable[[], Redis] = lambda: redis.asyncio.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=ANSWER_S,
            health_check_interval=PING_EVERY_S,
            retry=Retry(NoBackoff(), 0),  # `keep` does it
        )
        self._clock = clock
        self._events = events
        self._heard = heard
        self._me = clock.new_id("process")
        self._mine: OrderedDict[Key, tuple[Told, float]] = OrderedDict()  # the last of each, and when
        self._due: OrderedDict[Key, None] = OrderedDict()
        self._news = asyncio.Event()
        self._redis_ahead_s = 0.0  # the clock of Redis against ours
        self.connected = False
        self._said: bool | None = None

    def tell(self, told: Told) -> None:
        """Told soon, or never: the newest of its kind, and the oldest gives way."""
        key = _key(told)
        self._mine[key] = (told, self._clock.monotonic())
        self._mine.move_to_end(key)
        self._due[key] = None
        while len(self._mine) > MINE_MAX:
            gone, _ = self._mine.popitem(last=False)
            self._due.pop(gone, None)
        self._news.set()

    async def keep(self) -> None:
        """Until it is cancelled."""
        failures = 0
        while True:
            try:
                await self._talk()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may go well
                failures = 0 if self.connected else failures + 1
                self._now(False, type(error).__name__)
            _mind_cancelling()
            span_s = min(BACKOFF_S * 2 ** min(failures, 10), BACKOFF_S_MAX)
            await self._clock.sleep(span_s * (0.5 + self._clock.dice() / 2))

    async def _talk(self) -> None:
        """One connection's life: it ends with an error."""
        client = self._open()
        listening = client.pubsub()
        try:
            await self._begin(client, listening)
            _mind_cancelling()
            self._due.update(dict.fromkeys(self._mine))  # Redis may have forgotten it
            self._news.set()
            self._now(True)
            await _until_one_fails(self._speak(client), self._listen(listening))
        finally:
            with suppress(Exception):
                await listening.aclose()  # type: ignore[no-untyped-call]
            with suppress(Exception):
                await client.aclose()

    async def _begin(self, client: Redis, listening: PubSub) -> None:
        """Listens first and reads the hash then, so that nothing falls in between."""
        await listening.subscribe(CHANNEL)
        while (message := await listening.get_message(timeout=CONNECT_S)) is not None:
            if message["type"] == "subscribe":
                break
        seconds, microseconds = await client.time()
        self._redis_ahead_s = seconds + microseconds / 1e6 - self._clock.monotonic()
        if await client.hlen(KEPT) <= FIELDS_MAX:
            await self._catch_up(client, await client.hgetall(KEPT))

    async def _catch_up(self, client: Redis, fields: dict[bytes | str, bytes | str]) -> None:
        over = []
        for field, value in fields.items():
            told = self._still_true(value)
            if told is None:
                over.append(field)
            else:
                self._heard(told)
        if over:
            await client.hdel(KEPT, *over)

    def _still_true(self, value: bytes | str) -> Told | None:
        if not isinstance(value, bytes) or len(value) > MESSAGE_BYTES_MAX:
            return None
        try:
            kept = _KEPT.decode(value)
        except msgspec.MsgspecError:
            return None
        age_s = max(0.0, self._clock.monotonic() + self._redis_ahead_s - kept.at_s)
        return None if kept.told.about == "said" and age_s > SAID_S else aged(kept.told, age_s)

    async def _speak(self, client: Redis) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._due:
                key, _ = self._due.popitem(last=False)
                await self._publish(client, key)
                _mind_cancelling()

    async def _publish(self, client: Redis, key: Key) -> None:
        now_s = self._clock.monotonic()
        told, at_s = self._mine[key]
        later = aged(told, now_s - at_s)
        if later is None:
            del self._mine[key]
            return
        field = ":".join(key)
        pipeline = client.pipeline(transaction=False)
        pipeline.publish(CHANNEL, _ENCODER.encode(Message(self._me, later)))
        if later.about == "closed":
            pipeline.hdel(KEPT, field)
        else:
            pipeline.hset(KEPT, field, _ENCODER.encode(Kept(later, now_s + self._redis_ahead_s)))
            pipeline.expire(KEPT, KEPT_S)
        await pipeline.execute()

    async def _listen(self, listening: PubSub) -> None:
        heard_s = self._clock.monotonic()
        while True:
            message = await listening.get_message(timeout=1.0)
            _mind_cancelling()
            now_s = self._clock.monotonic()
            if message is not None:
                heard_s = now_s
                self._take(message["data"] if message["type"] == "message" else b"")
            elif now_s - heard_s > SILENT_S:
                raise TimeoutError  # not even an answer to a ping: nobody is there any more

    def _take(self, data: object) -> None:
        if not isinstance(data, bytes) or not data or len(data) > MESSAGE_BYTES_MAX:
            return
        try:
            message = _MESSAGE.decode(data)
        except msgspec.MsgspecError:
            return
        if message.sender != self._me:
            self._heard(message.told)

    def _now(self, connected: bool, error: str | None = None) -> None:
        """Said once a change."""
        self.connected = connected
        if connected != self._said:
            self._said = connected
            self._events.say("redis", state="connected" if connected else "lost", error=error)


_ENCODER = msgspec.msgpack.Encoder()
_MESSAGE = msgspec.msgpack.Decoder(Message)
_KEPT = msgspec.msgpack.Decoder(Kept)


def _key(told: Told) -> Key:
    """Open and closed are one thing that changes."""
    return ("breaker" if told.about in ("open", "closed") else told.about), told.model


def _mind_cancelling() -> None:
    """The driver swallows a cancellation now and then, when it comes in the moment of an answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _until_one_fails(*works: Coroutine[object, object, None]) -> None:
    """A TaskGroup of Python 3.11 would leave this task marked as being cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
