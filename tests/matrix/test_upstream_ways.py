"""U10 to U13, U16 and U17 of the matrix: the way to the API is broken, slow, or leads elsewhere."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from ..processes import free_port
from ..programs import needed
from ..upstream.rawserver import JSON, SSE, Request, Wire, chunk, error, head, http, message
from .api import CLOSE, hangs_up, resets, says, sends, stream_of, then_silence, well
from .caller import asked, of_task, prompt
from .street import CALM, HAIKU, OPUS, SONNET, Mother, Scripted, billed, opened, policy, scripted

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("way", ["port", "name"])
async def test_u10_what_cannot_be_reached_was_not_sent(mother: Mother, tmp_path: Path, way: str) -> None:
    url = f"http://127.0.0.1:{free_port()}" if way == "port" else "https://no-such-host.invalid"
    async with opened(mother, tmp_path, url, CALM) as front:
        told = await front.complete(prompt())
        assert (told.status, told.code, told.headers["x-should-retry"]) == (503, "router_all_tiers_down", "false")
        books = await front.books(told)
        assert [(row.model, row.outcome, row.cost_pico) for row in books] == [
            (SONNET, "connect_failed", 0),
            (SONNET, "connect_failed", 0),
            (OPUS, "connect_failed", 0),
        ]
        assert set(billed(books)) == {"void"}
        canned = await front.complete(of_task("canned"))
        assert canned.router["served_by"] == "canned"


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server shows that nobody vouches for."""
    program = needed("openssl", "openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        [program, *made, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_u10_a_certificate_that_nobody_vouches_for_ends_it_before_a_byte_is_sent(
    mother: Mother, tmp_path: Path
) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with opened(mother, tmp_path / "service", url, CALM) as front:
            told = await front.complete(prompt())
            assert (told.status, told.code) == (503, "router_all_tiers_down")
            books = await front.books(told)
            assert b"".join(heard) == b""
            assert {(row.outcome, row.billed) for row in books} == {("connect_failed", "void")}
            assert [row.model for row in books].count(SONNET) == 1, "what is wrong with a certificate stays wrong"


async def test_u11_a_kept_connection_that_closed_meanwhile_costs_one_more_call(raw: Scripted) -> None:
    async def closes_the_next(wire: Wire, request: Request) -> bool:
        """Answers, keeps the connection, and closes it at the next request without a byte."""
        await well(wire, request)
        await wire.request()
        return False

    raw.api.on(SONNET, closes_the_next, well)
    first = await raw.front.messages(asked())
    told = await raw.front.messages(asked(system="the next one"))
    assert (first.status, told.status, told.headers["x-router-model"]) == (200, 200, SONNET)
    assert billed(await raw.front.books(told)) == ["unknown", "settled"], "nobody can know whether it was read"


@pytest.mark.parametrize("way", [hangs_up, resets])
async def test_u11_who_hangs_up_on_every_call_is_given_up(raw: Scripted, way: object) -> None:
    raw.api.on(SONNET, way)  # type: ignore[arg-type]
    told = await raw.front.messages(asked())
    assert (told.status, raw.api.models) == (200, [SONNET, SONNET, OPUS])
    assert billed(await raw.front.books(told)) == ["unknown", "unknown", "settled"]


@pytest.mark.parametrize("stream", [False, True])
async def test_u12_who_does_not_begin_in_time_is_left_for_another(raw: Scripted, stream: bool) -> None:
    raw.api.on(SONNET, then_silence())
    told = await raw.front.messages(asked(stream=stream), x_router_deadline_s="2")
    assert (told.status, raw.api.models, told.headers["x-router-model"]) == (200, [SONNET, OPUS], OPUS)
    assert not stream or told.names[-1] == "message_stop"
    late, _ = books = await raw.front.books(told)
    assert (late.outcome, billed(books)) == ("timed_out", ["unknown", "settled"])
    assert late.cost_pico == late.worst_pico > 0


async def test_u12_nobody_else_is_asked_with_too_little_time_left(raw: Scripted) -> None:
    """The first may take half of the time: had the second half of the rest, less than 40 % would be left."""
    for model in (HAIKU, SONNET, OPUS):
        raw.api.on(model, then_silence())
    told = await raw.front.complete(prompt(router={"deadline_s": 2}))
    assert (told.status, told.headers["x-should-retry"]) == (504, "false")
    assert told.code in {"router_upstream_slow", "router_deadline"}
    assert raw.api.models == [SONNET, OPUS]
    assert billed(await raw.front.books(told)) == ["unknown", "unknown"]


async def test_u12_a_call_that_may_still_be_running_costs_double(mother: Mother, tmp_path: Path) -> None:
    begun_s, burst, calls = time.monotonic(), 50, 4
    async with scripted(mother, tmp_path, policy(retries={"burst": burst})) as street:
        street.api.on(SONNET, then_silence())
        told = await asyncio.gather(
            *(street.front.messages(asked(stream=True, system=str(number))) for number in range(calls))
        )
        assert {one.headers["x-router-model"] for one in told} == {OPUS}
        left = (await street.front.standing(SONNET))["retry_budget"]
        back = calls * 0.1 + 0.5 * (time.monotonic() - begun_s)
        assert left <= burst - 2 * calls + back


