"""Makes one call for one rung: its row, its limits in time, and as much of its answer as may be looked at first.

Rule: trunk. A stream is held back until its first content, because until then a failure can be mended unseen;
until its end where the policy or the caller want it whole.
"""

from __future__ import annotations

import asyncio

import msgspec

from .attempt import GONE, Attempts, Running
from .caching import Caches
from .decide.contract import broken
from .decide.price import input_estimate, worst_pico
from .dress import body, max_tokens, streams_upstream
from .errors import Broken, WireError
from .ports import Answer, Call, Clock, Pass
from .story import Story
from .vocabulary import Billed, Door, Dressed, Outcome, OutcomeKind
from .wire.assemble import Assembler
from .wire.reply import outcome_kind

# How long a stream's head may be held back in the hope of its first content: a model may think for longer than its
# caller's connection stays quiet, so the next event lets it go.
HOLD_S = 10.0
BYTES_PER_TOKEN = 4
# Of the time that is left: the longest that a call waits for its turn at one model, whatever the policy allows.
SHARE_TO_WAIT = 0.25
# A whole answer's head comes with its body: beyond the time to begin, so fast is even a slow model.
TOKENS_PER_S = 30
_LATE = Outcome(kind=OutcomeKind.DEADLINE, billed=Billed.UNKNOWN)
_SLOW_TO_BEGIN = Outcome(kind=OutcomeKind.TIMED_OUT, billed=Billed.UNKNOWN, detail="no content in time")


