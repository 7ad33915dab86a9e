"""U14, U15 and U18 to U21 of the matrix: a 200 that is no answer, far too much of one, or one that is odd and right."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ..upstream.rawserver import JSON, SSE, Request, Wire, chunk, chunked, error, event, head, http, message
from .api import CLOSE, Play, says, sends, stream_of
from .caller import SECRET, asked, of_task, prompt
from .street import CALM, HAIKU, OPUS, SONNET, USUAL, Mother, Played, Scripted, billed, fault, over, played, scripted

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


def without(*names: str) -> bytes:
    fields = msgspec.json.decode(message(model=SONNET))
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in names})


def counted(**usage: Any) -> bytes:
    return message(model=SONNET, usage=usage)


# What a 200 has been seen to carry that is no message. The secret is in each: none of it may get into a log.
NO_ANSWERS: dict[str, bytes] = {
    "not_json": b"{" + SECRET.encode(),
    "cut_json": message(SECRET, model=SONNET)[:-9],
    "html": b"<!doctype html><h1>" + SECRET.encode(),
    "nothing": b"",
    "null": b"null",
    "list": msgspec.json.encode([SECRET]),
    "number": b"5",
    "other_object": msgspec.json.encode({"type": "completion", "text": SECRET}),
    "no_usage": without("usage"),
    "no_content": without("content"),
    "no_id": without("id"),
    "negative_usage": counted(input_tokens=-5, output_tokens=5),
    "no_output_tokens": counted(input_tokens=5),
    "usage_in_words": counted(input_tokens="five", output_tokens=5),
    "an_error": error("overloaded_error", text=SECRET),
    "not_utf8": message("x", model=SONNET).replace(b'"x"', b'"\xff\xfe"'),
    "deep": b'{"content":' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_u14_a_200_that_is_no_message_is_a_failure(raw: Scripted, body: bytes) -> None:
    raw.api.on(SONNET, says(200, body))
    told = await raw.front.messages(asked())
    assert (told.status, told.headers["x-router-model"], raw.api.models) == (200, OPUS, [SONNET, OPUS])
    broken, _ = books = await raw.front.books(told)
    # An error in a 200 is that error: the API itself says that it generated nothing.
    expected = "void" if b"overloaded_error" in body else "unknown"
    assert billed(books) == [expected, "settled"]
    assert broken.cost_pico == (0 if expected == "void" else broken.worst_pico)


@pytest.mark.parametrize("header", ["content-type: text/html", "content-type: text/event-stream", "x-none: here"])
async def test_u14_an_answer_in_another_form_is_a_failure(raw: Scripted, header: str) -> None:
    raw.api.on(SONNET, says(200, message(model=SONNET), header))
    told = await raw.front.messages(asked())
    assert (told.status, told.headers["x-router-model"]) == (200, OPUS)
    assert billed(await raw.front.books(told)) == ["unknown", "settled"]


async def test_u14_where_a_stream_was_asked_for_a_whole_body_is_a_failure(raw: Scripted) -> None:
    raw.api.on(SONNET, says(200, message(model=SONNET)))
    told = await raw.front.messages(asked(stream=True))
    assert (told.names[-1], raw.api.models) == ("message_stop", [SONNET, OPUS])


async def test_u14_an_answer_by_another_model_is_billed_as_that_one(raw: Scripted) -> None:
    """It may be an alias or a fallback of the API's own: it is passed on as it came, and costs what it costs."""
    body = message(model=HAIKU)
    raw.api.on(SONNET, says(200, body))
    raw.api.on(HAIKU, says(200, body))
    one, other = [await raw.front.messages(asked(model=model)) for model in ("sonnet", "haiku")]
    assert (one.status, one.body) == (200, body)
    costs = [(await raw.front.books(told))[0].cost_pico for told in (one, other)]
    assert costs[0] == costs[1] > 0


async def test_u14_where_nobody_answers_it_is_a_502_and_the_breakers_are_told(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, over(USUAL, {"breaker": {"in_a_row": 2}})) as street:
        for model in (HAIKU, SONNET, OPUS):
            street.api.on(model, says(200, NO_ANSWERS["html"]))
        for path, fields in (("/v1/messages", asked()), ("/complete", prompt())):
            told = await street.front.ask(path, fields)
            assert (told.status, told.code, told.headers["x-should-retry"]) == (502, "router_bad_upstream", "false")
            assert SECRET.encode() not in told.body
        canned = await street.front.complete(of_task("canned"))
        assert canned.router["served_by"] == "canned"
        assert street.api.models == [SONNET, OPUS, HAIKU] * 2, "two failures opened each of the breakers"


