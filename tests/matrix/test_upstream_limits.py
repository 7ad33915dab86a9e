"""U6 to U9 of the matrix: what the API says about limits and overload, and what an outage costs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from ..upstream.rawserver import JSON, error
from .api import says, well
from .caller import Told, asked, of_task, prompt
from .street import (
    HAIKU,
    OPUS,
    SONNET,
    USUAL,
    Mother,
    Played,
    Scripted,
    billed,
    may_be_asked_again,
    named,
    over,
    played,
    policy,
    scripted,
)  # fmt: skip

pytestmark = pytest.mark.anyio


async def test_u06_a_short_retry_after_is_waited_for_and_never_shortened(raw: Scripted) -> None:
    raw.api.on(SONNET, says(429, error("rate_limit_error"), JSON, "retry-after: 1"), well)
    told = await raw.front.messages(asked())
    assert (told.status, raw.api.models) == (200, [SONNET, SONNET])
    assert raw.api.at_s[1] - raw.api.at_s[0] >= 1.0
    assert billed(await raw.front.books(told)) == ["void", "settled"]


async def test_u06_a_long_one_moves_on_and_nothing_is_sent_to_that_model_before(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, USUAL) as street:
        street.api.on(SONNET, says(429, error("rate_limit_error"), JSON, "retry-after: 30"))
        told = [await street.front.messages(asked(system=str(number))) for number in range(4)]
        assert [one.status for one in told] == [200] * 4
        assert street.api.models == [SONNET, OPUS, OPUS, OPUS, OPUS]
        assert 10 < (await street.front.standing(SONNET))["told_to_wait_s"] <= 30
        by_name = await street.front.messages(asked(model=SONNET, system="by name"))
        assert (by_name.status, 10 < int(by_name.headers["retry-after"]) <= 31) == (429, True)
        assert street.api.models.count(SONNET) == 1


async def test_u06_with_nowhere_to_go_the_429_comes_with_its_time_or_a_stale_answer(
    mother: Mother, tmp_path: Path
) -> None:
    async with scripted(mother, tmp_path, USUAL) as street:
        await street.front.complete(of_task("kept"))
        for model in (HAIKU, SONNET, OPUS):
            street.api.on(model, says(429, error("rate_limit_error"), JSON, "retry-after: 17"))
        passed = await street.front.messages(asked())
        assert (passed.status, passed.headers["retry-after"], passed.body) == (429, "17", error("rate_limit_error"))
        assert passed.headers["x-should-retry"] == "false"
        stale = await street.front.complete(of_task("kept"))
        assert (stale.router["served_by"], stale.headers["x-router-served-by"]) == ("stale", "stale")
        honest = await street.front.complete(prompt())
        assert (honest.status, honest.code) == (429, "router_rate_limited")
        assert 1 <= int(honest.headers["retry-after"]) <= 18
        assert len(street.api.models) == 4, "the last two were not even asked"


async def test_u06_no_client_is_told_to_wait_for_more_than_a_minute(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, policy()) as street:
        street.api.on(SONNET, says(429, error("rate_limit_error"), JSON, "retry-after: 3000"))
        for told in [await street.front.messages(asked(model=SONNET, system=str(n))) for n in range(2)]:
            assert (told.status, may_be_asked_again(told)) == (429, True)


async def test_u07_without_a_time_another_tier_is_asked_and_calls_go_slower(mother: Mother, tmp_path: Path) -> None:
    impatient = over(USUAL, {"pacing": {"wait_s": {"interactive": 0}}})
    async with played(mother, tmp_path, impatient) as street:
        street.api.faults.add(named(429, model=SONNET))
        begun_s = time.monotonic()
        told = await street.front.messages(asked())
        assert (told.status, street.models()) == (200, [SONNET, OPUS])
        assert billed(await street.front.books(told)) == ["void", "settled"]
        later = [await street.front.messages(asked(system=str(number))) for number in range(20)]
        assert {one.status for one in later} == {200}
        assert street.models().count(SONNET) <= 2 + (time.monotonic() - begun_s), "one a second, where there was one"


async def test_u07_with_nowhere_to_go_it_is_a_429_that_says_when(calm: Played) -> None:
    calm.api.faults.add(named(429))
    for told in (await calm.front.messages(asked()), await calm.front.complete(prompt())):
        assert (told.status, may_be_asked_again(told), told.headers["x-should-retry"]) == (429, True, "false")
    assert Counter(calm.models()) == {SONNET: 2, OPUS: 2, HAIKU: 2}


@pytest.mark.parametrize(("status", "row"), [(500, "void"), (503, "void")])
async def test_u08_a_server_error_is_tried_once_more_and_then_elsewhere(calm: Played, status: int, row: str) -> None:
    calm.api.faults.add(named(status, model=SONNET))
    told = await calm.front.messages(asked())
    assert (told.status, calm.models(), told.headers["x-router-fallback"]) == (200, [SONNET, SONNET, OPUS], "tier")
    assert billed(await calm.front.books(told)) == [row, row, "settled"]


async def test_u08_after_a_504_the_call_may_still_be_running(calm: Played) -> None:
    calm.api.faults.add(named(504, model=SONNET))
    told = await calm.front.messages(asked())
    assert (told.status, calm.models()) == (200, [SONNET, OPUS])
    books = await calm.front.books(told)
    assert billed(books) == ["unknown", "settled"]
    assert books[0].cost_pico == books[0].worst_pico > 0


@pytest.mark.parametrize(
    ("status", "honest", "code"), [(500, 503, "router_all_tiers_down"), (504, 504, "router_upstream_slow")]
)
async def test_u08_when_all_fail_the_stale_the_canned_then_the_error(
    calm: Played, status: int, honest: int, code: str
) -> None:
    await calm.front.complete(of_task("kept"))
    calm.api.seen.clear()
    calm.api.faults.add(named(status))
    told = await calm.front.complete(prompt())
    assert (told.status, told.code, told.headers["x-should-retry"]) == (honest, code, "false")
    assert len(calm.models()) == 3
    stale = await calm.front.complete(of_task("kept"))
    canned = await calm.front.complete(of_task("canned"))
    assert [told.router["served_by"] for told in (stale, canned)] == ["stale", "canned"]
    passed = await calm.front.messages(asked())
    assert (passed.status, passed.json["type"], passed.headers["x-should-retry"]) == (status, "error", "false")


async def outage(street: Played, requests: int) -> list[Told]:
    """So many callers, twenty at a time."""
    room = asyncio.Semaphore(20)

    async def one(number: int) -> Told:
        async with room:
            return await street.front.complete(of_task("canned", str(number)))

    return await asyncio.gather(*(one(number) for number in range(requests)))


@pytest.mark.parametrize(("status", "cost"), [(500, 1), (504, 2)])
async def test_u08_an_outage_costs_a_tenth_more_calls_and_no_more(
    mother: Mother, tmp_path: Path, status: int, cost: int
) -> None:
    """Even without breakers: a further call takes 1, or 2 where the one before may still be running."""
    begun_s = time.monotonic()
    async with played(mother, tmp_path, policy(retries={"burst": 4}, pacing={"enabled": True})) as street:
        street.api.faults.add(named(status))
        told = await outage(street, 300)
        assert {one.router["served_by"] for one in told} == {"canned"}
        saved_up = 3 * (4 + 0.5 * (time.monotonic() - begun_s))  # by each of three models
        assert 300 < street.api.seen.counts["/v1/messages"] <= 300 + (0.1 * 300 + saved_up) / cost


@pytest.mark.parametrize("status", [500, 529])
async def test_u09_in_an_outage_models_are_left_alone_and_everybody_is_answered(
    mother: Mother, tmp_path: Path, status: int
) -> None:
    open_for_long = over(USUAL, {"breaker": {"open_s": 60}})  # however slow the machine is that tests it
    async with played(mother, tmp_path, open_for_long) as street:
        street.api.faults.add(named(status))
        told = await outage(street, 400)
        assert {one.router["served_by"] for one in told} == {"canned"}
        assert street.api.seen.counts["/v1/messages"] <= 1.1 * 400
        street.api.seen.clear()
        await outage(street, 100)
        assert street.api.seen.counts["/v1/messages"] == 0, "nothing leaks"
        assert {(await street.front.standing(model))["breaker"] for model in (HAIKU, SONNET, OPUS)} == {"open"}
        refused = await street.front.messages(asked())
        assert (refused.status, may_be_asked_again(refused)) == (503, True)


async def test_u09_an_overloaded_model_is_not_asked_twice(calm: Played) -> None:
    calm.api.faults.add(named(529, model=SONNET))
    told = await calm.front.messages(asked())
    assert (told.status, calm.models(), told.headers["x-router-fallback"]) == (200, [SONNET, OPUS], "tier")
    assert billed(await calm.front.books(told)) == ["void", "settled"]


async def test_u09_when_all_are_overloaded_the_stale_answer_or_the_529(calm: Played) -> None:
    await calm.front.complete(of_task("kept"))
    calm.api.seen.clear()
    calm.api.faults.add(named(529))
    for told in (await calm.front.messages(asked()), await calm.front.complete(prompt())):
        assert (told.status, told.headers["x-should-retry"]) == (529, "false")
        assert billed(await calm.front.books(told)) == ["void"] * 3
    stale = await calm.front.complete(of_task("kept"))
    assert (stale.router["served_by"], stale.headers["x-router-served-by"]) == ("stale", "stale")
    assert Counter(calm.models()) == {HAIKU: 3, SONNET: 3, OPUS: 3}


async def test_u09_a_529_says_when_to_ask_again(calm: Played) -> None:
    calm.api.faults.add(named(529))
    for told in (await calm.front.complete(prompt()), await calm.front.messages(asked())):
        assert (told.status, may_be_asked_again(told)) == (529, True)
