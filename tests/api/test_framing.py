"""HTTP that could be read in two ways is refused, answered in the one error shape, and the connection is closed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.api.framing import ONCE, complaint

from .street import PROMPT, Line, ask, get, line, open_doors, post, until

pytestmark = pytest.mark.anyio

LENGTH = b"Content-Length: 15\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SECOND = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def head(*headers: bytes, first: bytes = b"POST /complete HTTP/1.1\r\n", host: bytes = b"Host: x\r\n") -> bytes:
    return b"".join([first, host, *headers, b"\r\n"])


# The wire table, and what the matrix adds to it.
MALFORMED: dict[str, bytes] = {
    "CL and TE, with a second request": head(LENGTH, CHUNKED) + b"0\r\n\r\n" + SECOND,
    "the same length twice": head(LENGTH, LENGTH) + PROMPT,
    "two lengths": head(LENGTH, b"Content-Length: 16\r\n") + PROMPT,
    "a list of lengths": head(b"Content-Length: 15, 15\r\n") + PROMPT,
    "a signed length": head(b"Content-Length: +15\r\n") + PROMPT,
    "a length that is no number": head(b"Content-Length: 0xf\r\n") + PROMPT,
    "a length past any number": head(b"Content-Length: " + b"9" * 4000 + b"\r\n") + PROMPT,
    "gzip, chunked": head(b"Transfer-Encoding: gzip, chunked\r\n") + b"0\r\n\r\n",
    "xchunked": head(b"Transfer-Encoding: xchunked\r\n") + b"0\r\n\r\n",
    "identity": head(b"Transfer-Encoding: identity\r\n") + b"0\r\n\r\n",
    "TE twice": head(CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "TE in HTTP/1.0": head(CHUNKED, first=b"POST /complete HTTP/1.0\r\n") + b"0\r\n\r\n",
    "a chunk with a bad end": head(CHUNKED) + b"3\r\nabcX\r\n0\r\n\r\n",
    "a chunk with a bare LF": head(CHUNKED) + b"3\nabc\n0\n\n",
    "a chunk length of 0x7": head(CHUNKED) + b"0x7\r\n",
    "a chunk extension of 64 KiB": head(CHUNKED) + b"3;" + b"x" * 300_000,
    "a folded header": head(b"A: b\r\n c\r\n", LENGTH) + PROMPT,
    "a bare LF": b"POST /complete HTTP/1.1\nHost: x\n\n",
    "no host": head(host=b"", first=b"GET /health/live HTTP/1.1\r\n"),
    "an empty host": head(host=b"Host:\r\n", first=b"GET /health/live HTTP/1.1\r\n"),
    "two hosts": head(b"Host: y\r\n", first=b"GET /health/live HTTP/1.1\r\n"),
    "an absolute target": head(first=b"GET http://x/health/live HTTP/1.1\r\n"),
    "a target without a path": head(first=b"OPTIONS * HTTP/1.1\r\n"),
    "a tunnel": head(first=b"CONNECT x:1 HTTP/1.1\r\n"),
    "a target that is not ASCII": head(first=b"GET /h\xe9alth HTTP/1.1\r\n"),
    "two keys": head(LENGTH, b"Authorization: Bearer a\r\n", b"Authorization: Bearer b\r\n") + PROMPT,
    "two API keys": head(LENGTH, b"x-api-key: a\r\n", b"X-Api-Key: b\r\n") + PROMPT,
    "two idempotency keys": head(LENGTH, b"Idempotency-Key: a\r\n", b"Idempotency-Key: a\r\n") + PROMPT,
    "an underscore twin of a key": head(LENGTH, b"x_api_key: a\r\n") + PROMPT,
    "an underscore twin of a length": head(b"content_length: 3\r\n", LENGTH) + PROMPT,
    "a half twin of a key": head(LENGTH, b"x-api_key: a\r\n") + PROMPT,
    "a NUL in a value": head(b"A: b\x00c\r\n"),
    "a bare CR in a value": head(b"A: b\rc\r\n"),
    "a space before the colon": head(b"Content-Length : 15\r\n") + PROMPT,
    "HTTP/0.9": head(first=b"GET /health/live HTTP/0.9\r\n"),
    "HTTP/3.0": head(first=b"GET /health/live HTTP/3.0\r\n"),
    "HTTP/2 without a word": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no HTTP": b"hello, is anybody there?\r\n\r\n",
}
OVERSIZED: dict[str, bytes] = {
    "a header of 100 kB": head(b"A: " + b"b" * 100_000 + b"\r\n"),
    "a header that does not end": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 400_000,
    "a target that does not end": b"GET /" + b"b" * 400_000,
    "2,000 headers": head(*(b"A: b\r\n" for _ in range(2000))),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_message_is_refused_and_the_connection_closed(name: str) -> None:
    async with open_doors() as street, line(street) as caller:
        caller.say(MALFORMED[name])
        told = await caller.hear()
        assert (400, "router_bad_framing") == (told.status, told.code)
        assert ("close", "false") == (told.headers["connection"], told.headers["x-should-retry"])
        assert await caller.is_closed()
        assert [] == street.pipeline.asked
        assert b'refusals_total{kind="router_bad_framing"} 1' in street.events.metrics()


@pytest.mark.parametrize("name", OVERSIZED)
async def test_a_head_over_32_kib_is_refused(name: str) -> None:
    async with open_doors() as street, line(street) as caller:
        caller.say(OVERSIZED[name])
        told = await caller.hear()
        assert (431, "router_bad_framing") == (told.status, told.code)
        assert await caller.is_closed()


async def test_a_host_that_names_none_is_refused() -> None:
    async with open_doors() as street:
        told = await ask(street, b"GET /health/live HTTP/1.1\r\nHost: a b/c\r\n\r\n")
        assert (400, "router_bad_framing", "host") == (told.status, told.code, told.error["details"]["field"])


@pytest.mark.parametrize("first", [b"POST / HTTP/1.1\r\n\r\n", head(LENGTH, host=b"") + PROMPT])
async def test_nothing_after_a_refused_head_is_served(first: bytes) -> None:
    """What follows it in the same packet may be a request that somebody else never wrote."""
    async with open_doors() as street, line(street) as caller:
        caller.say(first, post(), post())
        assert 400 == (await caller.hear()).status
        assert await caller.is_closed()
        await until(lambda: not street.server.server_state.tasks)
        assert [] == street.pipeline.asked


async def test_a_trailer_is_no_header() -> None:
    async with open_doors(keys={"secret-of-sixteen": "team"}) as street:
        body = b"f\r\n" + PROMPT + b"\r\n0\r\nx-api-key: secret-of-sixteen\r\nx-request-id: smuggled\r\n\r\n"
        told = await ask(street, head(CHUNKED) + body)
        assert (401, False) == (told.status, told.headers["x-request-id"] == "smuggled")


async def test_a_chunked_body_is_read() -> None:
    async with open_doors() as street, line(street) as caller:
        caller.say(head(CHUNKED), *(b"1;a=b\r\n%c\r\n" % byte for byte in PROMPT), b"0\r\n\r\n")
        assert 200 == (await caller.hear()).status
        assert PROMPT == street.pipeline.asked[0][0].raw


@pytest.mark.parametrize("cut", [1, 20, 60, 130])
async def test_an_offer_to_switch_protocols_is_passed_over(cut: int) -> None:
    """Clients that try HTTP/2 in clear text first send the offer with their body."""
    async with open_doors() as street, line(street) as caller:
        offer = post(connection="Upgrade, HTTP2-Settings", upgrade="h2c", http2_settings="AAMAAABk")
        request = offer + post()
        caller.say(request[:cut])
        await asyncio.sleep(0)
        caller.say(request[cut:])
        assert [200, 200] == [(await caller.hear()).status, (await caller.hear()).status]
        assert [PROMPT, PROMPT] == [asked.raw for asked, _ in street.pipeline.asked]


async def test_a_request_may_come_byte_by_byte() -> None:
    async with open_doors() as street, line(street) as caller:
        for byte in post():
            caller.say(bytes([byte]))
            await caller.writer.drain()
        assert 200 == (await caller.hear()).status


async def test_many_requests_may_share_a_connection_and_come_at_once() -> None:
    async with open_doors() as street, line(street) as caller:
        caller.say(post(x_request_id="a"), post(x_request_id="b"), get("/health/live", x_request_id="c"))
        assert ["a", "b", "c"] == [await told_id(caller) for _ in range(3)]
        caller.say(post(x_request_id="d"))
        assert "d" == await told_id(caller)


async def told_id(caller: Line) -> str:
    told = await caller.hear()
    assert 200 == told.status
    return told.headers["x-request-id"]


@example(headers=[(b"host", b"x"), (b"content-length", b"1"), (b"transfer-encoding", b"chunked")])
@given(
    headers=st.lists(
        st.tuples(st.sampled_from([*sorted(ONCE), b"x-api_key", b"accept", b"x_y"]), st.sampled_from([b"chunked", b""]))
    )
)
def test_a_head_without_complaint_has_one_host_and_says_once_where_it_ends(headers: list[tuple[bytes, bytes]]) -> None:
    if complaint(b"/", headers, "1.1") is None:
        plain = [name.replace(b"_", b"-") for name, _ in headers]
        assert 1 == plain.count(b"host")
        assert all(plain.count(name) <= 1 for name in ONCE)
        assert not {b"content-length", b"transfer-encoding"} <= set(plain)
