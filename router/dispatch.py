"""Walks the ladder: asks decide/fallback.py what to do, does it, and tells it what happened.

Rule: trunk. No decision lives here; the loop is the whole of it.
"""

from __future__ import annotations

import asyncio

import msgspec

from .attempt import GONE, Attempts, Running
from .caching import Caches
from .decide.fallback import Rung, Send, Serve, Stop, Tried, next_move
from .decide.price import worst_pico
from .dress import body, dress, max_tokens, streams_upstream
from .errors import Broken, WireError
from .ports import Answer, Call, Clock
from .story import Story
from .vocabulary import Billed, Dressed, Outcome, OutcomeKind
from .wire.assemble import Assembler
from .wire.reply import outcome_kind

# How long a stream's head may be held back in the hope of its first content: the next event lets it go.
HOLD_S = 1.0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the walk ended: with an answer (`stop` is None), or with a reason to stop."""

    attempts: tuple[Running, ...]
    stop: Stop | None = None

    @property
    def last(self) -> Running | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def answered(self) -> Running:
        """The attempt that answered; only where `stop` is None."""
        assert self.stop is None, "the walk ended with an answer"
        return self.attempts[-1]


class Dispatch:
    """Makes the moves. One per process; it holds no state of any request."""

    def __init__(self, *, attempts: Attempts, caches: Caches, clock: Clock) -> None:
        self._attempts = attempts
        self._caches = caches
        self._clock = clock

    async def walk(self, story: Story, rungs: tuple[Rung, ...], first: Dressed, made: list[Running]) -> Ended:
        """From the first rung to an answer, or to the reason why there is none. `made` grows on the way."""
        tried: tuple[Tried, ...] = ()
        rules, clock = story.rules.policy.fallbacks, self._clock
        while True:
            left_s = story.left_s(clock.monotonic())
            move = next_move(tried, len(rungs), rules, left_s, story.whole_s, clock.dice())
            if isinstance(move, Serve):
                return Ended(attempts=tuple(made))
            if isinstance(move, Stop):
                return Ended(attempts=tuple(made), stop=move)
            if self._would_overspend(story, rungs, move, made):
                return Ended(attempts=tuple(made), stop=Stop("another attempt could pass max_cost_usd", True))
            if move.wait_s > 0:
                await clock.sleep(move.wait_s)
            dressed = first if move.rung == 0 else dress(story, rungs[move.rung])
            if await self._caches.herds.wait(story, dressed, story.left_s(clock.monotonic())):
                dressed = dress(story, rungs[move.rung])  # what it waited for is warm now
            running = await self._attempt(story, dressed, made)
            ended = running.outcome or Outcome(kind=OutcomeKind.ANSWERED)
            tried = (*tried, Tried(rung=move.rung, outcome=ended))

    def _would_overspend(self, story: Story, rungs: tuple[Rung, ...], move: Send, made: list[Running]) -> bool:
        """Attempts that may have been billed count against the caller's own limit."""
        limit = story.ask.words.max_cost_pico
        if limit is None or not made:
            return False
        dressed = dress(story, rungs[move.rung])
        spent = sum(running.cost.pico for running in made)
        return spent + self._worst(story, dressed) > limit

    def _worst(self, story: Story, dressed: Dressed) -> int:
        tokens = max_tokens(story, dressed)
        return worst_pico(story.ask.facts, dressed.model, tokens, story.rules, story.started_ms, story.may_write_1h)

    async def _attempt(self, story: Story, dressed: Dressed, made: list[Running]) -> Running:
        row = story.row(
            attempt_id=self._clock.new_id("att"),
            number=len(made) + 1,
            model=dressed.model,
            tier=dressed.tier,
            at_ms=self._clock.now_ms(),
        )
        row = msgspec.structs.replace(row, worst_pico=self._worst(story, dressed))
        again = any(running.row.model == dressed.model for running in made)
        watch = self._caches.watch(story, dressed, again=again)
        running = await self._attempts.send(self._call(story, dressed), row, story.rules.prices, made, watch)
        answer = running.answer
        if running.outcome is not None or answer is None:
            return running
        try:
            if story.ask.facts.stream:
                await self._hold(story, running, answer)
            else:
                await self._assemble(story, running, answer)
        except Broken as broken:
            running.settle(broken.outcome)
            await answer.close()
        except asyncio.CancelledError:
            running.settle(GONE)
            await asyncio.shield(asyncio.ensure_future(answer.close()))
            raise
        return running

    def _call(self, story: Story, dressed: Dressed) -> Call:
        limits = story.rules.policy.limits
        left_s = story.left_s(self._clock.monotonic())
        stream = streams_upstream(story, dressed)
        return Call(
            body=body(story, dressed),
            headers=story.ask.headers,
            stream=stream,
            # A whole answer's head comes with its body: only the deadline bounds it.
            first_byte_s=min(limits.first_byte_s, left_s) if stream else left_s,
            idle_s=min(limits.idle_timeout_s, left_s) if stream else left_s,
            total_s=left_s,
        )

    async def _hold(self, story: Story, running: Running, answer: Answer) -> None:
        """Read until the first content, so that a failure before it can still be retried unseen."""
        running.frames = answer.frames()
        try:
            async with asyncio.timeout(story.left_s(self._clock.monotonic())):
                await self._until_content(running, answer)
        except TimeoutError:
            raise Broken(Outcome(kind=OutcomeKind.DEADLINE, billed=Billed.UNKNOWN)) from None

    async def _until_content(self, running: Running, answer: Answer) -> None:
        assert answer.reading is not None, "a stream has a reading"
        assert running.frames is not None, "set by whoever holds"
        until_s = self._clock.monotonic() + HOLD_S
        async for run in running.frames:
            running.saw_first_byte()
            running.held.append(run)
            reading = answer.reading
            if reading.content_seen or reading.complete or self._clock.monotonic() >= until_s:
                return

    async def _assemble(self, story: Story, running: Running, answer: Answer) -> None:
        """Read a stream to its end and put the whole message together."""
        assembler = Assembler()
        try:
            async with asyncio.timeout(story.left_s(self._clock.monotonic())):
                async for run in answer.frames():
                    running.saw_first_byte()
                    assembler.add_all(run)
        except TimeoutError:
            raise Broken(Outcome(kind=OutcomeKind.DEADLINE, billed=Billed.UNKNOWN)) from None
        except WireError as error:
            raise Broken(Outcome(kind=OutcomeKind.BAD_ANSWER, billed=Billed.UNKNOWN, detail=str(error))) from None
        assert answer.reading is not None, "a stream has a reading"
        running.whole = assembler.message()
        running.settle(Outcome(kind=outcome_kind(answer.reading.reply()), status=answer.status))
        await answer.close()
