"""The HTTP side: keys, headers, paths, framing, the controls, and the cache as a client sees it."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from router.standin import Fault, Limits, Pace, StandIn, running_standin
from router.standin.connection import BODY_BYTES_MAX, Connection, Request
from router.standin.play import Play

from .scene import NEWEST, StoppedClock, body, raw, says
from .wire import HEAD, connect, hang_up


def ask(
    standin: StandIn, method: str = "POST", path: str = "/v1/messages", data: bytes = b"", **headers: str
) -> tuple[Play, Any]:
    """One request without a socket: the play and its body, decoded."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()} or dict(NEWEST)
    path, _, query = path.partition("?")
    play = standin.respond(Request(method, path, query, sent, [], data))
    if play.begin is not None:
        play.begin()
    return play, msgspec.json.decode(play.frames[0].data) if play.frames else None


def stand_in(**options: Any) -> StandIn:
    return StandIn(clock=options.pop("clock", None) or StoppedClock(), **options)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"x_api_key": "k", "anthropic_version": "2026-10-21"}, 200),
        ({"authorization": "bearer k", "anthropic_version": "2026-10-21"}, 200),
        ({"authorization": "Bearer ", "anthropic_version": "2026-10-21"}, 401),
        ({"authorization": "Basic k", "anthropic_version": "2026-10-21"}, 401),
        ({"anthropic_version": "2026-10-21"}, 401),
    ],
)
def test_any_key_is_accepted_and_no_key_is_not(headers: dict[str, str], status: int) -> None:
    play, answer = ask(stand_in(), data=raw(), **headers)
    assert (status, status == 401) == (play.status, answer.get("error", {}).get("type") == "authentication_error")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/messages?beta=true", 200),
        ("GET", "/v1/messages", 404),
        ("GET", "/v1/nothing", 404),
        ("HEAD", "/api/hello", 404),
        ("GET", "/_standin/nothing", 404),
        ("GET", "/v1/models?limit=0", 400),
        ("GET", "/v1/models/claude-nothing", 404),
    ],
)
def test_a_path_answers_or_is_not_found(method: str, path: str, status: int) -> None:
    assert status == ask(stand_in(), method, path, raw())[0].status


def test_every_answer_carries_the_headers_of_the_api() -> None:
    for data in (raw(), b"{}"):
        names = {name for name, _ in ask(stand_in(), data=data)[0].headers}
        assert {"request-id", "anthropic-organization-id", "anthropic-workspace-id", "content-type"} <= names


def test_an_error_names_the_request_id_of_its_header() -> None:
    play, answer = ask(stand_in(), data=b"{}")
    assert dict(play.headers)["request-id"] == answer["request_id"]


def test_the_key_is_in_no_answer() -> None:
    play, _ = ask(stand_in(), data=raw(), x_api_key="sk-secret-key", anthropic_version="2026-10-21")
    assert "sk-secret-key" not in repr(play)


def test_counting_gives_the_prompt_tokens_that_the_message_is_billed_for() -> None:
    standin = stand_in()
    tools = [{"name": "look", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}]
    fields = body(tools=tools, system="s" * 3_000)
    _, counted = ask(standin, path="/v1/messages/count_tokens", data=msgspec.json.encode(fields))
    _, message = ask(standin, data=msgspec.json.encode(fields))
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert counted["input_tokens"] == sum(message["usage"][name] for name in names)
    assert 1 == standin.bill().attempts


def cached(**more: Any) -> bytes:
    mark = {"type": "ephemeral"} | more
    return raw(system=[{"type": "text", "text": "s" * 2_500, "cache_control": mark}])


def reads_and_writes(standin: StandIn, data: bytes, **headers: str) -> tuple[int, int]:
    usage = ask(standin, data=data, **headers)[1]["usage"]
    return usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]


def test_a_prefix_is_written_once_and_then_read() -> None:
    standin = stand_in()
    assert [(0, 1000), (1000, 0)] == [reads_and_writes(standin, cached()) for _ in range(2)]


