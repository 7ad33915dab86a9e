"""Equal requests at the same time: one call, and everybody's own answer, row, deadline and way out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.decide.policy import Rulebook
from router.errors import RequestError
from router.ports import Call
from router.serving import Served
from router.vocabulary import Caller, LedgerRow, Outcome, OutcomeKind
from router.wire.ask import read_messages

from .rulebooks import rules_from
from .test_pipeline import CALLER, ask_complete, ask_messages, drained, messages, router_of
from .worlds import ScriptedAnswer, World, answered, events, failed, streamed

K = OutcomeKind
FRAMES = events("Par", "is", ".", model="claude-sonnet-5-5")


class HeldAnswer(ScriptedAnswer):
    """A stream whose events come one by one, when the test lets them."""

    def __init__(self, *frames: bytes | Outcome) -> None:
        super().__init__(frames=list(frames), headers={"content-type": "text/event-stream"})
        self.turns = asyncio.Semaphore(0)
        self.left = False

    async def frames(self) -> AsyncIterator[bytes]:
        try:
            async for frame in super().frames():
                await self.turns.acquire()
                yield frame
        except (asyncio.CancelledError, GeneratorExit):
            self.left = True
            raise

    def let(self, frames: int = 100) -> None:
        for _ in range(frames):
            self.turns.release()


class HeldUpstream:
    """Answers when the test says so; counts its calls."""

    def __init__(self, *answers: ScriptedAnswer) -> None:
        self.calls: list[Call] = []
        self.go = asyncio.Event()
        self.cancelled = 0
        self._answers = list(answers)

    async def send(self, call: Call) -> ScriptedAnswer:
        self.calls.append(call)
        answer = self._answers.pop(0)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return answer


async def many(world: World, count: int, **fields: object) -> list[asyncio.Task[Served]]:
    tasks = [asyncio.ensure_future(ask_messages(world, **fields)) for _ in range(count)]
    await settled()
    return tasks


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def roles(world: World) -> list[str]:
    return sorted(row.role for row in world.ledger.rows)


@pytest.mark.anyio
async def test_a_thousand_equal_requests_are_one_call_and_a_thousand_rows() -> None:
    upstream = HeldUpstream(answered())
    world = World(upstream=upstream)
    tasks = await many(world, 1_000)
    upstream.go.set()
    bodies = {(await task).body for task in tasks}
    assert (len(upstream.calls), len(bodies)) == (1, 1)
    assert roles(world) == ["answer"] + ["shared"] * 999
    assert sum(row.cost_pico for row in world.ledger.rows if row.role == "shared") == 0
    assert len(world.events.requests) == 1_000
    assert not world.pipeline._flights


@pytest.mark.anyio
async def test_who_shares_is_told_so_and_pays_nothing() -> None:
    upstream = HeldUpstream(answered())
    world = World(upstream=upstream)
    tasks = [asyncio.ensure_future(ask_complete(world)) for _ in range(2)]
    await settled()
    upstream.go.set()
    first, second = [router_of(await task) for task in tasks]
    assert (first["shared"], second["shared"], second["attempts"], second["cost_usd"]) == (False, True, [], "0")
    assert first["served_by"] == second["served_by"] == "model"


@pytest.mark.parametrize("other", [{"max_tokens": 101}, {"stream": True}, {"system": "Be kind."}])
@pytest.mark.anyio
async def test_requests_that_differ_have_their_own_calls(other: dict[str, object]) -> None:
    upstream = HeldUpstream(answered(), streamed(*FRAMES) if "stream" in other else answered())
    world = World(upstream=upstream)
    tasks = [*await many(world, 1), *await many(world, 1, **other)]
    upstream.go.set()
    for task in tasks:
        await task
    assert len(upstream.calls) == 2


@pytest.mark.anyio
async def test_two_tenants_never_share() -> None:
    upstream = HeldUpstream(answered(), answered())
    world = World(upstream=upstream)
    ask = read_messages(messages(), {})
    tasks = [
        asyncio.ensure_future(world.pipeline.handle(ask, Caller(tenant=name, request_id=name))) for name in ("a", "b")
    ]
    await settled()
    upstream.go.set()
    await asyncio.gather(*tasks)
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("header", [{"x-router-cache": "off"}])
@pytest.mark.anyio
async def test_a_request_may_have_its_own_call(header: dict[str, str]) -> None:
    upstream = HeldUpstream(answered(), answered())
    world = World(upstream=upstream)
    ask = read_messages(messages(), header)
    tasks = [asyncio.ensure_future(world.pipeline.handle(ask, CALLER)) for _ in range(2)]
    await settled()
    upstream.go.set()
    await asyncio.gather(*tasks)
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("text", ["replies: {single_flight: false}", "tasks: {medical: {personal: true}}"])
@pytest.mark.anyio
async def test_a_policy_may_forbid_it(text: str, tmp_path: Path) -> None:
    rules: Rulebook = rules_from(f"tiers: {{haiku: {{model: claude-haiku-5-5}}}}\n{text}\n", tmp_path)
    upstream = HeldUpstream(answered(), answered())
    world = World(upstream=upstream, rules=lambda: rules)
    tasks = await many(world, 2)
    upstream.go.set()
    await asyncio.gather(*tasks)
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("leaver", [0, 1])
@pytest.mark.anyio
async def test_a_caller_who_leaves_takes_nobody_with_him(leaver: int) -> None:
    upstream = HeldUpstream(answered())
    world = World(upstream=upstream)
    tasks = await many(world, 2)
    tasks[leaver].cancel()
    await settled()
    assert upstream.cancelled == 0
    upstream.go.set()
    assert (await tasks[1 - leaver]).status == 200
    assert [row.billed for row in world.ledger.rows if row.role == "answer"] == ["settled"]
    assert len(world.events.requests) == 2


@pytest.mark.anyio
async def test_when_all_have_left_the_call_is_ended_and_settled_once() -> None:
    upstream = HeldUpstream(answered())
    world = World(upstream=upstream)
    tasks = await many(world, 3)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=False)
    await settled()
    assert upstream.cancelled == 1
    assert [(row.role, row.outcome) for row in world.ledger.rows] == [("answer", "caller_gone")]
    assert not world.pipeline._flights


@pytest.mark.anyio
async def test_a_flight_that_came_to_nothing_is_flown_once_more_and_then_it_is_everybody_s_failure() -> None:
    down = [failed(K.BAD_REQUEST, 400, body=b'{"type":"error"}') for _ in range(3)]
    upstream = HeldUpstream(*down)
    world = World(upstream=upstream)
    tasks = await many(world, 50)
    upstream.go.set()
    assert [(await task).status for task in tasks] == [400] * 50
    assert len(upstream.calls) == 2


@pytest.mark.anyio
async def test_a_stream_is_shared_from_its_first_event_on_by_whoever_comes_while_it_runs() -> None:
    answer = HeldAnswer(*FRAMES)
    upstream = HeldUpstream(answer)
    upstream.go.set()
    world = World(upstream=upstream)
    answer.let(5)
    first = await ask_messages(world, stream=True)
    reading = asyncio.ensure_future(drained(first))
    await settled()
    joining = asyncio.ensure_future(ask_messages(world, stream=True))
    await settled()
    answer.let()
    second = await joining
    assert await reading == await drained(second) == b"".join(FRAMES)
    assert len(upstream.calls) == 1
    assert roles(world) == ["answer", "shared"]
    assert not world.pipeline._flights


@pytest.mark.anyio
async def test_the_first_reader_may_leave_a_stream_that_others_read() -> None:
    answer = HeldAnswer(*FRAMES)
    upstream = HeldUpstream(answer)
    upstream.go.set()
    world = World(upstream=upstream)
    answer.let(5)
    first, second = [await task for task in await many(world, 2, stream=True)]
    assert first.chunks is not None
    await anext(first.chunks)
    await first.chunks.aclose()
    answer.let()
    assert await drained(second) == b"".join(FRAMES)
    assert not answer.left
    assert [row.billed for row in world.ledger.rows if row.role == "answer"] == ["settled"]


@pytest.mark.anyio
async def test_when_the_last_reader_leaves_a_shared_stream_the_call_is_ended() -> None:
    answer = HeldAnswer(*FRAMES)
    upstream = HeldUpstream(answer)
    upstream.go.set()
    world = World(upstream=upstream)
    answer.let(5)
    served = [await task for task in await many(world, 3, stream=True)]
    for one in served:
        assert one.chunks is not None
        await anext(one.chunks)
        await one.chunks.aclose()
    await settled()
    assert answer.closed >= 1
    assert [row.outcome for row in world.ledger.rows if row.role == "answer"] == ["caller_gone"]
    assert not world.pipeline._flights


@pytest.mark.anyio
async def test_a_shared_stream_that_breaks_says_so_to_everybody() -> None:
    answer = HeldAnswer(*FRAMES[:5], Outcome(kind=K.CUT))
    upstream = HeldUpstream(answer)
    upstream.go.set()
    world = World(upstream=upstream)
    answer.let()
    served = [await task for task in await many(world, 3, stream=True)]
    texts = await asyncio.gather(*(drained(one) for one in served))
    assert all(b"router_truncated" in text and b"message_stop" not in text for text in texts)
    rows: list[LedgerRow] = world.ledger.rows
    assert [row.outcome for row in rows if row.role == "answer"] == ["cut"]


@pytest.mark.anyio
async def test_a_slow_reader_holds_nobody() -> None:
    answer = HeldAnswer(*FRAMES)
    upstream = HeldUpstream(answer)
    upstream.go.set()
    world = World(upstream=upstream)
    answer.let(5)
    first = await ask_messages(world, stream=True)
    assert first.chunks is not None
    await anext(first.chunks)  # and then he reads no more
    second = await ask_messages(world, stream=True)
    answer.let()
    assert await drained(second) == b"".join(FRAMES)
    assert b"message_stop" in await drained(first)


@pytest.mark.anyio
async def test_who_waits_for_another_s_answer_keeps_his_own_deadline() -> None:
    upstream = HeldUpstream(answered())
    world = World(upstream=upstream)
    slow = await many(world, 1)
    hurried = read_messages(messages(), {"x-router-deadline-s": "0.01"})
    with pytest.raises(RequestError, match="deadline"):
        await world.pipeline.handle(hurried, CALLER)
    upstream.go.set()
    assert (await slow[0]).status == 200
