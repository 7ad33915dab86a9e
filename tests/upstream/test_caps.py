"""U15: an answer without measure is cut at its cap, with little memory, and its connection is closed."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator

import pytest

from router.upstream.caps import DEFAULT_CAPS, Caps
from router.vocabulary import Billed, OutcomeKind

from .calls import PLAIN, STREAM, answer_to, outcome_to, stream_of, upstream_to
from .rawserver import JSON, SSE, Script, Wire, answering, chunk, chunked, delta, error, events, head, http, message

pytestmark = pytest.mark.anyio
K = OutcomeKind
MIB = 1024 * 1024
SMALL = Caps(answer_bytes=64 * 1024, event_bytes=4 * 1024, error_bytes=8 * 1024, head_bytes=2 * 1024)


@pytest.fixture
def memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def peak_mib() -> float:
    return tracemalloc.get_traced_memory()[1] / MIB


def endless(first: bytes, then: bytes) -> Script:
    """Sends on until the client hangs up."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(first)
        while True:
            await wire.send(then)

    return script


async def test_the_caps_are_those_of_the_contract() -> None:
    assert (32 * MIB, 4 * MIB, 64 * 1024) == (
        DEFAULT_CAPS.answer_bytes,
        DEFAULT_CAPS.event_bytes,
        DEFAULT_CAPS.head_bytes,
    )


@pytest.mark.usefixtures("memory")
async def test_u15_a_gzip_bomb_is_never_inflated() -> None:
    bomb = gzip.compress(bytes(20 * MIB), 1)
    for call, wrapping in ((PLAIN, JSON), (STREAM, SSE)):
        tracemalloc.reset_peak()
        outcome = await outcome_to(http(200, bomb, wrapping, "content-encoding: gzip"), call)
        assert (K.BAD_ANSWER, Billed.UNKNOWN) == (outcome.kind, outcome.billed)
        assert peak_mib() < 4


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("framing", ["content-length: 300000000", "transfer-encoding: chunked"])
async def test_u15_a_body_of_300_mb_is_cut_at_32_mib_and_hung_up_on(framing: str) -> None:
    start = f"HTTP/1.1 200 OK\r\n{JSON}\r\n{framing}\r\n\r\n".encode()
    piece = b" " * MIB if "length" in framing else chunk(b" " * MIB)
    async with upstream_to(endless(start, piece)) as (upstream, server):
        answer = await upstream.send(PLAIN)
        await server.hung_up.wait()
    assert answer.outcome is not None
    assert (K.TOO_BIG, Billed.UNKNOWN, b"") == (answer.outcome.kind, answer.outcome.billed, answer.body)
    assert peak_mib() < 64


@pytest.mark.usefixtures("memory")
async def test_u15_a_line_without_end_in_a_stream_is_cut_at_4_mib() -> None:
    start = head(SSE) + chunk(events()[0]) + chunk(b"event: content_block_delta\ndata: ")
    passed_on, broken = await stream_of(endless(start, chunk(b"x" * MIB)))
    assert events()[0] == passed_on
    assert broken is not None
    assert (K.TOO_BIG, Billed.ESTIMATED) == (broken.outcome.kind, broken.outcome.billed)
    assert peak_mib() < 24


async def test_u15_a_stream_of_small_events_without_end_is_cut_too() -> None:
    start = head(SSE) + b"".join(chunk(part) for part in events()[:4])
    passed_on, broken = await stream_of(endless(start, chunk(delta("on and on"))), caps=SMALL)
    assert len(passed_on) <= SMALL.answer_bytes
    assert broken is not None
    assert K.TOO_BIG == broken.outcome.kind


async def test_u15_an_answer_just_under_its_cap_is_whole() -> None:
    body = message("x" * (SMALL.answer_bytes - len(message("")) - 30))
    assert K.ANSWERED == (await outcome_to(http(200, body), caps=SMALL)).kind
    assert K.TOO_BIG == (await outcome_to(http(200, body + b" " * 100), caps=SMALL)).kind


async def test_u15_a_head_over_its_cap_is_too_big() -> None:
    for lines, caps in ((60, DEFAULT_CAPS), (3, SMALL)):
        headers = [JSON, *(f"x-{number}: {'y' * 1500}" for number in range(lines))]
        outcome = await outcome_to(http(200, message(), *headers), caps=caps)
        assert (K.TOO_BIG, Billed.UNKNOWN) == (outcome.kind, outcome.billed)


@pytest.mark.parametrize("line", [b"x: " + b"y" * MIB, b"x" * MIB, b"x: y\r\n" * 50_000])
async def test_u15_a_head_without_end_is_cut(line: bytes) -> None:
    async with upstream_to(endless(b"HTTP/1.1 200 OK\r\n", line)) as (upstream, server):
        outcome = (await upstream.send(PLAIN)).outcome
        await server.hung_up.wait()
    assert outcome is not None
    assert outcome.kind in {K.TOO_BIG, K.BAD_ANSWER}
    assert Billed.UNKNOWN == outcome.billed


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "unheard-of"])
async def test_u15_an_error_that_came_compressed_keeps_its_status_and_loses_its_body(coding: str) -> None:
    body = gzip.compress(error("overloaded_error"))
    answer = await answer_to(http(529, body, JSON, f"content-encoding: {coding}", "retry-after: 7"))
    assert answer.outcome is not None
    assert (K.OVERLOADED, 7.0, b"") == (answer.outcome.kind, answer.outcome.retry_after_s, answer.body)
    assert "content-encoding" not in answer.headers


async def test_u15_an_error_over_its_cap_keeps_its_status_and_loses_its_body() -> None:
    start = f"HTTP/1.1 500 Broken\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    async with upstream_to(endless(start, chunk(b"x" * 1024)), caps=SMALL) as (upstream, server):
        answer = await upstream.send(PLAIN)
        await server.hung_up.wait()
    assert answer.outcome is not None
    assert (K.SERVER_ERROR, b"") == (answer.outcome.kind, answer.body)


async def test_an_encoding_that_is_called_identity_is_none() -> None:
    assert K.ANSWERED == (await outcome_to(http(200, message(), JSON, "content-encoding: Identity"))).kind
    _, broken = await stream_of(answering(chunked(*events(), headers=(SSE, "content-encoding: identity"))))
    assert broken is None