def test_a_prefix_lives_five_minutes_or_an_hour() -> None:
    for more, seconds in (({}, 300), ({"ttl": "1h"}, 3600)):
        for early, expected in ((1, (1000, 0)), (0, (0, 1000))):
            clock = StoppedClock()
            standin = stand_in(clock=clock)
            reads_and_writes(standin, cached(**more))
            clock.passed_s += seconds - early
            assert expected == reads_and_writes(standin, cached(**more))


def test_two_keys_and_two_models_share_no_cache() -> None:
    standin = stand_in()
    reads_and_writes(standin, cached())
    other = msgspec.json.decode(cached()) | {"model": "claude-sonnet-5-5", "thinking": {"type": "adaptive"}}
    assert (0, 1000) == reads_and_writes(standin, cached(), x_api_key="other", anthropic_version="2026-10-21")
    assert (0, 1000) == reads_and_writes(standin, msgspec.json.encode(other))


@pytest.mark.parametrize(("model", "characters", "written"), [
    ("claude-haiku-5-5", 1_280, 512),
    ("claude-haiku-5-5", 1_277, 0),
    ("claude-haiku-4-5", 13_312, 4_096),
    ("claude-haiku-4-5", 13_308, 0),
])  # fmt: skip
def test_below_the_minimum_of_its_model_nothing_is_cached(model: str, characters: int, written: int) -> None:
    mark = {"type": "text", "text": "s" * characters, "cache_control": {"type": "ephemeral"}}
    assert (0, written) == reads_and_writes(stand_in(), raw(model=model, system=[mark]))


def test_an_entry_exists_only_once_its_first_response_begins() -> None:
    standin = stand_in()
    request = Request("POST", "/v1/messages", "", dict(NEWEST), [], cached())
    first = standin.respond(request)
    assert (0, 1000) == reads_and_writes(standin, cached())
    assert first.begin is not None


def test_warming_up_writes_the_cache_and_says_nothing() -> None:
    standin = stand_in()
    _, message = ask(standin, data=msgspec.json.encode(msgspec.json.decode(cached()) | {"max_tokens": 0}))
    assert ([], "max_tokens", 0) == (message["content"], message["stop_reason"], message["usage"]["output_tokens"])
    assert (1000, 0) == reads_and_writes(standin, cached())


def test_a_limit_is_a_429_with_a_whole_number_of_seconds() -> None:
    standin = stand_in(limits=Limits(requests=1))
    ask(standin, data=raw())
    play, answer = ask(standin, data=raw())
    assert (429, "60", "rate_limit_error") == (play.status, dict(play.headers)["retry-after"], answer["error"]["type"])
    assert 1 == standin.bill().attempts


def test_tokens_read_from_the_cache_do_not_count_against_the_input_limit() -> None:
    standin = stand_in(limits=Limits(input_tokens=1_100))
    assert [200] * 5 == [ask(standin, data=cached())[0].status for _ in range(5)]


def test_faults_are_set_listed_and_cleared_over_http() -> None:
    standin = stand_in()
    ask(standin, path="/_standin/faults", data=b'[{"kind":"status","status":529,"count":1}]')
    assert [529, 200] == [ask(standin, data=raw())[0].status for _ in range(2)]
    _, listed = ask(standin, "GET", "/_standin/faults")
    assert [("status", 1)] == [(armed["fault"]["kind"], armed["hits"]) for armed in listed]
    ask(standin, "DELETE", "/_standin/faults")
    assert [] == ask(standin, "GET", "/_standin/faults")[1]


def test_a_wrong_fault_is_refused_with_the_place_of_the_mistake() -> None:
    play, answer = ask(stand_in(), path="/_standin/faults", data=b'[{"kind":"explode"}]')
    assert 400 == play.status
    assert "$[0].kind" in answer["error"]["message"]


def test_the_bill_is_read_and_cleared_over_http() -> None:
    standin = stand_in()
    ask(standin, data=raw(metadata={"user_id": "u1"}))
    _, bill = ask(standin, "GET", "/_standin/bill")
    assert (1, "0.000004") == (bill["attempts"], bill["cost_usd"])
    assert "u1" == bill["rows"][0]["metadata_user_id"]
    ask(standin, "DELETE", "/_standin/bill")
    assert (0, "0") == tuple(ask(standin, "GET", "/_standin/bill")[1][name] for name in ("attempts", "cost_usd"))


