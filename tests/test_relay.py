"""Streams through the story: passed on as they came, retried unseen before their first content, and honest after it."""

from __future__ import annotations

import pytest

from router.vocabulary import Outcome, OutcomeKind

from .test_pipeline import ask_complete, ask_messages, drained, header
from .worlds import World, events, streamed

K = OutcomeKind


@pytest.mark.anyio
async def test_a_stream_passes_through_as_the_bytes_that_came() -> None:
    frames = events("Par", "is.")
    world = World(streamed(*frames))
    served = await ask_messages(world, stream=True)
    assert header(served, "content-type") == "text/event-stream; charset=utf-8"
    assert await drained(served) == b"".join(frames)
    assert [row.billed for row in world.ledger.rows] == ["settled"]
    assert world.upstream.answers[0].closed >= 1


@pytest.mark.anyio
async def test_on_complete_a_stream_begins_with_the_choice_and_ends_with_the_receipt() -> None:
    world = World(streamed(*events("Paris.")))
    out = (await drained(await ask_complete(world, stream=True))).split(b"\n\n")
    assert out[0].startswith(b"event: router")
    assert b"message_start" in out[1]
    assert out[-2].startswith(b"event: router")
    assert b'"cost_usd":"0.0003"' in out[-2]


@pytest.mark.parametrize("before_content", [0, 1, 2, 3])
@pytest.mark.anyio
async def test_a_stream_that_breaks_before_its_first_content_is_retried_unseen(before_content: int) -> None:
    broken = streamed(*events("never")[:before_content], Outcome(kind=K.OVERLOADED))
    whole = events("Paris.", model="claude-opus-5-5")
    world = World(broken, streamed(*whole))
    assert await drained(await ask_messages(world, stream=True)) == b"".join(whole)


@pytest.mark.anyio
async def test_a_stream_that_breaks_after_its_first_content_ends_with_an_error_and_no_message_stop() -> None:
    world = World(streamed(*events("Par", "is")[:4], Outcome(kind=K.CUT)))
    out = await drained(await ask_messages(world, stream=True))
    assert b"router_truncated" in out
    assert b"message_stop" not in out
    assert out.count(b"message_start") == 2  # the event's name and its type
    row = world.ledger.rows[0]
    assert (row.billed, row.outcome) == ("estimated", "cut")


@pytest.mark.anyio
async def test_a_caller_who_leaves_a_stream_is_settled_once_and_the_call_is_ended() -> None:
    world = World(streamed(*events("Par", "is.")))
    served = await ask_messages(world, stream=True)
    assert served.chunks is not None
    await anext(served.chunks)
    await served.chunks.aclose()
    assert [(row.outcome, row.billed) for row in world.ledger.rows] == [("caller_gone", "estimated")]
    assert world.upstream.answers[0].closed >= 1
    assert [event["outcome"] for event in world.events.requests] == ["caller_gone"]
