"""No answer, or another one than a 200: rows U1 to U13, U16, U17 and M6 of the fault matrix."""

from __future__ import annotations

import asyncio

import pytest

from router.ports import Call
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Billed, OutcomeKind

from .calls import BODY, PLAIN, answer_to, outcome_to, upstream_to
from .rawserver import JSON, Request, Wire, answering, chunk, error, head, http, message, serving

pytestmark = pytest.mark.anyio
K = OutcomeKind


@pytest.mark.parametrize(
    ("status", "type_", "code", "kind"),
    [
        pytest.param(400, "invalid_request_error", None, K.BAD_REQUEST, id="u01"),
        pytest.param(401, "authentication_error", None, K.AUTHENTICATION, id="u02-401"),
        pytest.param(403, "permission_error", None, K.PERMISSION, id="u02-403"),
        pytest.param(402, "billing_error", None, K.BILLING, id="u03-402"),
        pytest.param(400, "invalid_request_error", "contract_spend_limit_reached", K.SPEND_LIMITED, id="u03-400"),
        pytest.param(404, "not_found_error", None, K.NOT_FOUND, id="u04"),
        pytest.param(413, "request_too_large", None, K.TOO_LARGE, id="u05"),
        pytest.param(429, "rate_limit_error", None, K.RATE_LIMITED, id="u06"),
        pytest.param(429, "rate_limit_error", "enforced_spend_limit_reached", K.SPEND_LIMITED, id="u07-spend"),
        pytest.param(429, "rate_limit_error", "ramp_limit_exceeded", K.RAMP_LIMITED, id="u07-ramp"),
        pytest.param(500, "api_error", None, K.SERVER_ERROR, id="u08-500"),
        pytest.param(503, "api_error", None, K.SERVER_ERROR, id="u08-503"),
        pytest.param(504, "timeout_error", None, K.UPSTREAM_TIMEOUT, id="u08-504"),
        pytest.param(529, "overloaded_error", None, K.OVERLOADED, id="u09"),
    ],
)
async def test_u01_to_u09_an_error_status_is_one_call_with_its_bytes_kept(
    status: int, type_: str, code: str | None, kind: K
) -> None:
    body = error(type_, code)
    async with upstream_to(answering(http(status, body, JSON, "retry-after: 7", "x-should-retry: true"))) as (
        upstream,
        server,
    ):
        answer = await upstream.send(PLAIN)
    assert answer.outcome is not None
    assert (kind, status, 7.0, True) == (
        answer.outcome.kind,
        answer.outcome.status,
        answer.outcome.retry_after_s,
        answer.outcome.should_retry,
    )
    assert (body, "7", 1) == (answer.body, answer.headers["retry-after"], server.connections)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b"\xff", b"[" * 50_000, b'{"error":{"details":5}}'])
async def test_u08_an_error_status_counts_whatever_its_body_is(body: bytes) -> None:
    answer = await answer_to(http(500, body))
    assert answer.outcome is not None
    assert (K.SERVER_ERROR, body) == (answer.outcome.kind, answer.body)


