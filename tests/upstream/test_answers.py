"""A whole 200: rows U14 and U18 to U21 of the fault matrix."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ports import Call
from router.upstream.whole import judged
from router.vocabulary import Billed, OutcomeKind

from .calls import BODY, PLAIN, answer_to, outcome_to
from .rawserver import error, http, message

pytestmark = pytest.mark.anyio
K = OutcomeKind


async def test_a_whole_answer_comes_back_as_it_left_with_its_headers() -> None:
    headers = (
        "Content-Type: application/json; charset=utf-8",
        "Request-Id: req_7",
        "anthropic-ratelimit-requests-remaining: 99",
        "anthropic-organization-id: org",
        "retry-after: 3",
        "x-should-retry: false",
        "x-two: a",
        "x-two: b",
        "connection: keep-alive",
        "set-cookie: tracked=yes",
        "keep-alive: timeout=5",
    )
    answer = await answer_to(http(200, message(), *headers))
    assert (200, message()) == (answer.status, answer.body)
    assert {
        "content-type": "application/json; charset=utf-8",
        "request-id": "req_7",
        "anthropic-ratelimit-requests-remaining": "99",
        "anthropic-organization-id": "org",
        "retry-after": "3",
        "x-should-retry": "false",
        "x-two": "a, b",
    } == answer.headers
    assert answer.reply is not None
    assert answer.outcome is not None
    assert (10, 5, Billed.SETTLED) == (
        answer.reply.usage.input_tokens,
        answer.reply.usage.output_tokens,
        answer.outcome.billed,
    )


@pytest.mark.parametrize("body", [b"[]", b"null", b"17", b"<html>", b"", b'{"a":"\xff"}', b'{"a":' * 20_000])
async def test_u14_a_count_that_is_no_object_is_no_answer(body: bytes) -> None:
    outcome = await outcome_to(http(200, body), Call(body=BODY, path="/v1/messages/count_tokens"))
    assert K.BAD_ANSWER == outcome.kind


NO_MESSAGES = {
    "html": b"<html><body>Bad gateway</body></html>",
    "null": b"null",
    "list": b"[]",
    "number": b"17",
    "empty": b"",
    "object": b"{}",
    "half": message()[:-9],
    "two": message() + message(),
    "bad utf-8": message().replace(b"Paris", b"\xff\xfe"),
    "deep": b'{"content":' + b"[" * 100_000,
    "no usage": msgspec.json.encode({"id": "m", "type": "message", "model": "x", "content": []}),
    "negative usage": message(usage={"input_tokens": -1, "output_tokens": 5}),
    "usage of text": message(usage={"input_tokens": "1", "output_tokens": 5}),
    "null content": message(content=None),
    "another type": message(type="completion"),
}


@pytest.mark.parametrize("body", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
async def test_u14_a_200_that_is_no_message_is_no_answer_and_leaves_the_bill_open(body: bytes) -> None:
    answer = await answer_to(http(200, body))
    assert answer.outcome is not None
    assert (K.BAD_ANSWER, Billed.UNKNOWN, None) == (answer.outcome.kind, answer.outcome.billed, answer.reply)
    assert "Paris" not in answer.outcome.detail


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_u14_no_body_whatsoever_raises_or_is_taken_for_a_message(body: bytes) -> None:
    for call in (PLAIN, Call(body=BODY, path="/v1/messages/count_tokens"), Call(body=BODY, stream=True)):
        answer = judged(call, {}, body)
        assert answer.outcome is not None
        assert answer.reply is None


@given(st.data())
def test_u14_a_message_with_bytes_changed_is_settled_or_refused_but_never_a_crash(data: st.DataObject) -> None:
    body = bytearray(message())
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=5)):
        body[place] = data.draw(st.integers(0, 255))
    answer = judged(PLAIN, {}, bytes(body))
    assert answer.outcome is not None
    assert (answer.reply is not None) == (answer.outcome.billed is Billed.SETTLED)


@pytest.mark.parametrize("header", ["content-type: text/html", "content-type: text/event-stream", "x-none: 1"])
async def test_u14_a_message_in_another_wrapping_is_no_answer(header: str) -> None:
    assert K.BAD_ANSWER == (await outcome_to(http(200, message(), header))).kind


@pytest.mark.parametrize("status", [201, 202, 204, 206])
async def test_u14_a_success_that_is_no_200_is_no_answer(status: int) -> None:
    body = b"" if status == 204 else message()
    assert K.BAD_ANSWER == (await outcome_to(http(status, body))).kind


@pytest.mark.parametrize(
    ("type_", "code", "kind"),
    [
        ("overloaded_error", None, K.OVERLOADED),
        ("rate_limit_error", None, K.RATE_LIMITED),
        ("rate_limit_error", "ramp_limit_exceeded", K.RAMP_LIMITED),
        ("api_error", None, K.SERVER_ERROR),
        ("tomorrows_error", None, K.STREAM_ERROR),
    ],
)
async def test_u14_an_error_in_the_clothes_of_a_200_is_that_error(type_: str, code: str | None, kind: K) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        answer = await answer_to(http(200, error(type_, code)), Call(body=BODY, path=path))
        assert answer.outcome is not None
        assert (kind, None) == (answer.outcome.kind, answer.reply)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(message(""), K.EMPTY, id="u18"),
        pytest.param(message(stop="refusal"), K.REFUSED, id="u19"),
        pytest.param(message(stop="max_tokens"), K.CUT_AT_MAX_TOKENS, id="u20-max_tokens"),
        pytest.param(message(stop="model_context_window_exceeded"), K.CONTEXT_EXCEEDED, id="u20-context"),
        pytest.param(message(stop="pause_turn"), K.ANSWERED, id="u20-pause"),
        pytest.param(message(stop="tomorrows_reason"), K.ANSWERED, id="u20-unknown"),
        pytest.param(
            message(content=[{"type": "tomorrow", "x": 1}, {"type": "text", "text": "a"}]), K.ANSWERED, id="u21"
        ),
    ],
)
async def test_u18_to_u21_every_way_a_message_can_end_is_told_and_settled(body: bytes, kind: K) -> None:
    answer = await answer_to(http(200, body))
    assert answer.outcome is not None
    assert (kind, Billed.SETTLED, body) == (answer.outcome.kind, answer.outcome.billed, answer.body)