def high_water(pid: int) -> int:
    """The most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def padded(wire: Wire, bytes_to_come: int) -> Any:
    async def sent() -> None:
        for _ in range(bytes_to_come // MIB):
            await wire.send(b"a" * MIB)

    return sent()


async def huge(wire: Wire, _request: Request) -> None:
    """80 MiB of one JSON string."""
    await wire.send(f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {80 * MIB}\r\n\r\n".encode() + b'{"id":"')
    await padded(wire, 80 * MIB)


async def endless_line(wire: Wire, _request: Request) -> None:
    """80 MiB of one event."""
    await wire.send(head(SSE) + chunk(b"".join(stream_of(SONNET)[:2])) + b"5000000\r\ndata: ")
    await padded(wire, 80 * MIB)


BOMB = gzip.compress(b" " * (200 * MIB), 1)
FAR_TOO_MUCH: dict[str, tuple[Play, bool]] = {
    "huge": (huge, False),
    "endless_line": (endless_line, True),
    "gzip_bomb": (says(200, BOMB, JSON, "content-encoding: gzip"), False),
    "gzip_bomb_in_an_error": (says(500, BOMB, JSON, "content-encoding: gzip"), False),
    "one_long_header": (says(200, message(), JSON, "x-long: " + "a" * 100_000), False),
    "many_headers": (says(200, message(), JSON, *(f"x-{number}: {'a' * 90}" for number in range(1000))), False),
}


@pytest.mark.parametrize("name", FAR_TOO_MUCH)
async def test_u15_far_too_much_is_cut_and_costs_no_memory(raw: Scripted, name: str) -> None:
    play, stream = FAR_TOO_MUCH[name]
    before = high_water(raw.front.pid)
    for model in (HAIKU, SONNET, OPUS):
        raw.api.on(model, play)
    told = await raw.front.messages(asked(stream=stream))
    if name != "gzip_bomb_in_an_error":  # that one is a 500, with a body that nobody needs
        assert (told.status, told.code) == (502, "router_bad_upstream")
        # Of a stream the beginning was seen, with the figures of its input.
        assert set(billed(await raw.front.books(told))) == {"estimated" if stream else "unknown"}
    assert told.status >= 500
    assert high_water(raw.front.pid) - before <= 64 * MIB


async def test_u18_an_empty_answer_is_passed_on_and_counted(calm: Played) -> None:
    calm.api.faults.add(fault("empty"))
    before = await calm.front.counter('tierwise_outcomes_total{kind="empty"}')
    told = await calm.front.messages(asked())
    assert (told.status, told.json["content"], calm.models()) == (200, [], [SONNET])
    (row,) = await calm.front.books(told)
    assert (row.outcome, row.billed, row.cost_pico) == ("empty", "settled", calm.api.bill().rows[-1].cost_pico)
    assert await calm.front.counter('tierwise_outcomes_total{kind="empty"}') == before + 1


KEPT = over(CALM, {"replies": {"ttl_s": 600}, "tasks": {"asks_up": {"on": {"refused": ["up", "serve"]}}}})


@pytest.mark.parametrize("category", ["bio", "cyber"])
async def test_u19_a_refusal_is_an_answer_and_never_kept(mother: Mother, tmp_path: Path, category: str) -> None:
    async with played(mother, tmp_path, KEPT) as street:
        street.api.faults.add(fault("refusal", error_code=category, model=SONNET))
        for _ in range(2):
            told = await street.front.messages(asked())
            assert (told.status, told.json["stop_reason"], told.headers["x-router-attempts"]) == (200, "refusal", "1")
            (row,) = await street.front.books(told)
            assert (row.outcome, row.billed) == ("refused", "settled")
            assert row.cost_pico == sum(
                one.cost_pico for one in street.api.bill().rows if one.message_id == told.json["id"]
            )
        assert street.models() == [SONNET, SONNET]
        up = await street.front.complete(of_task("asks_up"))
        assert (up.router["model"], up.router["degraded"]) == (OPUS, True), "the policy wants another tier asked"
        street.api.faults.add(fault("refusal", model=OPUS))
        refused = await street.front.complete(of_task("asks_up", "Once more."))
        assert (refused.status, refused.json["stop_reason"], refused.router["outcome"]) == (200, "refusal", "refused")


@pytest.mark.parametrize("stop", ["max_tokens", "pause_turn", "model_context_window_exceeded", "something_new"])
async def test_u20_an_answer_that_did_not_end_by_itself_is_passed_on_and_never_kept(
    mother: Mother, tmp_path: Path, stop: str
) -> None:
    body = message("And then", stop=stop, model=SONNET)
    async with scripted(mother, tmp_path, KEPT) as street:
        street.api.on(SONNET, says(200, body))
        for _ in range(2):
            told = await street.front.messages(asked())
            assert (told.status, told.body, told.headers["x-router-attempts"]) == (200, body, "1")
            assert billed(await street.front.books(told)) == ["settled"]
        assert street.api.models == [SONNET, SONNET], "asked anew, and never continued by itself"
        street.api.on(SONNET, says(200, message("The end.", model=SONNET)))
        kept = [(await street.front.complete(prompt())).router["served_by"] for _ in range(2)]
        assert kept == ["model", "cache"], "what did end by itself is kept"


async def test_u21_unknown_events_and_blocks_are_forwarded_untouched(raw: Scripted) -> None:
    start, *between, end, delta, stop = stream_of(SONNET)
    stream = (
        start,
        event("weather_report", sky="grey", nested={"é": [1, 2.50]}),
        event("content_block_start", index=0, content_block={"type": "hologram", "of": {"x": 1.0}}),
        event("content_block_delta", index=0, delta={"type": "hologram_delta", "part": "…"}),
        event("content_block_stop", index=0),
        *(one.replace(b'"index":0', b'"index":1') for one in (*between, end)),
        delta.replace(b'"usage":{', b'"brand_new":{"a":[]},"usage":{"novel_tokens":3,'),
        stop,
    )
    raw.api.on(SONNET, sends(chunked(*stream)))
    told = await raw.front.messages(asked(stream=True))
    assert (told.status, told.body) == (200, b"".join(stream))
    assert billed(await raw.front.books(told)) == ["settled"]


async def test_u21_an_unknown_block_in_a_whole_answer_is_forwarded_untouched(raw: Scripted) -> None:
    body = message(model=SONNET, content=[{"type": "hologram", "of": {"x": 1.0}}, {"type": "text", "text": "é"}], new=5)
    raw.api.on(SONNET, sends(http(200, body, JSON, CLOSE)))
    told = await raw.front.messages(asked())
    assert (told.status, told.body) == (200, body)