@pytest.mark.parametrize("stream", [False, True])
async def test_u13_a_body_that_trickles_is_ended_by_the_deadline(raw: Scripted, stream: bool) -> None:
    async def trickle(wire: Wire, _request: Request) -> None:
        """A byte every 20 ms: never silent for long, and never done."""
        await wire.send(head(SSE) if stream else f"HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: 9999\r\n\r\n".encode())
        while True:
            await wire.send(chunk(b":") if stream else b" ")
            await asyncio.sleep(0.02)

    for model in (HAIKU, SONNET, OPUS):
        raw.api.on(model, trickle)
    told = await raw.front.complete({**prompt(router={"deadline_s": 0.8}), "stream": stream})
    assert (told.status, told.code) in {(504, "router_upstream_slow"), (504, "router_deadline")}
    assert set(billed(await raw.front.books(told))) == {"unknown"}


async def test_u13_a_long_answer_is_streamed_to_us_so_that_silence_shows(raw: Scripted) -> None:
    """A caller who wants it whole: the model falls silent after its first words."""
    first_words = b"".join(chunk(event) for event in stream_of(SONNET)[:4])
    raw.api.on(SONNET, then_silence(head(SSE) + first_words))
    told = await raw.front.messages(asked(max_tokens=4000))
    assert (told.status, told.headers["x-router-model"], raw.api.models) == (200, OPUS, [SONNET, OPUS])
    assert {body["stream"] for body in raw.api.bodies} == {True}
    silent, _ = books = await raw.front.books(told)
    assert (silent.outcome, billed(books)) == ("stalled", ["estimated", "settled"])


async def test_u16_a_redirect_is_never_followed(raw: Scripted) -> None:
    connections: list[object] = []

    async def elsewhere(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.close()

    async with await asyncio.start_server(elsewhere, "127.0.0.1", 0) as server:
        place = f"location: http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/messages"
        for status in (301, 302, 303, 307, 308):
            raw.api.fresh()
            raw.api.on(SONNET, says(status, b"{}", JSON, place))
            for told in (await raw.front.messages(asked()), await raw.front.complete(prompt())):
                assert (told.status, told.code, told.headers["x-should-retry"]) == (502, "router_redirect", "false")
                assert "location" not in told.headers
                assert billed(await raw.front.books(told)) == ["void"]
            assert raw.api.models == [SONNET, SONNET]
    assert connections == []


async def test_u17_early_hints_and_a_continue_are_no_answer(raw: Scripted) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    raw.api.on(SONNET, sends(hints + http(200, message(model=SONNET), JSON, CLOSE)))
    told = await raw.front.messages(asked())
    assert (told.status, raw.api.models) == (200, [SONNET])
    assert billed(await raw.front.books(told)) == ["settled"]


async def test_u17_bytes_after_an_answer_are_never_the_next_ones_answer(raw: Scripted) -> None:
    """The surplus is a whole answer, as a hijacked or mixed-up connection would have it."""

    async def with_surplus(wire: Wire, _request: Request) -> bool:
        await wire.send(http(200, message("Mine.", model=SONNET)) + http(200, message("Another's.", model=SONNET)))
        return True

    raw.api.on(SONNET, with_surplus, well)
    first = await raw.front.messages(asked())
    second = await raw.front.messages(asked(system="the next one"))
    assert ["Mine.", "Paris."] == [told.text for told in (first, second)]
    assert (raw.api.connections, raw.api.models) == (2, [SONNET, SONNET])


@pytest.mark.parametrize("surplus", [-10, 10], ids=["too long", "too short"])
async def test_u17_a_length_that_lies_is_no_answer(raw: Scripted, surplus: int) -> None:
    """Shorter than promised, the body breaks off; longer, what is read is no message."""
    body = message(model=SONNET)
    lying = f"HTTP/1.1 200 OK\r\n{JSON}\r\n{CLOSE}\r\ncontent-length: {len(body) - surplus}\r\n\r\n".encode()
    raw.api.on(SONNET, sends(lying + body))
    told = await raw.front.messages(asked())
    assert (told.status, told.headers["x-router-model"]) == (200, OPUS)
    *broken, last = billed(await raw.front.books(told))
    assert (set(broken), last) == ({"unknown"}, "settled")


async def test_u17_where_every_length_lies_it_is_a_502(raw: Scripted) -> None:
    for model in (HAIKU, SONNET, OPUS):
        raw.api.on(model, sends(http(200, message(model=model)[:-20], JSON, CLOSE)))
    told = await raw.front.messages(asked())
    assert (told.status, told.code, told.headers["x-should-retry"]) == (502, "router_bad_upstream", "false")
    assert error("x")[:8] == told.body[:8]