async def test_u08_an_error_whose_body_never_comes_still_counts_as_its_status() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 529 Overloaded\r\ncontent-length: 500\r\nretry-after: 7\r\n\r\n{")
        wire.cut()

    async with upstream_to(script) as (upstream, _):
        answer = await upstream.send(PLAIN)
    assert answer.outcome is not None
    assert (K.OVERLOADED, 7.0, b"") == (answer.outcome.kind, answer.outcome.retry_after_s, answer.body)


async def test_u10_a_refused_connection_is_provably_not_sent() -> None:
    async with serving(answering()) as server:
        url = server.url
    upstream = ClaudeUpstream(base_url=url, api_key="key")
    outcome = (await upstream.send(PLAIN)).outcome
    await upstream.close()
    assert outcome is not None
    assert (K.CONNECT_FAILED, Billed.VOID, 0) == (outcome.kind, outcome.billed, outcome.status)


async def test_u10_a_failed_tls_handshake_is_provably_not_sent() -> None:
    async def script(wire: Wire) -> None:
        await wire.send(b"this is no TLS\r\n\r\n")

    async with serving(script) as server:
        upstream = ClaudeUpstream(base_url=server.url.replace("http:", "https:"), api_key="key")
        outcome = (await upstream.send(PLAIN)).outcome
        await upstream.close()
    assert outcome is not None
    assert (K.CONNECT_FAILED, Billed.VOID) == (outcome.kind, outcome.billed)


async def test_u11_a_call_that_arrived_and_was_cut_leaves_the_bill_open_and_is_not_sent_twice() -> None:
    seen: list[Request] = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(http(200, message()))
        seen.append(await wire.request())
        wire.cut()

    async with upstream_to(script) as (upstream, server):
        first = await upstream.send(PLAIN)
        second = await upstream.send(PLAIN)
    assert first.reply is not None
    assert second.outcome is not None
    assert (K.CONNECTION_LOST, Billed.UNKNOWN) == (second.outcome.kind, second.outcome.billed)
    assert (2, 1) == (len(seen), server.connections)


async def test_u11_a_connection_that_the_api_closed_while_idle_is_not_used_again() -> None:
    async with upstream_to(answering(http(200, message()))) as (upstream, server):
        first = await upstream.send(PLAIN)
        await server.hung_up.wait()
        for _ in range(3):  # turns of the loop, in which the end arrives
            await asyncio.sleep(0)
        second = await upstream.send(PLAIN)
    assert first.reply == second.reply is not None
    assert 2 == server.connections


async def test_u12_no_head_in_time_is_a_timeout_with_an_open_bill_and_hangs_up() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.gone()

    async with upstream_to(script) as (upstream, server):
        outcome = (await upstream.send(Call(body=BODY, first_byte_s=0.02))).outcome
        await server.hung_up.wait()
    assert outcome is not None
    assert (K.TIMED_OUT, Billed.UNKNOWN) == (outcome.kind, outcome.billed)


async def test_u13_a_body_that_trickles_without_end_is_cut_at_its_total_time() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(JSON))
        while True:
            await wire.send(chunk(b" "))
            await asyncio.sleep(0)

    async with upstream_to(script) as (upstream, server):
        outcome = (await upstream.send(Call(body=BODY, total_s=0.05))).outcome
        await server.hung_up.wait()
    assert outcome is not None
    assert (K.TIMED_OUT, Billed.UNKNOWN) == (outcome.kind, outcome.billed)


async def test_u13_a_body_that_falls_silent_has_stalled() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(JSON) + chunk(message()[:20]))
        await wire.gone()

    async with upstream_to(script) as (upstream, server):
        outcome = (await upstream.send(Call(body=BODY, idle_s=0.02))).outcome
        await server.hung_up.wait()
    assert outcome is not None
    assert (K.STALLED, Billed.UNKNOWN) == (outcome.kind, outcome.billed)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["{other}/v1/messages", "/elsewhere", "http://[", ""])
async def test_u16_a_redirect_is_never_followed(status: int, target: str) -> None:
    async with serving(answering(http(200, message()))) as other:
        location = f"location: {target.format(other=other.url)}"
        answer = await answer_to(http(status, b"", location))
        assert 0 == other.connections
    assert answer.outcome is not None
    assert (K.REDIRECTED, Billed.VOID, {}) == (answer.outcome.kind, answer.outcome.billed, answer.headers)


async def test_u17_hints_before_the_answer_are_passed_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n"
    assert K.ANSWERED == (await outcome_to(hints + http(200, message()))).kind


async def test_u17_bytes_after_the_answer_poison_the_connection() -> None:
    script = answering(http(200, message()) + http(200, message("smuggled")))
    async with upstream_to(script) as (upstream, server):
        first = await upstream.send(PLAIN)
        second = await upstream.send(PLAIN)
    assert (message(), message(), 2) == (first.body, second.body, server.connections)


@pytest.mark.parametrize(("declared", "kind"), [(-5, K.BAD_ANSWER), (5, K.CONNECTION_LOST)])
async def test_u17_a_length_that_is_wrong_is_no_answer(declared: int, kind: K) -> None:
    body = message()
    response = http(200, body).replace(
        f"content-length: {len(body)}".encode(), f"content-length: {len(body) + declared}".encode()
    )
    outcome = await outcome_to(response)
    assert (kind, Billed.UNKNOWN) == (outcome.kind, outcome.billed)


async def test_u17_what_is_no_http_is_no_answer() -> None:
    outcome = await outcome_to(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    assert (K.BAD_ANSWER, Billed.UNKNOWN) == (outcome.kind, outcome.billed)


async def test_m06_a_whole_answer_that_breaks_off_late_has_no_reply_and_an_open_bill() -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(head(JSON) + chunk(message()))
        wire.cut()

    async with upstream_to(script) as (upstream, _):
        answer = await upstream.send(PLAIN)
    assert answer.outcome is not None
    assert (K.CONNECTION_LOST, Billed.UNKNOWN, None, 200) == (
        answer.outcome.kind,
        answer.outcome.billed,
        answer.reply,
        answer.outcome.status,
    )
