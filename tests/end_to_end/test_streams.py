"""Streams that break, stall or lose their caller: no partial answer is passed off as whole."""

from __future__ import annotations

import asyncio
import time

import anthropic
import msgspec
import pytest

from router.ledger.report import rows
from router.vocabulary import LedgerRow

from .street import TURN, Street, events_of, messages, raw


def whole_stream(street: Street) -> bytes:
    status, body = raw(street, messages(model="sonnet", stream=True))
    assert status == 200
    return body


FIRST_CONTENT = 4  # message_start, content_block_start, ping, then the first delta


@pytest.mark.parametrize("kind", ["stream_error", "cut", "no_message_stop", "garbage"])
@pytest.mark.parametrize("after", range(1, 9))
def test_a_stream_that_breaks_is_retried_unseen_or_says_so(street: Street, kind: str, after: int) -> None:
    """Row 20 and M5: before the first content another model answers, whole; after it, an error, and no end."""
    street.fault(kind=kind, after_events=after, count=1)
    names = events_of(whole_stream(street))
    assert names.count("message_start") == 1
    if names[-1] == "message_stop":
        assert "error" not in names
    else:
        assert (names[-1], "message_stop" in names, "content_block_delta" in names) == ("error", False, True)
    if after < FIRST_CONTENT:
        assert (names[-1], street.calls()) == ("message_stop", 2)


def test_a_stream_cut_at_any_byte_is_never_taken_for_whole(street: Street) -> None:
    """Row 21 and M2."""
    whole = whole_stream(street)
    for after_bytes in range(1, len(whole), 37):
        street.fresh()
        street.fault(kind="cut", after_bytes=after_bytes, count=1)
        names = events_of(whole_stream(street))
        complete = names[-1] == "message_stop"
        assert complete != ("error" in names), f"cut after {after_bytes} bytes"
        assert names.count("message_start") == 1


@pytest.mark.anyio
async def test_the_sdks_own_accumulator_takes_every_stream(client: anthropic.AsyncAnthropic) -> None:
    """Row 22: order, indexes and the end are as the API has them."""
    stream = await client.messages.create(model="auto", max_tokens=500, messages=[TURN], stream=True)
    seen = [event async for event in stream]
    assert (seen[0].type, seen[-1].type) == ("message_start", "message_stop")
    starts = [event.index for event in seen if event.type == "content_block_start"]
    assert starts == list(range(len(starts)))


@pytest.mark.parametrize("after", [1, 4, 7])
def test_a_stalled_stream_frees_its_place_in_time(street: Street, after: int) -> None:
    """Row 23 and M1: the idle timeout of this policy is 0.3 s; the stand-in would be silent for a minute."""
    street.fault(kind="stall", after_events=after, count=1)
    names = events_of(whole_stream(street))
    assert names[-1] == ("message_stop" if after < FIRST_CONTENT else "error")
    ready = msgspec.json.decode(street.front.get("/health/ready")[1])
    assert ready["in_flight"] == 0


def until_called(street: Street) -> None:
    until = time.monotonic() + 10
    while not street.calls():
        assert time.monotonic() < until
        time.sleep(0.01)


async def leave_after(street: Street, fields: dict[str, object], bytes_read: int) -> None:
    body = msgspec.json.encode(fields)
    reader, writer = await asyncio.open_connection("127.0.0.1", street.front.port)
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-request-id: leaver\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    if bytes_read:
        await reader.readexactly(bytes_read)
    else:
        await asyncio.to_thread(until_called, street)
    writer.transport.abort()
    await asyncio.sleep(0)  # the loop closes the socket in its next turn


async def row_of_the_leaver(street: Street, known: int) -> LedgerRow:
    """The row that came after `known` others, once it is settled."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = rows(street.data_dir)
        if len(found) > known and found[-1].billed != "intent":
            return found[-1]
        await asyncio.sleep(0.01)
    raise AssertionError("the attempt of a caller who left was never settled")


@pytest.mark.anyio
async def test_a_caller_who_leaves_a_stream_ends_the_call_and_is_billed_for_what_was_made(street: Street) -> None:
    known = len(rows(street.data_dir))
    street.fault(kind="stall", after_events=6, delay_s=30)
    await leave_after(street, messages(stream=True), 600)
    row = await row_of_the_leaver(street, known)
    assert (row.request_id, row.outcome, row.billed) == ("leaver", "caller_gone", "estimated")
    assert [entry["finished"] for entry in street.bill()] == [False]
    # Thinking that is not shown is billed and cannot be counted: the row says what was seen, and a bound.
    assert 0 < row.cost_pico <= int(str(street.bill()[0]["cost_pico"])) <= row.worst_pico


@pytest.mark.anyio
async def test_a_caller_who_leaves_before_the_answer_ends_the_call(street: Street) -> None:
    known = len(rows(street.data_dir))
    street.fault(kind="slow_head", delay_s=30)
    await leave_after(street, messages(), 0)
    row = await row_of_the_leaver(street, known)
    assert (row.outcome, row.billed, row.cost_pico) == ("caller_gone", "unknown", row.worst_pico)
