"""U1 to U5 of the matrix: what the API refuses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from router.standin.faults import Fault

from .api import says
from .caller import asked, of_task, prompt
from .street import HAIKU, OPUS, SONNET, USUAL, Mother, Played, Scripted, billed, may_be_asked_again, named, played

pytestmark = pytest.mark.anyio

AS_IT_CAME = (
    b'{ "type":"error","error":{"type":"invalid_request_error","message":"No. \\u00e9"},\n "request_id":"req_1" }'
)


@pytest.mark.parametrize("status", [400, 412, 422, 431])
async def test_u01_a_bad_request_comes_back_byte_for_byte_and_is_asked_once(raw: Scripted, status: int) -> None:
    raw.api.on(SONNET, says(status, AS_IT_CAME))
    told = await raw.front.messages(asked())
    assert (told.status, told.body) == (status, AS_IT_CAME)
    assert (raw.api.models, told.headers["x-router-attempts"]) == ([SONNET], "1")
    assert [("bad_request", "void", 0)] == [
        (row.outcome, row.billed, row.cost_pico) for row in await raw.front.books(told)
    ]


async def test_u01_on_complete_a_bad_request_is_told_in_the_one_shape(raw: Scripted) -> None:
    raw.api.on(SONNET, says(400, AS_IT_CAME))
    told = await raw.front.complete(prompt())
    assert (told.status, told.code, told.headers["x-should-retry"]) == (400, "router_bad_request", "false")
    assert ("No." in told.json["error"]["message"], raw.api.models) == (True, [SONNET])


@pytest.mark.parametrize("status", [401, 403])
async def test_u02_a_refused_key_is_our_trouble_and_not_the_callers(calm: Played, status: int) -> None:
    calm.api.faults.add(named(status))
    for told in (await calm.front.messages(asked()), await calm.front.complete(prompt())):
        assert (told.status, told.code, told.headers["x-should-retry"]) == (502, "router_upstream_auth", "false")
        assert billed(await calm.front.books(told)) == ["void"]
    assert calm.models() == [SONNET, SONNET], "the other models have the same key"
    canned = await calm.front.complete(of_task("canned"))
    assert (canned.status, canned.router["served_by"]) == (200, "canned")


async def test_u02_a_burst_of_refused_keys_is_an_outage_and_paged_once(mother: Mother, tmp_path: Path) -> None:
    async with played(mother, tmp_path, USUAL) as street:
        await street.front.complete(of_task("kept"))
        street.api.seen.clear()
        street.api.faults.add(named(401))
        begun_s = time.monotonic()
        served = [(await street.front.complete({**of_task("canned", str(n)), "model": m})).router["served_by"]
                  for n in range(10) for m in ("haiku", "sonnet", "opus")]  # fmt: skip
        assert served == ["canned"] * 30
        probes = (time.monotonic() - begun_s) // 5
        assert 5 <= len(street.models()) <= 5 + probes, "five, and then a probe every five seconds"
        assert (await street.front.standing(OPUS))["breaker"] == "open"
        stale = await street.front.complete(of_task("kept"))
        assert stale.router["served_by"] == "stale"
        honest = await street.front.messages(asked())
        if honest.status != 502:  # it was a probe itself
            assert (honest.status, may_be_asked_again(honest)) == (503, True)
    assert [("every_model", "open")] == [(line["model"], line["state"]) for line in street.front.lines("breaker")]


SPENT = [
    named(402),
    named(429, error_code="enforced_spend_limit_reached"),
    named(400, error_type="invalid_request_error", error_code="enforced_spend_limit_reached"),
    named(400, error_type="billing_error"),
]


@pytest.mark.parametrize("fault", SPENT, ids=lambda fault: f"{fault.status}-{fault.error_code}")
async def test_u03_a_spend_limit_is_never_waited_for(calm: Played, fault: Fault) -> None:
    await calm.front.complete(of_task("kept"))
    calm.api.seen.clear()
    calm.api.faults.add(fault)
    told = await calm.front.complete(prompt())
    assert (told.status, told.code, told.headers["x-should-retry"]) == (503, "router_all_tiers_down", "false")
    assert billed(await calm.front.books(told)) == ["void"]
    stale = await calm.front.complete(of_task("kept"))
    canned = await calm.front.complete(of_task("canned"))
    assert [told.router["served_by"] for told in (stale, canned)] == ["stale", "canned"]
    assert calm.models() == [SONNET] * 3, "one call each: no retry, and no other model of the same account"


@pytest.mark.parametrize("fault", SPENT, ids=lambda fault: f"{fault.status}-{fault.error_code}")
async def test_u03_a_client_is_told_not_to_try_again(calm: Played, fault: Fault) -> None:
    """The SDK would ask twice more after a 429; what is spent lasts to the end of the month."""
    calm.api.faults.add(fault)
    told = await calm.front.messages(asked())
    assert (told.status, told.code, told.headers["x-should-retry"]) == (503, "router_all_tiers_down", "false")


async def test_u04_a_model_that_is_gone_is_left_alone_for_a_minute(mother: Mother, tmp_path: Path) -> None:
    async with played(mother, tmp_path, USUAL) as street:
        street.api.faults.add(named(404, model=SONNET))
        first = await street.front.messages(asked())
        later = [await street.front.messages(asked(system=str(number))) for number in range(3)]
        assert {told.status for told in (first, *later)} == {200}
        assert street.models() == [SONNET, OPUS, OPUS, OPUS, OPUS]
        assert billed(await street.front.books(first)) == ["void", "settled"]
        standing = await street.front.standing(SONNET)
        assert (standing["breaker"], 30 < standing["open_for_s"] <= 60) == ("open", True)
    assert [(SONNET, "open")] == [(line["model"], line["state"]) for line in street.front.lines("breaker")]


async def test_u04_where_every_model_is_gone_the_caller_is_told_whose_fault_it_is(calm: Played) -> None:
    calm.api.faults.add(named(404))
    told = await calm.front.complete(prompt())
    assert (told.status, told.headers["x-should-retry"]) == (502, "false")
    assert sorted(calm.models()) == sorted([SONNET, OPUS, HAIKU])
    calm.api.faults.clear()


async def test_u05_what_is_too_large_is_too_large_for_all(calm: Played) -> None:
    calm.api.faults.add(named(413))
    for told in (await calm.front.messages(asked()), await calm.front.complete(prompt())):
        assert told.status == 413
        assert billed(await calm.front.books(told)) == ["void"]
    assert calm.models() == [SONNET, SONNET]
