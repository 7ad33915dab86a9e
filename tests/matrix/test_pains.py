"""Rows 27 to 30 of the pains: retries that multiply, times and statuses that are lost, cooldowns that leak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest

from router.standin import Fault

from ..upstream.rawserver import JSON, error
from .api import hangs_up, says, well
from .caller import TURN, Told, asked, of_task, prompt, until
from .street import (
    CALM,
    HAIKU,
    OPUS,
    SONNET,
    USUAL,
    Mother,
    Played,
    Scripted,
    fault,
    may_be_asked_again,
    named,
    over,
    played,
    policy,
    scripted,
)  # fmt: skip

pytestmark = pytest.mark.anyio

KINDS: dict[str, Fault] = {
    **{str(status): named(status) for status in (408, 409, 429, 500, 502, 503, 504, 529)},
    "spent": named(429, error_code="enforced_spend_limit_reached"),
    "closed": fault("close"),
    "html": fault("html"),
    "cut": fault("cut"),
    "refused_key": named(401),
}
UNANSWERED = 'tierwise_requests_total{kind="nobody"}'


async def asks_with_the_sdk(street: Played) -> int:
    """As people use it, with two retries of its own; how many requests it made of it."""
    before = await street.front.counter(UNANSWERED)
    url = f"http://127.0.0.1:{street.front.port}"
    async with anthropic.AsyncAnthropic(base_url=url, api_key="any", timeout=60) as client:
        with pytest.raises(anthropic.APIStatusError):
            await client.messages.create(model="sonnet", max_tokens=200, messages=[TURN])
    return await street.front.counter(UNANSWERED) - before


@pytest.mark.parametrize("kind", KINDS)
async def test_27_a_clients_retries_do_not_multiply_ours(calm: Played, kind: str) -> None:
    calm.api.faults.add(KINDS[kind])
    assert await asks_with_the_sdk(calm) == 1
    assert 1 <= calm.api.seen.counts["/v1/messages"] <= 3


@pytest.mark.parametrize("seconds", [1, 60])
async def test_27_nor_do_they_where_there_is_a_time_to_wait(mother: Mother, tmp_path: Path, seconds: int) -> None:
    async with played(mother, tmp_path, CALM) as street:
        street.api.faults.add(named(429, retry_after=seconds))
        assert await asks_with_the_sdk(street) == 1
        assert 1 <= street.api.seen.counts["/v1/messages"] <= 3


@pytest.fixture(scope="module")
async def single(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    async with played(mother, tmp_path_factory.mktemp("single"), policy(fallbacks={"attempts": 1})) as street:
        yield street


@pytest.mark.parametrize("kind", KINDS)
async def test_27_not_even_where_one_attempt_is_all_there_is(single: Played, kind: str) -> None:
    single.api.faults.clear()
    single.api.seen.clear()
    single.api.faults.add(KINDS[kind])
    told = await single.front.messages(asked())
    assert (told.headers.get("x-should-retry"), single.models()) == ("false", [SONNET])


@pytest.mark.parametrize("siblings", [(), ("claude-sonnet-4-6", "claude-opus-4-8")])
@pytest.mark.parametrize("attempts", [2, 5])
async def test_27_however_long_the_ladder_the_attempts_are_those_of_the_policy(
    mother: Mother, tmp_path: Path, attempts: int, siblings: tuple[str, ...]
) -> None:
    tiers = {"tiers": {"sonnet": {"model": SONNET, "siblings": siblings}}, "fallbacks": {"attempts": attempts}}
    async with played(mother, tmp_path, over(CALM, tiers)) as street:
        street.api.faults.add(named(500))
        told = await street.front.complete(prompt())
        assert told.status == 503
        assert street.api.seen.counts["/v1/messages"] <= attempts
        assert told.headers["x-should-retry"] == "false"


async def test_28_a_time_that_fits_is_kept_and_never_shortened(raw: Scripted) -> None:
    raw.api.on(SONNET, says(429, error("rate_limit_error"), JSON, "retry-after-ms: 400", "retry-after: 1"), well)
    told = await raw.front.messages(asked())
    assert (told.status, raw.api.models) == (200, [SONNET, SONNET])
    assert raw.api.at_s[1] - raw.api.at_s[0] >= 0.4


async def test_28_a_time_that_does_not_fit_the_deadline_is_not_waited_for(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, CALM) as street:
        street.api.on(SONNET, says(429, error("rate_limit_error"), JSON, "retry-after: 2"))
        told = await street.front.messages(asked(), x_router_deadline_s="1.5")
        assert (told.status, street.api.models) == (200, [SONNET, OPUS])


@pytest.mark.parametrize("words", ["soon", "-5", "1e9", "", "99999999999999999999", "Sat, 21 Nov 2026"])
async def test_28_a_time_that_is_none_stops_nothing(raw: Scripted, words: str) -> None:
    raw.api.on(SONNET, says(429, error("rate_limit_error"), JSON, f"retry-after: {words}"))
    told = await raw.front.messages(asked())
    assert (told.status, raw.api.models[-1]) == (200, OPUS)


async def test_28_the_time_is_passed_on_to_the_caller(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, CALM) as street:
        for model in (HAIKU, SONNET, OPUS):
            street.api.on(model, says(429, error("rate_limit_error"), JSON, "retry-after: 30"))
        for told in (await street.front.messages(asked()), await street.front.complete(prompt())):
            assert (told.status, 20 <= int(told.headers["retry-after"]) <= 31) == (429, True)


# The API's table (messages-api.md, 3.3), as /v1/messages must hand it on, and whether other models are asked.
TABLE = [
    (400, "invalid_request_error", None, False),
    (404, "not_found_error", None, True),
    (408, "timeout_error", None, True),
    (409, "conflict_error", None, True),
    (412, "invalid_request_error", None, False),
    (413, "request_too_large", None, False),
    (422, "invalid_request_error", None, False),
    (429, "rate_limit_error", None, True),
    (429, "rate_limit_error", "ramp_limit_exceeded", True),
    (431, "invalid_request_error", None, False),
    (500, "api_error", None, True),
    (501, "api_error", None, True),
    (503, "api_error", None, True),
    (504, "timeout_error", None, True),
    (529, "overloaded_error", None, True),
]


@pytest.mark.parametrize(("status", "type_", "code", "moves"), TABLE, ids=[f"{row[0]}-{row[2]}" for row in TABLE])
async def test_29_every_error_keeps_its_status_and_its_bytes(
    raw: Scripted, status: int, type_: str, code: str | None, moves: bool
) -> None:
    body = error(type_, code, "As it came: \u00e9")
    for model in (HAIKU, SONNET, OPUS):
        raw.api.on(model, says(status, body, JSON, "request-id: req_of_the_api"))
    told = await raw.front.messages(asked())
    assert (told.status, told.body, told.headers["content-type"]) == (status, body, "application/json")
    assert (len(set(raw.api.models)) > 1) is moves
    assert (told.headers["x-router-attempts"], len(raw.api.models) <= 3) == (str(len(raw.api.models)), True)


# Between the API and this service: no client can do anything about these.
OURS = [
    (401, "authentication_error", None, 502),
    (403, "permission_error", None, 502),
    (402, "billing_error", None, 503),
    (429, "rate_limit_error", "enforced_spend_limit_reached", 503),
    (429, "rate_limit_error", "contract_spend_limit_reached", 503),
]


@pytest.mark.parametrize(("status", "type_", "code", "told_as"), OURS, ids=[f"{row[0]}-{row[2]}" for row in OURS])
async def test_29_what_is_our_own_trouble_is_not_the_callers(
    raw: Scripted, status: int, type_: str, code: str | None, told_as: int
) -> None:
    raw.api.on(SONNET, says(status, error(type_, code)))
    told = await raw.front.messages(asked())
    assert (told.status, told.headers["x-should-retry"], raw.api.models) == (told_as, "false", [SONNET])


async def at_once(number: int, ask: Callable[[int], Awaitable[Told]]) -> list[Told]:
    return await asyncio.gather(*(ask(one) for one in range(number)))


BREAKING = {"breaker": {"in_a_row": 3, "open_s": 2, "close_after": 2}}


async def test_30_an_open_breaker_lets_one_probe_through_and_closes_on_answers(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, over(USUAL, BREAKING)) as street:

        async def ask(number: int) -> Told:
            return await street.front.messages(asked(system=f"{number} of {len(street.api.models)}"))

        street.api.on(SONNET, says(529, error("overloaded_error")))
        for number in range(3):
            assert (await ask(number)).headers["x-router-model"] == OPUS
        assert street.api.models.count(SONNET) == 3
        assert {told.headers["x-router-model"] for told in await at_once(20, ask)} == {OPUS}
        assert street.api.models.count(SONNET) == 3, "nothing leaks while it is open"
        let = asyncio.Event()

        async def probed(wire: Any, request: Any) -> bool:
            await let.wait()
            return await well(wire, request)

        street.api.on(SONNET, probed)
        await until_open_is_over(street)
        probing = asyncio.ensure_future(ask(1000))
        await until(lambda: street.api.models.count(SONNET) == 4)
        assert {told.headers["x-router-model"] for told in await at_once(20, ask)} == {OPUS}
        assert street.api.models.count(SONNET) == 4, "one probe, and nobody else"
        let.set()
        assert (await probing).headers["x-router-model"] == SONNET
        assert (await street.front.standing(SONNET))["breaker"] == "half_open"
        assert (await ask(1001)).headers["x-router-model"] == SONNET
        assert (await street.front.standing(SONNET))["breaker"] == "closed"


async def until_open_is_over(street: Scripted) -> None:
    async with asyncio.timeout(30):
        while (await street.front.standing(SONNET))["open_for_s"] != 0.0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_30_a_probe_that_fails_opens_it_again_for_longer(mother: Mother, tmp_path: Path) -> None:
    async with scripted(mother, tmp_path, over(USUAL, BREAKING)) as street:
        street.api.on(SONNET, hangs_up)
        for number in range(2):
            await street.front.messages(asked(system=str(number)))  # two calls each
        assert (await street.front.standing(SONNET))["breaker"] == "open"
        calls = street.api.models.count(SONNET)
        await until_open_is_over(street)
        told = await street.front.messages(asked())
        standing = await street.front.standing(SONNET)
        assert (told.status, street.api.models.count(SONNET)) == (200, calls + 1)
        assert (standing["breaker"], standing["open_for_s"] > 2.4) == ("open", True)


async def test_30_one_models_outage_is_not_everybodys(mother: Mother, tmp_path: Path) -> None:
    """And where it is the only model there is, the answer is a canned one or says when to ask again."""
    async with scripted(mother, tmp_path, over(USUAL, {"breaker": {"in_a_row": 3, "open_s": 60}})) as street:
        street.api.on(SONNET, says(500, error("api_error")))
        told = [await street.front.messages(asked(system=str(number))) for number in range(10)]
        assert {(one.status, one.headers["x-router-model"]) for one in told} == {(200, OPUS)}
        alone = await street.front.messages(asked(model=SONNET))
        assert (alone.status, alone.code, may_be_asked_again(alone)) == (503, "router_all_tiers_down", True)
        canned = await street.front.complete({**of_task("canned"), "model": SONNET})
        assert canned.router["served_by"] == "canned"
        assert (await street.front.ready())["status"] == "degraded"
