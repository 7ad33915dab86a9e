"""Answers that many processes share through Redis, with the memory of the process itself before it.

Rule: nothing waits long for Redis and nothing fails with it: what cannot be reached is not there. Each value says
whose it is and under which key, and both are checked when it is read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ..errors import StartError
from ..ports import Clock, Events
from ..vocabulary import Fingerprint, KeptReply
from .outage import Outage
from .replies import ISOLATION, MemoryReplies, size_of

WAIT_S = 0.02  # nobody waits longer for a command
COMMAND_S = 0.5  # and by then it has ended
RUNNING_MAX = 32  # commands at once; one more is not made
WAITING_BYTES_MAX = 16 * 1024 * 1024  # of answers to be written; beyond it an answer is kept in this process only
PREFIX = b"tierwise:reply:1:"
FAILURES = "redis_failures"  # the counter, by what failed


class Sealed(msgspec.Struct, frozen=True):
    """A value as it lies in Redis."""

    key: bytes
    kept: KeptReply


class Failed(msgspec.Struct, frozen=True):
    """What a command came to that has no answer."""


FAILED = Failed()
_encode = msgspec.msgpack.Encoder().encode
_DECODER = msgspec.msgpack.Decoder(Sealed)
Command = Callable[[], Awaitable[Any]]


class RedisReplies:
    """Implements ports.Replies. `keep()` writes what was put, until it is cancelled; then `close()`."""

    def __init__(self, url: str, local: MemoryReplies, clock: Clock, events: Events, *, wait_s: float = WAIT_S) -> None:
        """Raises StartError; the address may hold a password, so it is in no message."""
        self._client = _client(url)
        self._local = local
        self._clock = clock
        self._events = events
        self._wait_s = wait_s
        self._outage = Outage()
        self._running: set[asyncio.Task[object]] = set()
        self._waiting: deque[tuple[bytes, KeptReply]] = deque()
        self._waiting_bytes = 0
        self._more = asyncio.Event()

    async def get(self, key: bytes, tenant: str) -> KeptReply | None:
        """What this process holds, unless it is stale and another one has made it anew."""
        held = self._local.held(key, tenant)
        if held is not None and self._clock.now_ms() < held.fresh_ms:
            return held
        found = self._unsealed(await self._soon(lambda: self._client.get(PREFIX + key)), key, tenant)
        if found is None or (held is not None and held.made_ms >= found.made_ms):
            return held
        self._local.put(key, found)
        return found

    def put(self, key: bytes, kept: KeptReply, fingerprint: Fingerprint | None = None) -> None:
        self._local.put(key, kept, fingerprint)
        if self._waiting_bytes + size_of(kept) > WAITING_BYTES_MAX:
            self._events.count(FAILURES, "reply_not_written")
            return
        self._waiting.append((key, kept))
        self._waiting_bytes += size_of(kept)
        self._more.set()

    async def near(self, fingerprint: Fingerprint, tenant: str, threshold: float) -> KeptReply | None:
        """Of this process alone: in Redis nothing is looked for by its likeness."""
        return await self._local.near(fingerprint, tenant, threshold)

    async def keep(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits; what Redis does not take is kept in this process only."""
        while self._waiting:
            key, kept = self._waiting.popleft()
            self._waiting_bytes -= size_of(kept)
            await self._write(key, kept)

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=2 * COMMAND_S)
        await _quietly(self._client.aclose)

    async def _write(self, key: bytes, kept: KeptReply) -> None:
        left_ms = kept.stale_ms - self._clock.now_ms()
        if left_ms > 0:
            value = _encode(Sealed(key, kept))
            await self._soon(lambda: self._client.set(PREFIX + key, value, px=left_ms))

    def _unsealed(self, value: object, key: bytes, tenant: str) -> KeptReply | None:
        if not isinstance(value, bytes):
            return None
        try:
            sealed = _DECODER.decode(value)
        except msgspec.DecodeError:  # of another program, or of a later version
            self._events.count(FAILURES, "reply_unreadable")
            return None
        if sealed.key == key and sealed.kept.tenant == tenant:
            return sealed.kept
        # A connection that gives one reader another's answer is trusted no more, nor are those beside it.
        self._events.count(ISOLATION)
        self._events.say("redis_mixed_up", about="replies")
        self._start(self._client.connection_pool.disconnect)
        return None

    async def _soon(self, command: Command) -> object:
        """The command's answer if it comes in time, else FAILED.

        It runs in a task of its own that nobody cancels: a reader who gives up, or is cancelled, must not leave a
        connection behind on which the next reader finds his answer.
        """
        if len(self._running) >= RUNNING_MAX or not self._outage.lets(self._clock.monotonic()):
            return FAILED
        task = self._start(command)
        await asyncio.wait({task}, timeout=self._wait_s)
        answer = task.result() if task.done() and not task.cancelled() else FAILED
        if answer is FAILED:
            self._events.count(FAILURES, "replies")
        if self._outage.learn(answer is not FAILED, self._clock.monotonic()):
            self._events.say("redis", about="replies", state="left alone" if self._outage.on else "used again")
        return answer

    def _start(self, command: Command) -> asyncio.Task[object]:
        task = asyncio.create_task(_quietly(command))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


async def _quietly(command: Command) -> object:
    try:
        return await command()
    except Exception:  # noqa: BLE001  whatever a driver raises: no request fails for what was kept
        return FAILED


def _client(url: str) -> Any:
    try:
        from redis.asyncio import Redis  # noqa: PLC0415  an optional extra
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError:
        raise StartError("replies kept in Redis need the extra: pip install 'tierwise[redis]'") from None
    try:
        return Redis.from_url(
            url,
            # The third version of the protocol lets a server speak unasked, and the driver then takes over
            # connections on which something unread is waiting; with the second it gives those up.
            protocol=2,
            socket_timeout=COMMAND_S,
            socket_connect_timeout=COMMAND_S,
            retry=Retry(NoBackoff(), 0),
            max_connections=RUNNING_MAX,
        )
    except ValueError:
        raise StartError(
            "the address of Redis is not one: it should look like redis://host:6379/0, rediss:// or unix://"
        ) from None
