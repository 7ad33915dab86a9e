"""Keys in either database: taken once, ended once, unknown after a death, free again when nothing was sent."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from router.ledger.idempotency import KEEP_MS, StoredKeys
from router.vocabulary import KeyedState
from tests.ledger.both import Place, ended, keyed

pytestmark = pytest.mark.anyio


async def test_a_hundred_racers_take_a_key_once(where: Place) -> None:
    async with where.process() as database, where.beside(database) as other:
        stores = [StoredKeys(database), StoredKeys(other)]
        racers = [keyed(f"key_{number}") for number in range(100)]
        found = await asyncio.gather(*(stores[number % 2].begin(racer) for number, racer in enumerate(racers)))
        assert 1 == len({there.token for there in found if there is not None})
        assert 1 == sum(
            there is not None and there.token == racer.token for there, racer in zip(found, racers, strict=True)
        )


async def test_a_finished_key_gives_its_answer_as_it_was_after_a_restart_too(where: Place) -> None:
    done = ended(keyed(), b"\x00 bytes \xff")
    async with where.process() as database:
        await StoredKeys(database).begin(keyed())
        assert await StoredKeys(database).finish(done)
    async with where.process() as database:
        assert done == await StoredKeys(database).begin(keyed("key_2"))


async def test_a_key_is_the_tenants_own(where: Place) -> None:
    async with where.process() as database:
        keys = StoredKeys(database)
        theirs = keyed("key_2", tenant="other")
        assert [keyed(), theirs] == [await keys.begin(keyed()), await keys.begin(theirs)]


async def test_an_answer_is_stored_once(where: Place) -> None:
    async with where.process() as database:
        keys = StoredKeys(database)
        await keys.begin(keyed())
        assert [True, False] == [await keys.finish(ended(keyed(), text)) for text in (b"first", b"second")]
        assert not await keys.finish(ended(keyed("key_2")))
        there = await keys.begin(keyed("key_3"))
        assert there is not None
        assert b"first" == there.answer


async def test_what_a_dead_process_ran_is_unknown_and_nobody_takes_it_over(where: Place) -> None:
    async with where.process() as database:
        await StoredKeys(database).begin(keyed())
    where.pass_away()
    async with where.process() as database:
        keys = StoredKeys(database)
        for token in ("key_2", "key_3"):
            assert replace(keyed(), state=KeyedState.UNKNOWN) == await keys.begin(keyed(token))


async def test_the_answer_of_one_that_was_only_thought_dead_still_counts(where: Place) -> None:
    async with where.process() as database:
        await StoredKeys(database).begin(keyed())
        where.pass_away()
        async with where.beside(database) as other:
            await StoredKeys(other).begin(keyed("key_2"))
        assert await StoredKeys(database).finish(ended(keyed()))
        assert ended(keyed()) == await StoredKeys(database).begin(keyed("key_3"))


async def test_a_run_that_is_alive_stays_running(where: Place) -> None:
    async with where.process() as database:
        keys = StoredKeys(database)
        await keys.begin(keyed())
        for _ in range(4):
            where.clock.now_s += 20
            await keys.beat("run_1")
            assert keyed() == await keys.begin(keyed("key_2"))


async def test_a_forgotten_key_is_free_again_and_a_finished_one_is_not_forgotten(where: Place) -> None:
    async with where.process() as database:
        keys = StoredKeys(database)
        await keys.begin(keyed())
        await keys.forget(keyed("key_9"))
        assert keyed() == await keys.begin(keyed("key_2")), "only the run that has it may free it"
        await keys.forget(keyed())
        assert keyed("key_2") == await keys.begin(keyed("key_2"))
        await keys.finish(ended(keyed("key_2")))
        await keys.forget(keyed("key_2"))
        assert ended(keyed("key_2")) == await keys.begin(keyed("key_3"))


async def test_a_key_is_free_again_after_a_day(where: Place) -> None:
    async with where.process() as database:
        keys = StoredKeys(database)
        await keys.begin(keyed())
        await keys.finish(ended(keyed()))
        where.clock.now_s += KEEP_MS / 1000
        assert 0 == await keys.sweep()
        assert ended(keyed()) == await keys.begin(keyed("key_2"))
        where.clock.now_s += 1
        assert keyed("key_2") == await keys.begin(keyed("key_2"))
        await keys.begin(keyed("key_3", key=b"x" * 32))
        where.clock.now_s += KEEP_MS / 1000 + 1
        assert 2 == await keys.sweep()


@pytest.mark.parametrize("room", [{"keys_max": 1}, {"bytes_max": 10}])
async def test_there_is_room_for_so_many_and_so_much(where: Place, room: dict[str, int]) -> None:
    """Counted once in a while; a full store is counted each time, until there is room."""
    async with where.process() as database:
        await StoredKeys(database).begin(keyed())
        await StoredKeys(database).finish(ended(keyed(), b"the answer"))
        full = StoredKeys(database, **room)
        assert await full.begin(keyed("key_2", key=b"x" * 32)) is None
        assert ended(keyed()) == await full.begin(keyed("key_3")), "what is there is found"
        where.clock.now_s += KEEP_MS / 1000 + 1
        await full.sweep()
        assert keyed("key_4") == await full.begin(keyed("key_4"))
