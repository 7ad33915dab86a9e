"""A key names a request: one act, one answer, the same bytes again; and never a second generation in silence."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from router.api import failures
from router.errors import CODES, RequestError
from router.repeating import NOTHING_SPENT, OWED_MAX, REPLAYED
from router.serving import Served
from router.vocabulary import Caller

from .api.street import until
from .keyscene import JSON, WHOLE, left, scene, whole

pytestmark = pytest.mark.anyio


async def test_a_finished_key_gives_the_same_bytes_without_a_second_act(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        first, again = await it.ask(), await it.ask("order-1")
        assert (200, JSON, WHOLE.body) == (first.status, first.headers, first.body)
        assert (200, (*JSON, REPLAYED), WHOLE.body, 1) == (again.status, again.headers, again.body, it.acts)
    async with scene(tmp_path) as it:
        again = await it.ask()
        assert (WHOLE.body, 0) == (again.body, it.acts), "after a restart too"


async def test_the_same_key_with_another_body_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.ask()
        assert ("router_idempotency_reuse", 1) == (await it.code(body=b'{"prompt":"Pay twice."}'), it.acts)


async def test_a_key_is_the_tenants_own(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        await it.ask()
        other = await it.ask(body=b'{"prompt":"Mine."}', caller=Caller(tenant="other", request_id="req_2"))
        assert (2, JSON) == (it.acts, other.headers)


async def test_a_hundred_racers_make_one_act_and_each_gets_the_answer_or_is_told_to_wait(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = None
        racers = [asyncio.ensure_future(it.ask()) for _ in range(100)]
        await until(lambda: sum(racer.done() for racer in racers) == 99)
        it.gate.set()
        ends = await asyncio.gather(*racers, return_exceptions=True)
        assert (1, [WHOLE]) == (it.acts, [end for end in ends if isinstance(end, Served)])
        refused = [end for end in ends if isinstance(end, RequestError)]
        assert {("router_idempotency_running", 3)} == {(end.code, end.retry_after_s) for end in refused}
        assert WHOLE.body == (await it.ask()).body


@pytest.mark.parametrize("dice", [0.0, 0.999])
async def test_who_is_told_to_wait_waits_one_to_five_seconds(tmp_path: Path, dice: float) -> None:
    async with scene(tmp_path) as it:
        it.does, it.clock._dice = None, dice
        first = asyncio.ensure_future(it.ask())
        await until(lambda: it.acts == 1)
        with pytest.raises(RequestError) as refused:
            await it.ask()
        it.gate.set()
        await first
        assert (1 if dice == 0 else 5) == refused.value.retry_after_s


@pytest.mark.parametrize("code", sorted(code for code in CODES if CODES[code].status >= 400))
async def test_what_ends_before_a_model_did_anything_frees_the_key_and_the_rest_is_given_again(
    tmp_path: Path, code: str
) -> None:
    async with scene(tmp_path) as it:
        it.does = error = RequestError(code, "scripted", retry_after_s=7)
        assert code == await it.code()
        it.does = WHOLE
        again = await it.ask()
        if CODES[code].status < 500 or code in NOTHING_SPENT:
            assert (2, WHOLE.body) == (it.acts, again.body)
            return
        status, headers, body = failures.answer(error, "req_1")
        assert (1, status, (*headers, REPLAYED), body) == (it.acts, again.status, again.headers, again.body)


@pytest.mark.parametrize("code", sorted(code for code, told in CODES.items() if told.status >= 500))
async def test_an_error_that_says_that_nothing_was_spent_frees_the_key_whatever_it_is(
    tmp_path: Path, code: str
) -> None:
    async with scene(tmp_path) as it:
        it.does = error = RequestError(code, "scripted")
        error.spent = False
        assert code == await it.code()
        it.does = WHOLE
        assert (WHOLE.body, 2) == ((await it.ask()).body, it.acts)


async def test_after_a_fault_of_ours_the_outcome_is_unknown(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = ValueError("a bug")
        with pytest.raises(ValueError, match="a bug"):
            await it.ask()
        it.does = WHOLE
        assert ("router_outcome_unknown", 1) == (await it.code(), it.acts)
        assert CODES["router_outcome_unknown"].retry is False


async def test_what_ran_when_the_process_died_is_unknown_and_never_run_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = None
        it.store.failing = {"finish"}  # a process that is dead writes nothing
        asking = asyncio.ensure_future(it.ask())
        await until(lambda: it.acts == 1)
        it.gate.set()
        await asking
    async with scene(tmp_path) as it:
        assert ("router_outcome_unknown", 0) == (await it.code(), it.acts)


async def test_an_answer_that_the_store_does_not_take_at_once_is_given_and_stored_later(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.store.failing = {"finish"}
        assert WHOLE == await it.ask()
        assert "router_idempotency_running" == await it.code()
        it.store.failing = set()
        keeping = asyncio.ensure_future(it.repeating.keep())
        await until(lambda: not it.repeating._owed)
        keeping.cancel()
        assert (WHOLE.body, 1) == ((await it.ask()).body, it.acts)


async def test_of_what_the_store_does_not_take_only_so_many_answers_are_remembered(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.store.failing = {"finish"}
        for number in range(OWED_MAX + 1):
            await it.ask(f"key-{number}")
        it.store.failing = set()
        await it.repeating.close()
        assert WHOLE.body == (await it.ask("key-0")).body
        assert "router_outcome_unknown" == await it.code(f"key-{OWED_MAX}")


async def test_when_the_key_cannot_be_taken_nothing_is_sent(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.store.failing = {"begin"}
        assert ("router_ledger_unavailable", 0) == (await it.code(), it.acts)


async def test_a_caller_who_leaves_does_not_end_the_act_and_the_retry_is_free(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.does = None
        asking = asyncio.ensure_future(it.ask())
        await until(lambda: it.acts == 1)
        await left(asking)
        assert "router_idempotency_running" == await it.code()
        it.gate.set()
        await until(lambda: ("keys", "drained") in it.events.counts)
        assert (WHOLE.body, 1) == ((await it.ask()).body, it.acts)


async def test_what_takes_longer_than_the_draining_may_is_ended_and_unknown(tmp_path: Path) -> None:
    async with scene(tmp_path, drain_s=0.01) as it:
        it.does = None
        asking = asyncio.ensure_future(it.ask())
        await until(lambda: it.acts == 1)
        await left(asking)
        await until(lambda: ("keys", "drained") in it.events.counts)
        assert ("router_outcome_unknown", 1) == (await it.code(), it.acts)


async def test_a_stream_passes_as_it_comes_and_is_given_again_whole(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.streams(b"one ", b"two ", b"three")
        served = await it.ask()
        assert served.chunks is not None
        assert [b"one ", b"two "] == [await anext(served.chunks), await anext(served.chunks)]
        assert "router_idempotency_running" == await it.code()
        it.gate.set()
        assert b"three" == await whole(served)
        again = await it.ask()
        assert (None, b"one two three", 1) == (again.chunks, again.body, it.acts)
        assert (("content-type", "text/event-stream"), REPLAYED) == again.headers


async def test_a_stream_is_stored_before_its_caller_sees_the_end(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.gate.set()
        it.streams(b"one", b"two")
        await whole(await it.ask())
    async with scene(tmp_path) as it:
        assert (b"onetwo", 0) == ((await it.ask()).body, it.acts)


async def test_a_stream_whose_caller_leaves_goes_on_and_the_retry_is_free(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.streams(b"one ", b"two")
        served = await it.ask()
        assert served.chunks is not None
        await anext(served.chunks)
        waiting = asyncio.ensure_future(anext(served.chunks))
        await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        await served.chunks.aclose()
        assert 0 == it.closed
        it.gate.set()
        await until(lambda: ("keys", "drained") in it.events.counts)
        assert (b"one two", 1, 1) == ((await it.ask()).body, it.acts, it.closed)
