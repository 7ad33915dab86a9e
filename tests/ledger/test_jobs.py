"""Jobs in either database: put down durably, run by one, answered once, taken over from the dead, swept."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from router.errors import RequestError, StartError
from router.ledger.jobs import StoredJobs
from router.ledger.jobs_postgres import PostgresJobs
from router.ledger.jobs_sql import MIGRATIONS
from router.ledger.jobs_sqlite import FILE, SqliteJobs
from router.vocabulary import Door, Job, JobState, Telling
from tests.ledger.both import Place, answered, job
from tests.worlds import ScriptedClock

BREAK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database()
"""
pytestmark = pytest.mark.anyio


async def test_a_job_is_still_there_after_a_restart_as_it_was_put_down(where: Place) -> None:
    put = job(webhook="https://hooks.example.com/x", door=Door.MESSAGES)
    async with where.process() as database:
        assert await StoredJobs(database).add(put)
    async with where.process() as database:
        (claimed,) = await StoredJobs(database).claim("run_1", 5)
    assert replace(put, state=JobState.RUNNING, owner="run_1", tries=1) == claimed


async def test_only_its_tenant_sees_a_job_and_nobody_its_request_again(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await jobs.add(job())
        assert replace(job(), body=b"") == await jobs.get("job_1", "acme")
        assert [None, None] == [await jobs.get("job_1", "other"), await jobs.get("job_2", "acme")]
        for odd in ("job_\x001", "\udcff", "", "ä", "x" * 65):
            assert await jobs.get(odd, "acme") is None


async def test_many_claims_at_once_take_each_job_once(where: Place) -> None:
    async with where.process() as database, where.beside(database) as other:
        jobs, others = StoredJobs(database), StoredJobs(other)
        await asyncio.gather(*(jobs.add(job(number)) for number in range(40)))
        turns = [store.claim(f"run_{number}", 3) for number in range(10) for store in (jobs, others)]
        claimed = [one.job_id for taken in await asyncio.gather(*turns) for one in taken]
        assert sorted(f"job_{number}" for number in range(40)) == sorted(claimed)


async def test_the_oldest_is_begun_first_and_none_before_its_time(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        for number in (3, 1, 2):
            await jobs.add(job(number))
        (first,) = await jobs.claim("run_1", 1)
        assert "job_1" == first.job_id
        assert await jobs.later(first, 5000)
        assert ["job_2", "job_3"] == [one.job_id for one in await jobs.claim("run_1", 9)]
        assert [] == await jobs.claim("run_1", 9)
        where.clock.now_s += 5
        assert [("job_1", 2)] == [(one.job_id, one.tries) for one in await jobs.claim("run_2", 9)]


async def test_an_answer_is_stored_once_and_its_request_is_forgotten(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await jobs.add(job())
        (running,) = await jobs.claim("run_1", 1)
        ends = [jobs.finish(answered(running, b"first")), jobs.finish(answered(running, b"second"))]
        assert [True, False] == sorted(await asyncio.gather(*ends), reverse=True)
        done = await jobs.get("job_1", "acme")
        assert done is not None
        assert (JobState.DONE, 200, where.clock.now_ms()) == (done.state, done.status, done.answered_ms)
        assert ((("x-router-tier", "haiku"),), b"first") == (done.answer_headers, done.answer)
        ((body,),) = (await database.run(("SELECT body FROM jobs", {})))[0]
        assert b"" == body
        assert not await jobs.later(running, 0)


async def test_a_job_whose_process_died_is_run_by_another_and_the_dead_ones_answer_counts_no_more(where: Place) -> None:
    async with where.process() as database:
        await StoredJobs(database).add(job())
        (lost,) = await StoredJobs(database).claim("run_1", 1)
    where.pass_away()
    async with where.process() as database:
        jobs = StoredJobs(database)
        (found,) = await jobs.claim("run_2", 1)
        assert ("job_1", "run_2", 2) == (found.job_id, found.owner, found.tries)
        assert not await jobs.finish(answered(lost, b"too late"))
        assert await jobs.finish(answered(found, b"in time"))
        done = await jobs.get("job_1", "acme")
        assert done is not None
        assert b"in time" == done.answer


async def test_a_lease_that_is_renewed_is_not_taken_over(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        for number in (1, 2):
            await jobs.add(job(number))
        await jobs.claim("run_1", 2)
        for _ in range(4):
            where.clock.now_s += 20
            assert {"job_1", "job_2"} == await jobs.beat("run_1")
            assert [] == await jobs.claim("run_2", 2)


async def test_who_lost_a_job_is_told_so(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await jobs.add(job())
        await jobs.claim("run_1", 1)
        await jobs.cancel("job_1", "acme")
        assert frozenset() == await jobs.beat("run_1")


async def test_a_job_is_cancelled_until_it_has_an_answer(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        for number in (1, 2, 3):
            await jobs.add(job(number))
        done, running, _ = await jobs.claim("run_1", 3)
        assert await jobs.finish(answered(done))
        ends = [await jobs.cancel(f"job_{number}", "acme") for number in (1, 2)]
        assert [JobState.DONE, JobState.CANCELLED] == [one.state for one in ends if one is not None]
        assert ends[1] == await jobs.cancel("job_2", "acme"), "twice is as once"
        assert not await jobs.finish(answered(running))
        assert [None, None] == [await jobs.cancel("job_3", "other"), await jobs.cancel("job_9", "acme")]


async def test_there_is_room_for_so_many_and_so_much(where: Place) -> None:
    async with where.process() as database:
        few = StoredJobs(database, queued_max=2)
        assert [True, True, False] == [await few.add(job(number)) for number in range(3)]
        small = StoredJobs(database, bytes_max=sum(len(job(number).body) for number in range(3)))
        assert [True, False] == [await small.add(job(number)) for number in (2, 3)]


async def test_what_ended_is_swept_after_its_time_and_nothing_else(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        for number, webhook in ((1, ""), (2, "https://hooks.example.com/"), (3, "")):
            await jobs.add(job(number, webhook=webhook))
        for running in await jobs.claim("run_1", 2):
            await jobs.finish(answered(running))
        where.clock.now_s += 60
        assert [0, 1] == [await jobs.sweep(61_000), await jobs.sweep(59_000)]
        await jobs.told("job_2", Telling.TOLD, 0)
        assert 1 == await jobs.sweep(59_000)
        assert ["job_3"] == [one.job_id for one in await jobs.claim("run_1", 9)]


async def pending(jobs: StoredJobs) -> Job:
    await jobs.add(job(webhook="https://hooks.example.com/x"))
    (running,) = await jobs.claim("run_1", 1)
    await jobs.finish(answered(running))
    return running


async def test_a_webhook_is_due_with_the_answer_and_again_until_it_was_told(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await pending(jobs)
        (due,) = await jobs.due(8, 60_000)
        assert (Telling.PENDING, 1, b'{"id":"msg_1"}', b"") == (due.telling, due.telling_tries, due.answer, due.body)
        assert [] == await jobs.due(8, 60_000), "it is being told"
        await jobs.told("job_1", Telling.PENDING, 30_000)
        where.clock.now_s += 30
        assert [2] == [one.telling_tries for one in await jobs.due(8, 60_000)]
        await jobs.told("job_1", Telling.TOLD, 0)
        where.clock.now_s += 120
        assert [] == await jobs.due(8, 60_000)


async def test_a_webhook_that_was_being_told_when_the_process_died_is_told_again(where: Place) -> None:
    async with where.process() as database:
        await pending(StoredJobs(database))
        await StoredJobs(database).due(8, 60_000)
    where.clock.now_s += 61
    async with where.process() as database:
        assert ["job_1"] == [one.job_id for one in await StoredJobs(database).due(8, 60_000)]


async def test_a_job_without_a_webhook_tells_nobody(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await jobs.add(job())
        (running,) = await jobs.claim("run_1", 1)
        await jobs.finish(answered(running))
        assert [] == await jobs.due(8, 60_000)


async def test_a_statement_that_fails_harms_no_other_of_the_same_moment(where: Place) -> None:
    """The same id twice is refused by the database; what was asked for beside it is done."""
    async with where.process() as database:
        jobs = StoredJobs(database)
        await jobs.add(job(1))
        ends = await asyncio.gather(*(jobs.add(job(number)) for number in (2, 1, 3)), return_exceptions=True)
        assert [True, True] == [ends[0], ends[2]]
        assert isinstance(ends[1], RequestError)
        assert "router_ledger_unavailable" == ends[1].code


async def test_a_closed_store_says_so(where: Place) -> None:
    async with where.process() as database:
        pass
    with pytest.raises(RequestError) as refused:
        await StoredJobs(database).add(job())
    assert "router_ledger_unavailable" == refused.value.code


async def test_a_newer_schema_is_refused_and_left_as_it_is(where: Place) -> None:
    async with where.process() as database:
        newer = len(MIGRATIONS) + 1
        raised = ("UPDATE jobs_schema SET version = :newer RETURNING version", {"newer": newer})
        await database.run(raised if where.shared else (f"PRAGMA user_version = {newer}", {}))
    with pytest.raises(StartError, match="newer Tierwise"):
        async with where.process():
            pass


async def test_only_this_user_may_read_the_file(tmp_path: Path) -> None:
    database = SqliteJobs(tmp_path, ScriptedClock())
    await database.open()
    await StoredJobs(database).add(job())
    modes = modes_in(tmp_path)
    await database.close()
    assert {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600} == modes


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all, and long enough to be looked at" * 40)
    with pytest.raises(StartError, match="cannot be opened"):
        await SqliteJobs(tmp_path, ScriptedClock()).open()


async def test_a_postgres_that_is_not_there_stops_the_start_without_its_password(tmp_path: Path) -> None:
    database = PostgresJobs(f"postgresql://someone:pass-word@/x?host={tmp_path}")
    with pytest.raises(StartError) as refused:
        await database.open()
    assert "pass-word" not in str(refused.value) + repr(database)


async def test_connections_that_broke_while_idle_are_replaced_unseen(where: Place) -> None:
    if not where.shared:
        pytest.skip("a file has no connections to break")
    async with where.process() as database, where.process() as other:
        jobs = StoredJobs(database)
        await asyncio.gather(*(jobs.add(job(number)) for number in range(8)))
        await other.run((BREAK, {}))
        assert 8 == len(await jobs.claim("run_1", 9))


async def test_without_a_clock_of_ours_the_database_tells_the_time(where: Place, postgres: str) -> None:
    if not where.shared:
        pytest.skip("a file has no clock")
    database = PostgresJobs(where.url)
    await database.open()
    jobs = StoredJobs(database, lease_ms=0)
    await jobs.add(job())
    first = await jobs.claim("run_1", 1)
    await asyncio.sleep(0.005)
    assert [1, 2] == [one.tries for one in (*first, *await jobs.claim("run_2", 1))], "a lease of no time is over"
    await database.close()
