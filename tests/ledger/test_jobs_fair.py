"""No tenant keeps the others from being put down, run or told; and what stops the start names no address."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import StartError
from router.ledger.jobs import StoredJobs
from router.ledger.jobs_postgres import UNREACHED, UNREADABLE, PostgresJobs
from tests.ledger.both import Place, answered, job

pytestmark = pytest.mark.anyio
HOOK = "https://hooks.example.com/x"


async def test_a_job_that_was_tried_before_goes_before_younger_ones_once_its_time_has_come(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await jobs.add(job(1))
        (tried,) = await jobs.claim("run_1", 1)
        await jobs.later(tried, 5_000)
        for number in (2, 3):
            await jobs.add(job(number, not_before_ms=0))
        assert ["job_2"] == [one.job_id for one in await jobs.claim("run_1", 1)]
        where.clock.now_s += 5
        assert ["job_1"] == [one.job_id for one in await jobs.claim("run_1", 1)]


async def told_of(jobs: StoredJobs, numbers: range, tenant: str) -> None:
    for number in numbers:
        await jobs.add(job(number, tenant=tenant, webhook=HOOK))
    for running in await jobs.claim("run_1", len(numbers)):
        await jobs.finish(answered(running))


async def test_two_webhooks_of_each_tenant_are_told_at_once_and_the_others_next(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        await told_of(jobs, range(5), "many")
        where.clock.now_s += 1
        await told_of(jobs, range(10, 13), "few")
        rounds = [sorted(one.job_id for one in await jobs.due(8, 60_000)) for _ in range(4)]
        expected = [["job_0", "job_1", "job_10", "job_11"], ["job_12", "job_2", "job_3"], ["job_4"], []]
        assert expected == [sorted(names) for names in rounds]


async def test_a_round_holds_no_more_than_it_may(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database)
        for number in range(6):
            await told_of(jobs, range(number, number + 1), f"tenant{number}")
        assert [4, 2, 0] == [len(await jobs.due(4, 60_000)) for _ in range(3)]


async def test_where_others_wait_too_a_tenant_has_half_of_the_places(where: Place) -> None:
    async with where.process() as database:
        jobs = StoredJobs(database, queued_max=6)
        assert all([await jobs.add(job(number)) for number in range(4)]), "alone, he may have them all"
        assert await jobs.add(job(10, tenant="other"))
        assert not await jobs.add(job(4))
        assert await jobs.add(job(11, tenant="other"))
        assert not await jobs.add(job(12, tenant="third")), "there are no more"


async def test_where_others_keep_something_too_a_tenant_has_half_of_the_room(where: Place) -> None:
    body = b"x" * 10
    async with where.process() as database:
        jobs = StoredJobs(database, bytes_max=60)
        assert all([await jobs.add(job(number, body=body)) for number in range(3)])
        assert await jobs.add(job(10, tenant="other", body=body))
        assert not await jobs.add(job(3, body=body))
        assert await jobs.add(job(11, tenant="other", body=body))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:pass-word@[canary/x",
        "postgresql://someone:pass-word@canary.example.com/x?canary=1",
        "canary pass-word",
    ],
)
async def test_an_address_that_is_none_is_not_shown(url: str) -> None:
    with pytest.raises(StartError) as refused:
        await PostgresJobs(url).open()
    assert (UNREADABLE, None) == (str(refused.value), refused.value.__cause__)


async def test_a_postgres_that_is_not_there_is_not_named(tmp_path: Path) -> None:
    with pytest.raises(StartError) as refused:
        await PostgresJobs(f"postgresql://someone:pass-word@/x?host={tmp_path}").open()
    assert (UNREACHED, None) == (str(refused.value), refused.value.__cause__)
