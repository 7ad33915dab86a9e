"""An event loop whose time is made up: when nothing is ready, it is the next timer's time at once.

Rule: nothing here looks at a real clock. The wall clock is apart from the loop's, and may be set wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import count
from random import Random
from typing import Any, TypeVar

Result = TypeVar("Result")

EPOCH_MS = 1_795_000_000_000


class _Waiting:
    """Stands where a loop asks the system for events: there are none, so the time it would wait has passed."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> tuple[()]:
        if timeout_s is None:
            raise RuntimeError("everything waits, and there is nothing to wait for")
        self._loop.now_s += timeout_s
        return ()


class _Future(asyncio.Future[Any]):
    """Hashed by its number, so that a set of futures is gone through in one order in every run."""

    def __init__(self, number: int, loop: VirtualLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class _Task(asyncio.Task[Any]):
    """The same of a task."""

    def __init__(self, number: int, work: Any, loop: VirtualLoop, **more: Any) -> None:
        self.number = number
        super().__init__(work, loop=loop, **more)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own loop over a time that only timers move: sleep, timeout and call_later are the real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._selector = _Waiting(self)
        self._numbers = count()
        self.set_task_factory(lambda _loop, work, **more: _Task(next(self._numbers), work, self, **more))

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(next(self._numbers), self)

    def time(self) -> float:
        return self.now_s

    def _process_events(self, _events: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody waits in a system call, so nobody has to be woken."""


def run_virtually(work: Coroutine[Any, Any, Result]) -> Result:
    """To its end, in no time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class SimClock:
    """Implements ports.Clock over the loop's time. `jump_ms` is how wrong the wall clock is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: Random) -> None:
        self.jump_ms = 0
        self._loop = loop
        self._dice = dice
        self._ids = 0

    def now_ms(self) -> int:
        return EPOCH_MS + self.jump_ms + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def dice(self) -> float:
        return self._dice.random()

    def new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids}"