def test_requests_are_kept_only_when_asked_for_and_then_byte_for_byte() -> None:
    told = []
    for keep in (True, False):
        standin = stand_in(keep_requests=keep)
        ask(standin, data=raw())
        told.append(ask(standin, "GET", "/_standin/seen")[1])
    assert [{"/v1/messages": 1}] * 2 == [seen["counts"] for seen in told]
    assert [raw()] == [b64decode(request["body_base64"]) for request in told[0]["requests"]]
    assert [] == told[1]["requests"]


def test_models_tell_what_the_api_tells_and_no_prices() -> None:
    _, page = ask(stand_in(), "GET", "/v1/models?limit=2")
    assert ["claude-haiku-5-5", "claude-sonnet-5-5"] == [model["id"] for model in page["data"]]
    assert (True, False) == (page["has_more"], "price" in str(page))
    _, rest = ask(stand_in(), "GET", f"/v1/models?limit=1000&after_id={page['last_id']}")
    assert ("claude-opus-5-5", False) == (rest["data"][0]["id"], rest["has_more"])
    _, old = ask(stand_in(), "GET", "/v1/models?lifecycle=deprecated")
    assert ["claude-sonnet-4-5"] == [model["id"] for model in old["data"]]


@pytest.mark.anyio
async def test_one_connection_carries_many_requests_even_all_at_once() -> None:
    """Answers to pipelined requests come in the order of the requests, slow ones included."""
    async with running_standin(clock=StoppedClock(), pace=Pace(latency_s=1.0)) as standin:
        reader, writer = await connect(standin)
        for number in range(3):
            data = raw(messages=says(f"number {number}"))
            writer.write(HEAD.format(path="/v1/messages", length=len(data), more="").encode() + data)
        for number in range(3):
            assert b"number %d" % number in await reader.readuntil(b'"stop_reason"')
        await hang_up(writer)


class Wire(asyncio.Transport):
    """The writing end of a connection that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: object) -> None:
        self.written += bytes(data)  # type: ignore[call-overload]

    def is_closing(self) -> bool:
        return False


@pytest.mark.anyio
async def test_a_body_over_32_mb_is_too_large() -> None:
    connection, wire = Connection(stand_in().respond, StoppedClock(), set()), Wire()
    connection.connection_made(wire)
    size = BODY_BYTES_MAX + 1
    connection.data_received(HEAD.format(path="/v1/messages", length=size, more="").encode())
    connection.data_received(bytes(size))
    assert wire.written.startswith(b"HTTP/1.1 413 ")


@pytest.mark.anyio
async def test_a_client_that_asks_first_is_told_to_continue() -> None:
    async with running_standin(clock=StoppedClock()) as standin:
        reader, writer = await connect(standin)
        data = raw()
        more = "expect: 100-continue\r\n"
        writer.write(HEAD.format(path="/v1/messages", length=len(data), more=more).encode())
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        assert b"HTTP/1.1 200 OK\r\n" == await reader.readuntil(b"\r\n")
        await hang_up(writer)


@pytest.mark.anyio
async def test_what_is_no_http_is_refused_and_closed() -> None:
    async with running_standin(clock=StoppedClock()) as standin:
        reader, writer = await connect(standin)
        writer.write(b"hello\r\n\r\n")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 400 ")
        await hang_up(writer)


@pytest.mark.anyio
async def test_stopping_closes_every_connection() -> None:
    async with running_standin(clock=StoppedClock()) as standin:
        standin.faults.add(Fault(kind="stall"))
        reader, writer = await connect(standin)
        writer.write(HEAD.format(path="/v1/messages", length=len(raw()), more="").encode() + raw())
        await reader.readuntil(b"message")
        await standin.stop()
        with suppress(ConnectionResetError):
            while await reader.read(1_000):
                pass
        await hang_up(writer)
        assert "" == standin.url
