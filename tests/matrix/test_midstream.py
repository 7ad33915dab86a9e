"""M1 to M6 of the matrix: a stream that breaks once the first words are out, or before anybody has seen them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from router.standin import Fault

from ..upstream.rawserver import SSE, chunk, delta, event, head
from .api import CLOSE, Play, sends, stream_of, then_silence
from .caller import Told, asked, prompt
from .street import HAIKU, OPUS, SONNET, USUAL, Mother, Played, Scripted, billed, fault, over, scripted

pytestmark = pytest.mark.anyio

END = b"0\r\n\r\n"
WORDS = tuple(f"word {number} " for number in range(3))
WHOLE = stream_of(SONNET, *WORDS)
FIRST_CONTENT = 4  # message_start, content_block_start, ping, then the first words


def begun(*events: bytes) -> bytes:
    return head(SSE, CLOSE) + b"".join(chunk(one) for one in events if one)


def ended(*events: bytes) -> bytes:
    """A body that comes to a good end, whatever is in it."""
    return begun(*events) + END


def code_of(told: Told) -> str:
    """Of the `error` event that a stream of ours ends with."""
    last = told.events[-1]
    assert last["type"] == "error", told.names
    return str(last["error"]["details"]["error_code"])


def well_formed(told: Told) -> bool:
    """One message, its blocks in order, no word twice; whether it came to its end."""
    names, events = told.names, told.events
    assert names.count("message_start") == 1
    starts = [one["index"] for one in events if one["type"] == "content_block_start"]
    assert starts == list(range(len(starts)))
    assert names.count("error") + names.count("message_stop") == 1
    assert names[-1] in ("error", "message_stop")
    return names[-1] == "message_stop"


@pytest.mark.parametrize("after", [FIRST_CONTENT, 6, len(WHOLE) - 1])
async def test_m1_silence_after_the_first_words_ends_the_stream_with_a_word(raw: Scripted, after: int) -> None:
    raw.api.on(SONNET, then_silence(begun(*WHOLE[:after])))
    told = await raw.front.messages(asked(stream=True))
    assert (told.status, code_of(told), told.events[-1]["error"]["type"]) == (200, "router_stream_stall", "api_error")
    assert told.body.startswith(b"".join(WHOLE[:after]))
    assert raw.api.models == [SONNET], "no silent second try"
    (row,) = await raw.front.books(told)
    assert (row.outcome, row.billed, row.input_tokens) == ("stalled", "estimated", 10)
    assert row.output_tokens > 0


async def test_m1_silence_before_the_first_words_is_mended_unseen(raw: Scripted) -> None:
    raw.api.on(SONNET, then_silence(begun(*WHOLE[: FIRST_CONTENT - 1])))
    told = await raw.front.messages(asked(stream=True))
    assert (well_formed(told), raw.api.models) == (True, [SONNET, OPUS])
    assert billed(await raw.front.books(told)) == ["estimated", "settled"]


@pytest.mark.parametrize("ending", ["clean", "cut"])
async def test_m2_a_stream_cut_at_any_byte_is_never_taken_for_whole(raw: Scripted, ending: str) -> None:
    """After each byte of a recorded stream where the body ends well, after each fifth where the connection breaks."""
    recorded, room = b"".join(WHOLE), asyncio.Semaphore(8)
    cuts_at = range(0, len(recorded), 1 if ending == "clean" else 5)
    tail = END if ending == "clean" else b""

    async def one(at: int) -> None:
        """Each has its own stream, found by the number in the request."""
        async with room:
            told = await raw.front.messages(asked(stream=True, metadata={"user_id": f"{at}"}))
        whole = well_formed(told)
        content = recorded[:at].count(b"event: content_block_delta")
        if whole and b"claude-sonnet-5-5" in told.body:
            assert recorded[:at].rstrip().endswith(b'{"type":"message_stop"}'), f"cut after {at} bytes"
        elif not whole:
            assert (code_of(told), content > 0) == ("router_truncated", True), f"cut after {at} bytes"
            passed_on = told.body[: told.body.rindex(b"event: error")]
            assert recorded[:at].startswith(passed_on), "nothing is made up, and what is not whole is dropped"

    async def cuts(wire: Any, request: Any) -> None:
        at = int(msgspec.json.decode(request.body)["metadata"]["user_id"])
        await wire.send(begun(recorded[:at]) + tail)

    raw.api.on(SONNET, cuts)
    await asyncio.gather(*(one(at) for at in cuts_at))
    assert raw.api.models.count(SONNET) == len(cuts_at)


async def test_m2_what_was_cut_is_an_estimate(raw: Scripted) -> None:
    raw.api.on(SONNET, sends(ended(*WHOLE[:6], WHOLE[6][:-5])))
    told = await raw.front.messages(asked(stream=True))
    assert (told.body.startswith(b"".join(WHOLE[:6])), code_of(told)) == (True, "router_truncated")
    (row,) = await raw.front.books(told)
    assert (row.outcome, row.billed, row.input_tokens, row.output_tokens > 0) == ("cut", "estimated", 10, True)


ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded", "extra": [1.50]}, request_id="r")


async def test_m3_an_error_event_is_forwarded_as_it_came_and_the_breaker_is_told(mother: Mother, tmp_path: Any) -> None:
    async with scripted(mother, tmp_path, over(USUAL, {"breaker": {"in_a_row": 2}})) as street:
        street.api.on(SONNET, sends(ended(*WHOLE[:6], ERROR)))
        for _ in range(2):
            told = await street.front.messages(asked(stream=True))
            assert told.body == b"".join(WHOLE[:6]) + ERROR
            (row,) = await street.front.books(told)
            assert (row.outcome, row.billed) == ("overloaded", "estimated")
        assert street.api.models == [SONNET] * 2
        assert (await street.front.standing(SONNET))["breaker"] == "open"


async def test_m3_an_error_event_before_the_first_words_is_mended_unseen(raw: Scripted) -> None:
    raw.api.on(SONNET, sends(ended(*WHOLE[: FIRST_CONTENT - 1], ERROR)))
    told = await raw.front.messages(asked(stream=True))
    assert (well_formed(told), raw.api.models) == (True, [SONNET, OPUS])
    assert billed(await raw.front.books(told)) == ["estimated", "settled"]


NONSENSE = {
    "json": b'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n',
    "utf8": b'event: ping\ndata: {"type":"ping","x":"\xff\xfe"}\n\n',
    "deep": b"event: ping\ndata: " + b"[" * 50_000 + b"\n\n",
    "second_start": WHOLE[0],
    "unopened_block": delta("x").replace(b'"index":0', b'"index":7'),
    "negative_usage": event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": -5}),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_m4_an_event_that_is_no_event_ends_the_stream_with_a_word(raw: Scripted, nonsense: bytes) -> None:
    raw.api.on(SONNET, sends(ended(*WHOLE[:6], nonsense, *WHOLE[6:])))
    told = await raw.front.messages(asked(stream=True))
    assert told.body.startswith(b"".join(WHOLE[:6]))
    assert (code_of(told), len(told.events), raw.api.models) == ("router_bad_stream", 7, [SONNET])
    (row,) = await raw.front.books(told)
    assert (row.outcome, row.billed) == ("bad_answer", "estimated")


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_m4_before_the_first_words_it_is_mended_unseen(raw: Scripted, nonsense: bytes) -> None:
    raw.api.on(SONNET, sends(ended(*WHOLE[:2], nonsense, *WHOLE[2:])))
    told = await raw.front.messages(asked(stream=True))
    assert (well_formed(told), raw.api.models) == (True, [SONNET, OPUS])


BREAKS = [
    fault(kind, after_events=after, share=0.6, seed=after, model=SONNET)
    for kind in ("stream_error", "cut", "no_message_stop", "garbage", "stall")
    for after in (1, 3, 5, 7)
]


@pytest.mark.parametrize("broken", BREAKS, ids=lambda fault: f"{fault.kind}-{fault.after_events}")
async def test_m5_once_words_are_out_no_other_model_goes_on(calm: Played, broken: Fault) -> None:
    calm.api.faults.add(broken)
    for told in await asyncio.gather(
        *(calm.front.messages(asked(stream=True, metadata={"user_id": str(number)})) for number in range(3))
    ):
        well_formed(told)
        models = {one["message"]["model"] for one in told.events if one["type"] == "message_start"}
        assert models == {told.headers["x-router-model"]}


LATE: dict[str, Play] = {
    "stall": then_silence(begun(*WHOLE[:6])),
    "cut": sends(begun(*WHOLE[:6])),
    "error": sends(ended(*WHOLE[:6], ERROR)),
    "nonsense": sends(ended(*WHOLE[:6], NONSENSE["json"])),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
async def test_m6_who_wants_it_whole_gets_another_whole_one(raw: Scripted, late: Play) -> None:
    raw.api.on(SONNET, late)
    told = await raw.front.complete({**prompt(), "max_tokens": 4000})
    assert (told.status, told.text, told.router["model"], raw.api.models) == (200, "Paris.", OPUS, [SONNET, OPUS])
    books = await raw.front.books(told)
    assert billed(books) == ["estimated", "settled"]
    costs = [round(float(attempt["cost_usd"]) * 1e12) for attempt in told.router["attempts"]]
    assert costs == [row.cost_pico for row in books]
    assert round(float(told.router["cost_usd"]) * 1e12) == sum(costs), "the failed one stays on the bill"


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
async def test_m6_so_does_who_wants_his_stream_held_back_until_it_is_whole(raw: Scripted, late: Play) -> None:
    raw.api.on(SONNET, late)
    told = await raw.front.complete({**prompt(router={"buffered": True}), "stream": True})
    names = [name for name in told.names if name != "router"]
    assert (names[0], names[-1], names.count("message_start")) == ("message_start", "message_stop", 1)
    assert raw.api.models == [SONNET, OPUS]


async def test_m6_but_only_while_there_is_time(raw: Scripted) -> None:
    for model in (HAIKU, SONNET, OPUS):
        raw.api.on(model, LATE["stall"])
    told = await raw.front.complete({**prompt(router={"deadline_s": 0.6}), "max_tokens": 4000})
    assert (told.status, raw.api.models) == (504, [SONNET])
    assert billed(await raw.front.books(told)) == ["estimated"]
