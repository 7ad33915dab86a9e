"""A running stream that more than one caller may read, each at his own pace and until he leaves.

Rule: trunk. Alone, its first caller reads straight from the API. When a second one comes, a task of the stream's
own reads on, so that nobody's leaving ends what others read. What came is kept once, for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from .attempt import GONE, Running
from .errors import Broken
from .vocabulary import Outcome
from .wire.reply import outcome_kind

Whole = Callable[[list[bytes]], None]


class Lost(Exception):
    """The caller who read it left before anybody could take over."""


class SharedStream:
    """Of one attempt."""

    def __init__(self, running: Running, whole: Whole | None = None) -> None:
        self.running = running
        self.runs: list[bytes] = list(running.held)
        self.over = running.frames is None
        self._whole = whole
        self._broken: Broken | None = None
        self._seats = 1  # its first caller's
        self._pulling = False  # its first caller waits for the API right now
        self._wanted = False  # somebody else would like to read it
        self._lost = False
        self._pump: asyncio.Task[None] | None = None
        self._news: set[asyncio.Future[None]] = set()
        self._when_over: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """May somebody still join?"""
        return not self._lost and (self.over or self._seats > 0)

    @property
    def has_others(self) -> bool:
        return self._seats > 1 or (self._pump is not None and self._seats > 0)

    def vacate(self) -> None:
        """Its first caller has left before it came, and others wait for it."""
        self._seats -= 1

    async def end_if_empty(self) -> None:
        if self._seats <= 0 and (not self.over or self.running.outcome is None):
            await self._end_call()

    async def join(self) -> None:
        """Take a seat from the stream's beginning on. Raises Lost."""
        self._seats += 1
        self._wanted = True
        try:
            while not self.over and self._pump is None:
                if not self._pulling:
                    self._start()
                    break
                await self._until_news()
            if self._lost:
                raise Lost
        except BaseException:
            self._seats -= 1
            raise

    def settle(self, outcome: Outcome) -> None:
        """By its only reader."""
        self.running.settle(outcome)
        self.over = True
        self._tell()

    async def leave(self) -> None:
        """Give the seat back. The last one who leaves ends the call."""
        self._seats -= 1
        if self._seats <= 0:
            await self._end_call()

    async def _end_call(self) -> None:
        if self._pump is not None and not self._pump.done():
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
        self.running.settle(GONE)
        self.over = True
        self._tell()
        if self.running.answer is not None:
            await self.running.answer.close()

    async def direct(self) -> AsyncGenerator[bytes, None]:
        """As its first caller reads it: nothing between him and the API until somebody else comes."""
        at, held = 0, len(self.runs)
        while at < held:
            at += 1
            yield self.runs[at - 1]
        while not self.over and self._pump is None:
            pulled = await self._pull()
            if pulled is None:
                break
            at += 1
            yield pulled
        async for run in self.follow(at):
            yield run

    async def follow(self, at: int = 0) -> AsyncGenerator[bytes, None]:
        """From one of the runs on, until its end."""
        while True:
            while at < len(self.runs):
                at += 1
                yield self.runs[at - 1]
            if self.over:
                break
            await self._until_news()
        if self._broken is not None:
            raise self._broken

    async def _pull(self) -> bytes | None:
        frames = self.running.frames
        assert frames is not None, "a stream that is not over has more to come"
        self._pulling = True
        try:
            run = await anext(frames)
            self.runs.append(run)
        except StopAsyncIteration:
            self._end(None)
            return None
        except Broken as broken:
            self._end(broken)
            return None
        except BaseException:
            self._lost = self.over = True
            raise
        finally:
            self._pulling = False
            if self._wanted and not self.over and self._pump is None:
                self._start()
            self._tell()
        return run

    def _start(self) -> None:
        self._pump = asyncio.ensure_future(self._read_on())

    async def _read_on(self) -> None:
        frames = self.running.frames
        assert frames is not None, "a stream that is not over has more to come"
        try:
            async for run in frames:
                self.runs.append(run)
                self._tell()
            self._end(None)
        except Broken as broken:
            self._end(broken)
        finally:
            self.over = True
            self._tell()

    def _end(self, broken: Broken | None) -> None:
        """Settle, whoever is still there to hear of it."""
        self.over, self._broken = True, broken
        answer = self.running.answer
        if broken is not None:
            self.running.settle(broken.outcome)
        elif answer is not None and answer.reading is not None:
            self.running.settle(Outcome(kind=outcome_kind(answer.reading.reply()), status=answer.status))
            if self._whole is not None:
                self._whole(self.runs)

    def when_over(self, tell: Callable[[], None]) -> None:
        """Called once, when it is settled and nobody can join any more."""
        if self.over and self.running.outcome is not None:
            tell()
        else:
            self._when_over.append(tell)

    def _tell(self) -> None:
        if self.over and self.running.outcome is not None:
            tells, self._when_over = self._when_over, []
            for tell in tells:
                tell()
        for waiting in self._news:
            if not waiting.done():
                waiting.set_result(None)
        self._news.clear()

    async def _until_news(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news.add(waiting)
        try:
            await waiting
        finally:
            self._news.discard(waiting)


class FirstSeat:
    """The stream, as the caller reads it whose request it was."""

    def __init__(self, shared: SharedStream) -> None:
        self._shared = shared
        self._own: Outcome | None = None

    @property
    def outcome(self) -> Outcome | None:
        return self._own or self._shared.running.outcome

    def runs(self) -> AsyncGenerator[bytes, None]:
        return self._shared.direct()

    def settle(self, outcome: Outcome | None) -> None:
        """Where others read on, the call is theirs to settle."""
        self._own = self._own or self._shared.running.outcome or outcome
        if outcome is not None and not self._shared.has_others:
            self._shared.settle(outcome)

    async def close(self) -> None:
        await self._shared.leave()


class GuestSeat:
    """The stream, as a caller reads it who asked the same. `settled` writes his own row."""

    def __init__(self, shared: SharedStream, settled: Callable[[Outcome], None]) -> None:
        self._shared = shared
        self._settled = settled
        self.outcome: Outcome | None = None

    def runs(self) -> AsyncGenerator[bytes, None]:
        return self._shared.follow()

    def settle(self, outcome: Outcome | None) -> None:
        if self.outcome is None:
            self.outcome = outcome or self._shared.running.outcome
            if self.outcome is not None:
                self._settled(self.outcome)

    async def close(self) -> None:
        await self._shared.leave()
