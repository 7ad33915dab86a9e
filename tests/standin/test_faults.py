"""Every fault does on the wire what its name says, to the requests it was meant for, and to no other."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from router.standin import Fault, Pace, StandIn, running_standin
from router.standin.faults import Faults

from .scene import StoppedClock, raw, says
from .wire import HEAD, Reply, connect, hang_up, post

pytestmark = pytest.mark.anyio


async def faulty(fault: Fault, **fields: Any) -> tuple[Reply | None, StandIn]:
    async with running_standin(clock=StoppedClock()) as standin:
        standin.faults.add(fault)
        return await post(standin, raw(**fields)), standin


async def heard(fault: Fault, **fields: Any) -> Reply:
    reply, _ = await faulty(fault, **fields)
    assert reply is not None
    return reply


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503, 529])
async def test_a_status_comes_in_the_error_shape_and_is_not_billed(status: int) -> None:
    fault = Fault(kind="status", status=status, retry_after=7, error_code="some_code")
    reply, standin = await faulty(fault)
    assert reply is not None
    error = msgspec.json.decode(reply.body)["error"]
    assert (status, "some_code", 0) == (reply.status, error["details"]["error_code"], standin.bill().attempts)
    assert "retry-after: 7\r\n" in reply.head


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cut_at_any_byte_closes_the_connection_in_the_middle(stream: bool) -> None:
    """The bytes before the cut are those of the whole answer, and the framing is never completed."""
    async with running_standin(clock=StoppedClock()) as standin:
        whole = await post(standin, raw(stream=stream))
        assert whole is not None
        for offset in range(0, len(whole.body), 37):
            standin.faults.clear()
            standin.faults.add(Fault(kind="cut", after_bytes=offset))
            cut = await post(standin, raw(stream=stream))
            assert cut is not None
            assert (offset, False) == (len(cut.body), cut.ended)
        assert [False] == list({row.finished for row in standin.bill().rows[1:]})


async def test_a_stream_cut_after_some_events_is_billed_for_what_was_produced() -> None:
    reply, standin = await faulty(Fault(kind="cut", after_events=5), stream=True, messages=says("a" * 300))
    assert reply is not None
    row = standin.bill().rows[0]
    assert ["message_start", "content_block_start", "ping", *["content_block_delta"] * 2] == reply.events
    assert (20, False, None) == (row.output_tokens, row.finished, row.stop_reason)


async def test_a_stream_cut_while_it_thinks_is_billed_for_the_thinking() -> None:
    _, standin = await faulty(Fault(kind="cut", after_events=3), stream=True, thinking={"type": "adaptive"})
    _, later = await faulty(Fault(kind="cut", after_events=8), stream=True, thinking={"type": "adaptive"})
    assert [48, 55] == [entry.bill().rows[0].output_tokens for entry in (standin, later)]


async def test_close_sends_nothing_at_all() -> None:
    reply, standin = await faulty(Fault(kind="close"))
    assert (None, 0) == (reply, standin.bill().attempts)


async def test_a_stream_without_message_stop_ends_cleanly_and_is_not_finished() -> None:
    reply, standin = await faulty(Fault(kind="no_message_stop"), stream=True)
    assert reply is not None
    assert (True, "message_delta") == (reply.ended, reply.events[-1])
    assert not standin.bill().rows[0].finished


async def test_an_error_event_ends_a_stream() -> None:
    reply = await heard(Fault(kind="stream_error", after_events=4), stream=True, messages=says("a" * 300))
    assert (True, ["content_block_delta", "error"]) == (reply.ended, reply.events[-2:])
    assert b'"overloaded_error"' in reply.body


async def test_a_plain_stream_error_is_an_error_body_with_status_200() -> None:
    reply = await heard(Fault(kind="stream_error"))
    assert (200, "error") == (reply.status, msgspec.json.decode(reply.body)["type"])


async def test_a_dropped_event_is_missing_and_nothing_else() -> None:
    reply = await heard(Fault(kind="drop_event", after_events=1), stream=True)
    assert (True, ["message_start", "ping"], "message_stop") == (reply.ended, reply.events[:2], reply.events[-1])


@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_is_a_whole_body_that_does_not_parse(stream: bool) -> None:
    reply = await heard(Fault(kind="garbage"), stream=stream)
    last = reply.body.rsplit(b"data: ", 1)[-1]
    assert reply.ended
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(last)


async def test_a_redirect_points_elsewhere() -> None:
    reply = await heard(Fault(kind="redirect", location="http://127.0.0.1:9/elsewhere"))
    assert 307 == reply.status
    assert "location: http://127.0.0.1:9/elsewhere\r\n" in reply.head


@pytest.mark.parametrize(("kind", "body"), [("null", b"null"), ("html", b"<!doctype html>")])
async def test_a_200_that_is_no_message(kind: Any, body: bytes) -> None:
    reply = await heard(Fault(kind=kind))
    assert (200, True) == (reply.status, reply.body.startswith(body))


@pytest.mark.parametrize("stream", [False, True])
async def test_huge_is_as_large_as_was_asked_for_and_still_parses(stream: bool) -> None:
    reply = await heard(Fault(kind="huge", after_bytes=1_000_000), stream=stream)
    assert reply.ended
    assert 1_000_000 < len(reply.body) < 1_100_000
    assert max(map(len, reply.body.split(b"\n"))) > 1_000_000


async def test_empty_is_a_message_with_nothing_in_it() -> None:
    message = msgspec.json.decode((await heard(Fault(kind="empty"))).body)
    assert ([], "end_turn") == (message["content"], message["stop_reason"])


async def test_max_tokens_cuts_the_text_and_says_so() -> None:
    message = msgspec.json.decode((await heard(Fault(kind="max_tokens"))).body)
    assert ("max_tokens", "You as") == (message["stop_reason"], message["content"][0]["text"][:6])


@pytest.mark.parametrize(("category", "attempts"), [("bio", 1), ("cyber", 0)])
async def test_a_refusal_before_any_output_is_billed_for_some_categories_only(category: str, attempts: int) -> None:
    reply, standin = await faulty(Fault(kind="refusal", error_code=category))
    assert reply is not None
    message = msgspec.json.decode(reply.body)
    assert ("refusal", category) == (message["stop_reason"], message["stop_details"]["category"])
    assert attempts == standin.bill().attempts
    assert (attempts > 0) == (message["usage"]["input_tokens"] > 0)


async def test_a_refusal_in_the_middle_of_a_stream_is_always_billed() -> None:
    reply, standin = await faulty(Fault(kind="refusal", error_code="cyber", after_events=3), stream=True)
    assert reply is not None
    assert (1, True) == (standin.bill().attempts, "content_block_delta" in reply.events)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stall_goes_silent_until_the_client_leaves(stream: bool) -> None:
    """Then the row stays unfinished, with what was produced by then."""
    async with running_standin(clock=StoppedClock()) as standin:
        standin.faults.add(Fault(kind="stall"))
        reader, writer = await connect(standin)
        body = raw(stream=stream)
        writer.write(HEAD.format(path="/v1/messages", length=len(body), more="").encode() + body)
        await reader.readuntil(b"message")
        await hang_up(writer)
        assert [False] == [row.finished for row in standin.bill().rows]


async def test_a_stall_with_an_end_goes_on_after_it() -> None:
    clock = StoppedClock()
    async with running_standin(clock=clock) as standin:
        plain = await post(standin, raw(stream=True))
        standin.faults.add(Fault(kind="stall", after_events=2, delay_s=30.0))
        late = await post(standin, raw(stream=True))
        assert plain is not None
        assert late is not None
        assert (plain.events, 30.0) == (late.events, clock.monotonic())


async def test_a_slow_head_waits_and_then_answers() -> None:
    clock = StoppedClock()
    async with running_standin(clock=clock) as standin:
        standin.faults.add(Fault(kind="slow_head", delay_s=12.0))
        reply = await post(standin, raw())
        assert reply is not None
        assert (200, 12.0) == (reply.status, clock.monotonic())


async def test_pace_spreads_a_stream_over_the_wished_number_of_deltas() -> None:
    clock = StoppedClock()
    async with running_standin(clock=clock, pace=Pace(latency_s=1.0, deltas=20, delta_interval_s=0.5)) as standin:
        reply = await post(standin, raw(stream=True))
        assert reply is not None
        assert (20, 11.0) == (reply.events.count("content_block_delta"), clock.monotonic())


async def test_a_client_that_leaves_a_slow_stream_pays_for_what_it_got() -> None:
    """The clock holds the stream after its third delta until the client has gone."""

    class Gate(StoppedClock):
        def __init__(self) -> None:
            super().__init__()
            self.naps = 0
            self.open = asyncio.Event()

        async def sleep(self, seconds: float) -> None:
            self.naps += 1
            if self.naps > 3:
                await self.open.wait()

    gate = Gate()
    async with running_standin(clock=gate, pace=Pace(deltas=10, delta_interval_s=1.0)) as standin:
        reader, writer = await connect(standin)
        body = raw(stream=True, messages=says("a" * 89))
        writer.write(HEAD.format(path="/v1/messages", length=len(body), more="").encode() + body)
        for _ in range(3):
            await reader.readuntil(b"content_block_delta")
            await reader.readuntil(b"\n\n")
        await hang_up(writer)
        await post(standin, raw())  # by the time this is answered, the hang-up has been noticed
        gate.open.set()
        await post(standin, raw())
        row = standin.bill().rows[0]
        assert (12, False) == (row.output_tokens, row.finished)


def test_a_fault_hits_only_the_model_the_text_and_the_number_it_names() -> None:
    faults = Faults()
    faults.add(Fault(kind="null", model="m", match="needle", count=2))
    asked = [("m", "needle"), ("n", "needle"), ("m", "hay"), ("m", "a needle b"), ("m", "needle")]
    assert [True, False, False, True, False] == [faults.pick(model, text) is not None for model, text in asked]


def test_a_share_is_decided_by_its_seed_alone() -> None:
    def hits(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(Fault(kind="null", share=0.3, seed=seed))
        return [faults.pick("m", "") is not None for _ in range(1_000)]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)
    assert 250 < sum(hits(1)) < 350
