"""What leaves for the API: the caller's bytes, our key, and nothing else."""

from __future__ import annotations

import pytest

from router.ports import Call, Upstream
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Billed, OutcomeKind

from .calls import BODY, answer_to, upstream_to
from .rawserver import Request, Wire, http, message, serving

pytestmark = pytest.mark.anyio
K = OutcomeKind


async def sent_by(call: Call, response: bytes) -> Request:
    """What arrives at the API."""
    seen: list[Request] = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(response)

    async with upstream_to(script) as (upstream, _):
        await upstream.send(call)
    return seen[0]


def test_the_edge_is_the_port() -> None:
    upstream: type[Upstream] = ClaudeUpstream
    assert callable(upstream.send)


async def test_the_body_arrives_byte_for_byte_with_our_key_and_nothing_of_this_process() -> None:
    body = b'{ "model" : "claude-haiku-5-5",\n "max_tokens":64000, "unknown": [1.0, "\\u00e9"] }'
    request = await sent_by(Call(body=body), http(200, message()))
    assert ("POST", "/v1/messages", body) == (request.method, request.path, request.body)
    told = {name: request.headers[name] for name in ("authorization", "accept-encoding", "content-type")}
    assert {
        "authorization": "Bearer key-of-the-test",
        "accept-encoding": "identity",
        "content-type": "application/json",
    } == told
    assert "2026-10-21" == request.headers["anthropic-version"]
    assert {"x-stainless-timeout", "x-stainless-read-timeout", "x-stainless-retry-count"} == {
        name for name in request.headers if name.startswith("x-stainless")
    }


async def test_the_callers_anthropic_headers_win_and_nothing_else_of_the_caller_travels() -> None:
    headers = (
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "a-2026-01-01,b-2026-02-02"),
        ("authorization", "Bearer stolen"),
        ("x-api-key", "stolen"),
        ("cookie", "stolen"),
        ("x-stainless-raw-response", "stream"),
    )
    request = await sent_by(Call(body=BODY, headers=headers), http(200, message()))
    assert ("2023-06-01", "a-2026-01-01,b-2026-02-02") == (
        request.headers["anthropic-version"],
        request.headers["anthropic-beta"],
    )
    assert "Bearer key-of-the-test" == request.headers["authorization"]
    assert not {"x-api-key", "cookie", "x-stainless-raw-response"} & set(request.headers)


async def test_a_path_in_front_of_the_api_and_a_query_behind_it_are_kept() -> None:
    seen: list[Request] = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(http(200, message()))

    async with serving(script) as server:
        upstream = ClaudeUpstream(base_url=f"{server.url}/gateway/", auth_token="token-of-the-test")
        answer = await upstream.send(Call(body=BODY, path="/v1/messages?beta=true"))
        await upstream.close()
    assert ("/gateway/v1/messages?beta=true", "Bearer token-of-the-test") == (
        seen[0].path,
        seen[0].headers["authorization"],
    )
    assert answer.reply is not None, "a message is read as one with a query too"


async def test_a_get_has_no_body_and_any_object_is_its_answer() -> None:
    call = Call(body=b"", path="/v1/models?limit=1000", method="GET")
    request = await sent_by(call, http(200, b'{"data":[]}'))
    assert ("GET", "/v1/models?limit=1000", b"") == (request.method, request.path, request.body)
    answer = await answer_to(http(200, b'{"data":[]}'), call)
    assert (b'{"data":[]}', None) == (answer.body, answer.reply)
    assert answer.outcome is not None
    assert (K.ANSWERED, Billed.VOID) == (answer.outcome.kind, answer.outcome.billed)
