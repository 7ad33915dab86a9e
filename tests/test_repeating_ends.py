"""Keyed streams that come to no good end, a service that stops, and what a key may look like."""

from __future__ import annotations

import asyncio
import string
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.collecting import Collected
from router.errors import RequestError
from router.relay import DRAINING
from router.repeating import SWEEP_EVERY
from router.serving import Served
from router.vocabulary import Ask, Caller
from router.wire.ask import read_complete
from router.wire.idempotency import KEY_MAX, key_of

from .api.street import until
from .keyscene import BODY, CALLER, KEY, WHOLE, scene, whole


@pytest.mark.anyio
async def test_a_stream_that_takes_longer_than_the_draining_may_is_ended_and_unknown(tmp_path: Path) -> None:
    async with scene(tmp_path, drain_s=0.01) as it:
        it.streams(b"one ", b"two")
        served = await it.ask()
        assert served.chunks is not None
        await anext(served.chunks)
        await served.chunks.aclose()
        await until(lambda: ("keys", "drained") in it.events.counts)
        assert ("router_outcome_unknown", 1) == (await it.code(), it.closed)


@pytest.mark.anyio
async def test_a_stream_that_fails_is_unknown(tmp_path: Path) -> None:
    async def failing() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise ValueError("a bug")

    async with scene(tmp_path) as it:
        it.does = Served(status=200, headers=(), chunks=failing())
        with pytest.raises(ValueError, match="a bug"):
            await whole(await it.ask())
        await until(lambda: any(name == "keys" for name, _ in it.events.counts))
        assert "router_outcome_unknown" == await it.code()


@pytest.mark.anyio
async def test_a_service_that_stops_ends_a_stream_with_its_own_last_word_which_is_stored(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.streams(b"one ", b"two")
        served = await it.ask()
        reading = asyncio.ensure_future(whole(served))
        await asyncio.sleep(0.01)
        reading.cancel(DRAINING)
        assert b"one [draining]" == await reading
    async with scene(tmp_path) as it:
        assert b"one [draining]" == (await it.ask()).body


@pytest.mark.anyio
async def test_a_service_that_stops_ends_what_it_drains_and_knows_how(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.streams(b"one ", b"two")
        served = await it.ask()
        assert served.chunks is not None
        await anext(served.chunks)
        await served.chunks.aclose()
        it.does = None
        asking = asyncio.ensure_future(it.ask("order-2"))
        await until(lambda: it.acts == 2)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        await it.repeating.close()
        assert b"one [draining]" == (await it.ask()).body
        assert "router_outcome_unknown" == await it.code("order-2")


@pytest.mark.anyio
async def test_a_stop_while_an_answer_is_awaited_leaves_it_unknown(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = None
        asking = asyncio.ensure_future(it.ask())
        await until(lambda: it.acts == 1)
        asking.cancel(DRAINING)
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await asking
        assert (DRAINING,) == cancelled.value.args
        assert "router_outcome_unknown" == await it.code()


@pytest.mark.anyio
async def test_a_stream_that_nobody_began_to_read_is_drained_too(tmp_path: Path) -> None:
    """Its caller leaves in the moment in which its answer begins."""
    async with scene(tmp_path) as it:

        async def leaving(_ask: Ask, _caller: Caller) -> Served:
            asking.cancel()
            return Served(status=200, headers=(), chunks=it.chunks(b"one ", b"two"))

        asking = asyncio.ensure_future(it.repeating.handle(KEY, BODY, read_complete(BODY, {}), CALLER, leaving))
        with suppress(asyncio.CancelledError):
            await asking
        it.gate.set()
        await until(lambda: it.closed == 1)
        await until(lambda: not it.repeating._draining)
        assert (b"one two", 0) == ((await it.ask()).body, it.acts)


@pytest.mark.anyio
async def test_only_so_many_are_drained_at_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = None
        asking = [asyncio.ensure_future(it.ask(f"key-{number}")) for number in range(201)]
        await until(lambda: it.acts == 201)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await until(lambda: ("keys", "drained") in it.events.counts)
        it.gate.set()
        await until(lambda: it.events.counts.count(("keys", "drained")) == 201)
        it.does = WHOLE
        codes = []
        for number in range(201):
            try:
                codes.append(str((await it.ask(f"key-{number}")).status))
            except RequestError as error:
                codes.append(error.code)
        assert {"200": 200, "router_outcome_unknown": 1} == {code: codes.count(code) for code in set(codes)}


@pytest.mark.anyio
async def test_what_is_larger_than_can_be_kept_passes_and_is_not_kept() -> None:
    async def large() -> AsyncGenerator[bytes, None]:
        for _ in range(3):
            yield b"12345"

    collected = Collected(large(), bytes_max=14)
    passed = [chunk async for chunk in all_of(collected)]
    assert (15, None) == (len(b"".join(passed)), collected.body)
    fits = Collected(large(), bytes_max=15)
    assert b"12345" * 3 == b"".join([chunk async for chunk in all_of(fits)]) == fits.body


async def all_of(collected: Collected) -> AsyncGenerator[bytes, None]:
    while (chunk := await collected.next()) is not None:
        yield chunk


@pytest.mark.anyio
async def test_a_door_acts_at_once_without_a_key_and_once_with_one(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        act = it.repeating.over(it.act)

        async def twice(headers: dict[str, str]) -> list[Served]:
            ask: Ask = read_complete(BODY, headers)
            caller: Caller = CALLER
            return [await act(ask, caller), await act(ask, caller)]

        await twice({})
        assert 2 == it.acts
        first, again = await twice({"idempotency-key": KEY})
        assert (3, first.body) == (it.acts, again.body)


@pytest.mark.anyio
async def test_what_runs_is_kept_alive_and_what_is_old_is_swept(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = None
        asking = asyncio.ensure_future(it.ask())
        await until(lambda: it.acts == 1)
        keeping = asyncio.ensure_future(it.repeating.keep())
        await until(lambda: it.store.swept >= 1)
        keeping.cancel()
        it.gate.set()
        await asking
        assert {asked.owner for asked in it.store.begun} == set(it.store.owners)
        assert len(it.store.owners) // SWEEP_EVERY == it.store.swept


VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))


@given(st.text(VISIBLE, min_size=1, max_size=KEY_MAX))
def test_a_key_in_quotes_is_what_is_in_them(key: str) -> None:
    assert key == key_of('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"')


@given(st.text(VISIBLE.replace('"', "").replace("\\", ""), min_size=1, max_size=KEY_MAX))
def test_a_key_without_quotes_is_the_same_key(key: str) -> None:
    assert key == key_of(key) == key_of(f'"{key}"')


@pytest.mark.parametrize(
    "value",
    [
        *("", '""', '"', '"a', 'a"', '"a"b', "a b", '"a b"', '"a\\b"', "a\\b", "ä", '"ä"', "a\x00", "a\n"),
        *("x" * 256, f'"{"x" * 256}"', '"a", "b"', string.whitespace),
    ],
)
def test_anything_else_is_no_key(value: str) -> None:
    with pytest.raises(RequestError) as refused:
        key_of(value)
    assert ("router_bad_idempotency_key", 400) == (refused.value.code, refused.value.status)
