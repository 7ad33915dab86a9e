"""Single flight: equal requests at the same time share one call to the API.

Rule: trunk. Each has its own deadline and its own row; nobody's leaving ends what others wait for. A flight that
came to nothing is flown once more, by one of those who waited, and then it is everybody's failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from .decide.fallback import CALLS, Stop
from .decide.policy import Action
from .dispatch import Ended, terms_of
from .errors import RequestError
from .ports import Clock
from .sharing import Lost, SharedStream
from .story import Story
from .vocabulary import OutcomeKind

HASTE_S = 0.5
K = OutcomeKind
# Of two requests with one key: what may make their ways differ. Who can wait does not hold up who cannot.
Key = tuple[bytes, bool, str, str, bool, int | None]


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request came to: its story, and how the walk ended. `guest`: on another one's call."""

    story: Story
    ended: Ended
    guest: bool = False


Run = Callable[[Story], Awaitable[Arrived]]
Left = Callable[[Story, Ended | None], None]
Choose = Callable[[Story], Story]


class Flight:
    """One call, and those who wait for it."""

    def __init__(self, task: asyncio.Task[Arrived], until_s: float) -> None:
        self.task = task
        self.until_s = until_s  # its leader's deadline
        self.riders = 0
        self.leader_left = False

    @property
    def shared(self) -> SharedStream | None:
        if not self.task.done() or self.task.cancelled() or self.task.exception() is not None:
            return None
        return self.task.result().ended.shared

    @property
    def can_be_joined(self) -> bool:
        if not self.task.done():
            return True
        shared = self.shared
        return shared is not None and shared.is_open and not shared.over


class Flights:
    """Of one process."""

    def __init__(self, clock: Clock, choose: Choose, left: Left) -> None:
        self._clock = clock
        self._choose = choose  # what would be done without a verdict: for those who cannot wait for one
        self._left = left  # told of each who leaves what goes on without him
        self._under_way: dict[Key, Flight] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def fly(self, story: Story, run: Run) -> Arrived:
        """Raises RequestError, as `run` does."""
        key = _key(story)
        for last in (False, True):
            flight = self._under_way.get(key)
            if flight is None or not flight.can_be_joined:
                return await self._lead(key, story, run)
            arrived = await self._joined(flight, story)
            if arrived is not None and (arrived.ended.stop is None or not arrived.guest):
                return arrived
            # A failure is shared in the end, but for what only another one's haste brought to nothing.
            if last and arrived is not None and flight.until_s >= story.until_s - HASTE_S:
                return arrived
        return await run(story)

    async def _lead(self, key: Key, story: Story, run: Run) -> Arrived:
        task: asyncio.Task[Arrived] = asyncio.ensure_future(run(story))
        flight = self._under_way[key] = Flight(task, story.until_s)
        task.add_done_callback(lambda _: self._landed(key, flight, story))
        try:
            return await self._ride(flight)
        except asyncio.CancelledError:
            flight.leader_left = True
            if flight.task.done():  # it came, and he had left: else it is told of when it comes
                await self._left_behind(flight, story)
            raise

    async def _left_behind(self, flight: Flight, story: Story) -> None:
        shared = flight.shared
        if shared is not None:
            await shared.leave()
        self._tell(flight, story)

    def _tell(self, flight: Flight, story: Story) -> None:
        """Of a leader who left, once it is known what his call came to. One that was ended has been told of."""
        task = flight.task
        if task.cancelled():
            return
        arrived = None if task.exception() is not None else task.result()
        if arrived is None:
            self._left(self._choose(story), None)
        elif arrived.ended.shared is not None:
            arrived.ended.shared.when_over(lambda: self._left(arrived.story, arrived.ended))
        else:
            self._left(arrived.story, arrived.ended)

    async def _ride(self, flight: Flight) -> Arrived:
        """Wait for it. The last one who leaves ends it, and sees it settled."""
        flight.riders += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError as cancelled:
            if flight.riders == 1 and not flight.task.done():
                flight.task.cancel(*cancelled.args)
                with suppress(asyncio.CancelledError, RequestError):
                    await asyncio.wait([flight.task])
            raise
        finally:
            flight.riders -= 1

    async def _joined(self, flight: Flight, story: Story) -> Arrived | None:
        """As a guest; None where the flight ended in its leader's own trouble, or was lost."""
        try:
            async with asyncio.timeout(story.left_s(self._clock.monotonic())):
                arrived = await self._ride(flight)
                if flight.shared is not None:
                    await flight.shared.join()
        except TimeoutError:
            story = self._choose(story)
            late = Stop("the deadline passed while another request's answer was awaited", resorts(story, K.DEADLINE))
            return Arrived(story=story, ended=Ended(attempts=(), stop=late))
        except (RequestError, Lost):
            return None
        except asyncio.CancelledError:
            if flight.task.cancelled() and not _is_cancelled():
                return None
            self._left(self._choose(story), None)
            raise
        finally:
            if flight.shared is not None:
                await flight.shared.end_if_empty()
        return _as_guest(story, arrived)

    def _landed(self, key: Key, flight: Flight, story: Story) -> None:
        """Whole answers and failures are over; a stream can be joined while it runs."""
        if flight.leader_left:
            self._tell(flight, story)
        if self._under_way.get(key) is not flight:
            return
        shared = flight.shared
        if shared is None or shared.over:
            del self._under_way[key]
        else:
            if flight.leader_left:
                shared.vacate()
            shared.when_over(lambda: self._gone(key, flight))

    def _gone(self, key: Key, flight: Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]


def _key(story: Story) -> Key:
    words = story.ask.words
    assert story.key is not None, "what has no key is not shared"
    workload = words.workload.value
    return story.key, story.ask.facts.stream, words.fallback, workload, words.buffered, words.max_cost_pico


def resorts(story: Story, kind: OutcomeKind) -> tuple[Action, ...]:
    """What may stand in for an answer after this."""
    return tuple(action for action in terms_of(story).actions(kind) if action not in CALLS)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _as_guest(story: Story, arrived: Arrived) -> Arrived:
    """The guest's own story, with what was decided for both."""
    leader = arrived.story
    story = msgspec.structs.replace(story, choice=leader.choice, verdict=leader.verdict)
    last, stop = arrived.ended.last, arrived.ended.stop
    if stop is not None:  # what may stand in for an answer is said for each of them
        outcome = (last.outcome if last is not None else None) or arrived.ended.shut
        then = resorts(story, K.DEADLINE if outcome is None else outcome.kind)
        stop = Stop(stop.reason, stop.then if leader.broke is not None else then)
    ended = msgspec.structs.replace(arrived.ended, attempts=(), stop=stop, host=last, serves=None)
    return Arrived(story=story, ended=ended, guest=True)
