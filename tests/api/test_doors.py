"""What a door takes, what it says about it, and that everything which goes wrong has the one error shape."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator

import msgspec
import pytest

from router.api.admission import Admission
from router.errors import CODES, RequestError
from router.serving import Served
from router.vocabulary import Ask, Caller, Door

from .street import BODY, JSON, LIMIT_BYTES, PROMPT, SSE, STREAM, ask, get, line, open_doors, post, until

pytestmark = pytest.mark.anyio

MESSAGES = b'{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
PATHS = ("/health/live", "/health/ready", "/metrics", "/schema", "/v1/models")


async def test_a_door_writes_what_was_served() -> None:
    async with open_doors() as street:
        told = await ask(street, post())
        assert (200, BODY, "application/json") == (told.status, told.body, told.headers["content-type"])


@pytest.mark.parametrize(
    ("path", "body", "door"),
    [("/complete", PROMPT, Door.COMPLETE), ("/v1/messages?beta=true", MESSAGES, Door.MESSAGES)],
)
async def test_each_door_reads_its_own_form(path: str, body: bytes, door: Door) -> None:
    async with open_doors() as street:
        assert 200 == (await ask(street, post(body, path))).status
        assert [(door, body)] == [(asked.door, asked.raw) for asked, _ in street.pipeline.asked]


async def test_a_count_of_tokens_needs_no_max_tokens_and_explain_tells_the_decision() -> None:
    counted = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
    async with open_doors() as street:
        assert b'{"input_tokens":1}' == (await ask(street, post(counted, "/v1/messages/count_tokens"))).body
        assert b'{"reason":"because"}' == (await ask(street, post(PROMPT, "/explain"))).body


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 128])
async def test_a_request_keeps_the_id_that_its_caller_gave_it(given: str) -> None:
    async with open_doors() as street:
        told = await ask(street, post(x_request_id=given))
        assert (given, given) == (told.headers["x-request-id"], told.headers["request-id"])
        assert given == street.pipeline.asked[0][1].request_id


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "caf\xe9", "a\tb", "{}", "../x"])
async def test_an_id_that_cannot_be_logged_as_it_is_is_replaced(given: str) -> None:
    request = post().replace(b"\r\n\r\n", b"\r\nx-request-id: " + given.encode("latin-1") + b"\r\n\r\n", 1)
    async with open_doors() as street:
        assert (await ask(street, request)).headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_every_answer_has_the_requests_id(path: str) -> None:
    async with open_doors() as street:
        headers = (await ask(street, get(path, x_request_id="mine"))).headers
        assert ("mine", "mine") == (headers["x-request-id"], headers["request-id"])


async def test_the_apis_own_request_id_stays() -> None:
    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=(JSON, ("request-id", "req_theirs")), body=BODY)

    async with open_doors(answering) as street:
        headers = (await ask(street, post(x_request_id="mine"))).headers
        assert ("mine", "req_theirs") == (headers["x-request-id"], headers["request-id"])


async def test_a_header_that_comes_twice_is_one_list() -> None:
    twice = post(MESSAGES, "/v1/messages", anthropic_beta="a-1").replace(
        b"anthropic-beta: a-1", b"anthropic-beta: a-1\r\nAnthropic-Beta: b-2"
    )
    async with open_doors() as street:
        await ask(street, twice)
        assert ("a-1", "b-2") == street.pipeline.asked[0][0].facts.betas


async def test_a_header_cannot_begin_a_line_of_its_own() -> None:
    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=(("x-router-reason", "a\r\nset-cookie: b\x00\u2028"),), body=b"")

    async with open_doors(answering) as street:
        headers = (await ask(street, post())).headers
        assert ("a??set-cookie: b??", False) == (headers["x-router-reason"], "set-cookie" in headers)


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
async def test_json_is_taken_under_any_name(content_type: str) -> None:
    """`curl -d` calls it a form."""
    async with open_doors() as street:
        assert 200 == (await ask(street, post(content_type=content_type))).status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-encoding", "gzip"),
        ("content-encoding", "identity, br"),
        ("content-encoding", "zstd"),
        ("content-type", "multipart/form-data; boundary=x"),
    ],
)
async def test_compressed_bodies_and_forms_of_parts_are_refused(name: str, value: str) -> None:
    async with open_doors() as street:
        told = await ask(street, post(**{name: value}))
        assert (415, "router_encoding", name) == (told.status, told.code, told.error["details"]["field"])


async def test_a_body_over_the_limit_is_refused_before_it_comes() -> None:
    async with open_doors() as street, line(street) as caller:
        caller.say(b"POST /complete HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (LIMIT_BYTES + 1))
        told = await caller.hear()
        assert (413, "router_too_large") == (told.status, told.code)


async def test_a_chunked_body_over_the_limit_is_refused_while_it_comes() -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    async with open_doors() as street, line(street) as caller:
        caller.say(b"POST /complete HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", chunk * 17)
        assert 413 == (await caller.hear()).status


async def test_a_body_of_the_limit_is_taken() -> None:
    body = b'{"prompt":"' + b"a" * (LIMIT_BYTES - 13) + b'"}'
    async with open_doors() as street:
        assert (LIMIT_BYTES, 200) == (len(body), (await ask(street, post(body))).status)


async def test_who_waits_for_a_100_gets_it_or_the_refusal_and_the_end() -> None:
    async with open_doors() as street, line(street) as caller, line(street) as refused:
        head, _, body = post(expect="100-continue").partition(b"\r\n\r\n")
        caller.say(head, b"\r\n\r\n")
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await caller.head()
        caller.say(body)
        assert 200 == (await caller.hear()).status
        refused.say(head, b"\r\nContent-Encoding: gzip\r\n\r\n")
        assert 415 == (await refused.hear()).status
        assert await refused.is_closed()


@pytest.mark.parametrize("room", [Admission(1), Admission(100, body_bytes_at_once=2 * len(PROMPT) - 1)])
async def test_who_finds_no_room_is_told_when_to_come_back(room: Admission) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        inside.set()
        await go_on.wait()
        return Served(status=200, headers=(), body=b"")

    async with open_doors(answering, admission=room) as street, line(street) as first:
        first.say(post())
        await inside.wait()
        told = await ask(street, post())
        assert (503, "router_overloaded", "true") == (told.status, told.code, told.headers["x-should-retry"])
        assert 1 <= int(told.headers["retry-after"]) <= 5
        go_on.set()
        assert 200 == (await first.hear()).status
        assert 200 == (await ask(street, post())).status


async def test_the_bytes_of_a_declared_body_are_held_before_they_come() -> None:
    """Two thousand slow uploads of 32 MB must not all be begun."""
    async with open_doors() as street, line(street) as caller:
        caller.say(b"POST /complete HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\nx")
        await until(lambda: street.admission.body_bytes == 500_000)


async def test_no_such_path_and_no_such_method_have_the_one_shape() -> None:
    async with open_doors() as street:
        lost = await ask(street, post(PROMPT, "/v1/complete"))
        assert (404, "router_not_found", "not_found_error") == (lost.status, lost.code, lost.error["type"])
        wrong = await ask(street, get("/complete"))
        assert (405, "router_method") == (wrong.status, wrong.code)
        assert "POST" in wrong.headers["allow"]
        async with line(street) as caller:
            caller.say(get("/api/hello", "HEAD"))
            assert (await caller.head()).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_written_as_the_list_has_it(code: str) -> None:
    async def answering(_ask: Ask, _caller: Caller) -> Served:
        raise RequestError(code, "do this", field="there", retry_after_s=7)

    async with open_doors(answering) as street:
        told = await ask(street, post())
        means = CODES[code]
        assert (means.status, code, means.type) == (told.status, told.code, told.error["type"])
        assert ("do this", "there", "7") == (
            told.error["message"],
            told.error["details"]["field"],
            told.headers["retry-after"],
        )
        retry = {True: "true", False: "false", None: None}[means.retry]
        assert retry == told.headers.get("x-should-retry")


async def test_a_fault_of_our_own_is_a_500_that_says_nothing_and_a_log_line_that_says_where(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answering(asked: Ask, _caller: Caller) -> Served:
        raise ValueError(asked.raw)

    async with open_doors(answering) as street:
        told = await ask(street, post(b'{"prompt":"canary-in-prompt"}', x_request_id="mine"))
        looked_up = await ask(street, get("/v1/models/broken-canary"))
        assert [(500, "router_internal")] * 2 == [(answer.status, answer.code) for answer in (told, looked_up)]
    written = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "mine failed: ValueError" in written
    assert "test_doors.py" in written
    assert "canary" not in written + told.body.decode() + looked_up.body.decode()


async def test_a_model_that_is_not_there_is_a_404() -> None:
    async with open_doors() as street:
        told = await ask(street, get("/v1/models/gpt"))
        assert (404, "router_unknown_model") == (told.status, told.code)


@pytest.mark.parametrize(
    ("fault", "code"),
    [(ValueError("canary"), "router_internal"), (RequestError("router_deadline", "late"), "router_deadline")],
)
async def test_a_stream_that_fails_in_the_middle_ends_with_an_error_event(fault: Exception, code: str) -> None:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield b"data: x\n\n"
        raise fault

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        return Served(status=200, headers=SSE, chunks=stream())

    async with open_doors(answering) as street, line(street) as caller:
        caller.say(post(STREAM), post(STREAM))
        for _ in range(2):  # the connection can be used again
            told = await caller.hear()
            assert told.body.startswith(b"data: x\n\nevent: error\ndata: ")
            error = msgspec.json.decode(told.body.rpartition(b"data: ")[2])
            assert (told.headers["x-request-id"], code) == (
                error["request_id"],
                error["error"]["details"]["error_code"],
            )
            assert b"canary" not in told.body


async def test_the_head_of_a_stream_waits_for_the_pipeline_and_its_events_for_nothing() -> None:
    let: asyncio.Queue[bytes] = asyncio.Queue()

    async def stream() -> AsyncGenerator[bytes, None]:
        while event := await let.get():
            yield event

    async def answering(_ask: Ask, _caller: Caller) -> Served:
        await let.get()
        return Served(status=200, headers=SSE, chunks=stream())

    async with open_doors(answering) as street, line(street) as caller:
        caller.say(post(STREAM))
        let.put_nowait(b"begin")
        assert b"text/event-stream" in await caller.head()
        for event in (b"event: ping\n\n", b"data: x\n\n"):
            let.put_nowait(event)
            assert event == await caller.chunk()
        let.put_nowait(b"")
        assert b"" == await caller.chunk()


async def test_no_body_whatever_is_a_fault_of_our_own() -> None:
    """P13: garbage, and good bodies with one thing broken."""
    dice = random.Random(7)
    whole = MESSAGES.replace(b'"hi"', b'[{"type":"text","text":"\xc3\xa9"}]')
    bodies = [dice.randbytes(dice.randrange(40)) for _ in range(100)]
    for _ in range(300):
        at = dice.randrange(len(whole))
        bodies.append(
            whole[:at] + dice.choice([b"", b"\x00", b"\xff", b"[" * 100, b'"', b"1e999", b"null"]) + whole[at + 1 :]
        )
    bodies += [
        b"\xef\xbb\xbf" + PROMPT,
        PROMPT.decode().encode("utf-16"),
        b"[" * 10_000,
        b'{"prompt":' + b"9" * 5000 + b"}",
    ]
    async with open_doors() as street, line(street) as caller:
        for body in bodies:
            for path in ("/complete", "/v1/messages"):
                caller.say(post(body, path))
                told = await caller.hear()
                assert told.status < 500, body