class Sending:
    """One per process; it holds no state of any request."""

    def __init__(self, *, attempts: Attempts, caches: Caches, clock: Clock) -> None:
        self._attempts = attempts
        self._caches = caches
        self._clock = clock

    async def attempt(
        self,
        story: Story,
        dressed: Dressed,
        leave: tuple[Pass | None, float],
        made: list[Running],
        role: str = "answer",
    ) -> Running:
        """`leave` is the pass to the model, and how long it may take to begin. Running on, if it is a stream."""
        passed, patience_s = leave
        row = story.row(
            attempt_id=self._clock.new_id("att"),
            number=len(made) + 1,
            model=dressed.model,
            tier=dressed.tier,
            at_ms=self._clock.now_ms(),
        )
        row = msgspec.structs.replace(row, role=role, worst_pico=worst(story, dressed))
        again = any(running.row.model == dressed.model for running in made)
        watch = self._caches.watch(story, dressed, again=again)
        call = self._call(story, dressed, patience_s)
        running = await self._attempts.send(call, row, story.rules.prices, made, watch, passed)
        answer = running.answer
        if running.outcome is None and answer is not None:
            await self._looked_at(story, running, answer, call)
        return running

    async def _looked_at(self, story: Story, running: Running, answer: Answer, call: Call) -> None:
        try:
            if story.ask.facts.stream and not story.buffers:
                await self._hold(story, running, answer, call)
            else:
                await self._assemble(story, running, answer, call)
        except Broken as failure:
            running.settle(failure.outcome)
            await answer.close()
        except BaseException:
            running.settle(GONE)
            await asyncio.shield(asyncio.ensure_future(answer.close()))
            raise

    def _call(self, story: Story, dressed: Dressed, patience_s: float) -> Call:
        limits = story.rules.policy.limits
        left_s = story.left_s(self._clock.monotonic())
        stream = streams_upstream(story, dressed)
        begin_s = min(limits.first_byte_s, patience_s, story.first_byte_s)
        whole_s = min(begin_s + max_tokens(story, dressed) / TOKENS_PER_S, patience_s)
        return Call(
            body=body(story, dressed),
            headers=story.ask.headers,
            stream=stream,
            hurried=min(patience_s, left_s) < limits.first_byte_s,
            first_byte_s=min(begin_s if stream else whole_s, left_s),
            idle_s=min(limits.idle_timeout_s, left_s) if stream else left_s,
            total_s=left_s,
        )

    async def _hold(self, story: Story, running: Running, answer: Answer, call: Call) -> None:
        """Read until the first content, so that a failure before it can still be retried unseen."""
        running.frames = answer.frames()
        await self._until_begun(story, running, answer, call)
        try:
            async with asyncio.timeout(story.left_s(self._clock.monotonic())):
                await self._until_content(running, answer)
        except TimeoutError:
            raise Broken(_LATE) from None
        assert answer.reading is not None, "a stream has a reading"
        if answer.reading.complete:  # whole without a word: its end is known before anything was sent
            running.settle(Outcome(kind=outcome_kind(answer.reading.reply()), status=answer.status))

    async def _until_begun(self, story: Story, running: Running, answer: Answer, call: Call) -> None:
        """The head came in time; pings may still put off the first block for ever."""
        assert running.frames is not None, "set by whoever holds"
        assert answer.reading is not None, "a stream has a reading"
        left_s = story.left_s(self._clock.monotonic())
        begin_s = running.started_s + call.first_byte_s - self._clock.monotonic()
        try:
            async with asyncio.timeout(min(left_s, max(begin_s, 0.0))):
                while not answer.reading.begun and not answer.reading.complete:
                    running.held.append(await anext(running.frames))
                    running.saw_first_byte()
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Broken(_LATE if left_s <= begin_s else _SLOW_TO_BEGIN) from None

    async def _until_content(self, running: Running, answer: Answer) -> None:
        assert answer.reading is not None, "a stream has a reading"
        assert running.frames is not None, "set by whoever holds"
        until_s = running.started_s + HOLD_S
        reading = answer.reading
        while not (reading.content_seen or reading.complete):
            run = await anext(running.frames, None)
            if run is None:
                return
            running.held.append(run)
            if self._clock.monotonic() >= until_s:
                return

    async def _assemble(self, story: Story, running: Running, answer: Answer, call: Call) -> None:
        """Read a stream to its end, and put the whole message together."""
        running.frames = answer.frames()
        await self._until_begun(story, running, answer, call)
        assembler = Assembler()
        try:
            async with asyncio.timeout(story.left_s(self._clock.monotonic())):
                async for run in running.frames:
                    running.held.append(run)
            assembler.add_all(b"".join(running.held))
        except TimeoutError:
            raise Broken(_LATE) from None
        except WireError as error:
            raise Broken(Outcome(kind=OutcomeKind.BAD_ANSWER, billed=Billed.UNKNOWN, detail=str(error))) from None
        assert answer.reading is not None, "a stream has a reading"
        running.whole = assembler.message()
        running.held = running.held if story.ask.facts.stream else []
        running.settle(Outcome(kind=outcome_kind(answer.reading.reply()), status=answer.status))
        await answer.close()


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A call that could be made: to whom, its bytes, and what it costs at most."""

    model: str
    tier: str | None
    body: bytes
    input_tokens: int  # about so many
    max_tokens: int
    worst_pico: int


def ready(story: Story, dressed: Dressed) -> Ready:
    return Ready(
        model=dressed.model,
        tier=dressed.tier,
        body=body(story, dressed),
        input_tokens=input_estimate(story.ask.facts),
        max_tokens=max_tokens(story, dressed),
        worst_pico=worst(story, dressed),
    )


def input_tokens(story: Story, dressed: Dressed) -> int:
    """About so many count against the limit of the model."""
    facts = story.ask.facts
    text = facts.system_bytes + facts.tools_bytes + facts.messages_bytes - facts.media_bytes
    read = dressed.caching.expected.tokens if dressed.caching is not None else 0
    return max(0, text // BYTES_PER_TOKEN - read)


def worst(story: Story, dressed: Dressed) -> int:
    """What the call costs at most."""
    tokens = max_tokens(story, dressed)
    return worst_pico(story.ask.facts, dressed.model, tokens, story.rules, story.started_ms, story.may_write_1h)


def judged(story: Story, running: Running) -> Outcome:
    """How the attempt ended, its answer held against what the task promises. A stream has left already."""
    outcome = running.outcome or Outcome(kind=OutcomeKind.ANSWERED)
    if outcome.kind is not OutcomeKind.ANSWERED or not running.whole:
        return outcome
    if story.ask.door is not Door.COMPLETE or story.ask.facts.has_format:
        return outcome
    running.broken = broken(story.task.output, running.whole, story.rules.contracts.get(story.chosen.task))
    if running.broken is None:
        return outcome
    return msgspec.structs.replace(outcome, kind=OutcomeKind.BROKEN_CONTRACT)
