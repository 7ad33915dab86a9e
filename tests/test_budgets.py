"""Budgets in the story: held before a call, settled by what it cost, stepped down, and refused when they are spent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.decide.spend import Account, accounts
from router.errors import RequestError
from router.vocabulary import OutcomeKind
from router.wire.ask import read_complete, read_messages

from .rulebooks import rules_from
from .test_pipeline import CALLER, complete, header, messages, router_of
from .worlds import World, answered, failed

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
  opus: {model: claude-opus-5-5}
default: {tier: opus, task: chat}
tasks: {chat: {max_tokens: 1000}}
classifier: {enabled: false}
fallbacks: {canned: Sorry., ceiling: opus}
budgets:
  chat: {usd: USD, per: day, feature: chat THEN}
"""
# 1,000 tokens out and at most 2,000 in: on opus some 0.033 USD at worst, on sonnet half, on haiku 0.0008.
CHAT = {"x-router-feature": "chat"}


def world_of(folder: Path, usd: str, *script: object, then: str = "") -> World:
    rules = rules_from(POLICY.replace("USD", usd).replace("THEN", then), folder)
    return World(*script, rules=lambda: rules)  # type: ignore[arg-type]


def pot(world: World, rules: Rulebook) -> tuple[int, int]:
    ask = read_complete(complete(), CHAT)
    pots = accounts(rules, "acme", ask.words, world.clock.now_ms())
    ((standing),) = world.spend.standings(pots)
    return standing.spent_pico, standing.held_pico


async def ask_once(world: World, headers: dict[str, str] = CHAT) -> dict[str, object]:
    return router_of(await world.pipeline.handle(read_complete(complete(), headers), CALLER))


@pytest.mark.anyio
async def test_what_a_request_cost_is_taken_from_its_budget_and_nothing_stays_held(tmp_path: Path) -> None:
    world = world_of(tmp_path, "5", answered(model="claude-opus-5-5"))
    told = await ask_once(world)
    # 100 tokens in at 4, 10 out at 20 USD a million
    assert ("opus", "0.0006") == (told["tier"], told["cost_usd"])
    assert (600_000_000, 0) == pot(world, world.steering.steer(None, CALLER).rules)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_the_worst_case_is_held_while_a_request_is_under_way_and_given_back_when_it_is_broken_off(
    tmp_path: Path,
) -> None:
    world = world_of(tmp_path, "5", "never")
    rules = world.steering.steer(None, CALLER).rules  # type: ignore[arg-type]
    asking = asyncio.ensure_future(world.pipeline.handle(read_complete(complete(), CHAT), CALLER))
    await world.upstream.waiting.wait()
    held = pot(world, rules)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert held[1] > 20_000_000_000
    assert (held[1], 0) == pot(world, rules)  # its end was not seen: it counts with its bound


@pytest.mark.parametrize(("usd", "tier"), [("0.02", "sonnet"), ("0.002", "haiku")])
@pytest.mark.anyio
async def test_a_request_steps_down_to_the_tier_that_still_fits(usd: str, tier: str, tmp_path: Path) -> None:
    world = world_of(tmp_path, usd, answered())
    told = await ask_once(world)
    assert tier == told["tier"]
    assert f"the budget chat has no more left than for {tier}" in str(told["reason"])


@pytest.mark.anyio
async def test_a_budget_that_is_spent_refuses_with_its_name_and_when_it_begins_anew(tmp_path: Path) -> None:
    world = world_of(tmp_path, "0.0001")
    with pytest.raises(RequestError) as caught:
        await ask_once(world)
    assert ("router_budget", 402) == (caught.value.code, caught.value.status)
    assert caught.value.message.startswith("the budget chat has too little left for this day; it begins anew at 20")
    assert [("budget", "the budget chat is nearly or wholly spent")] == world.warned
    assert [] == world.upstream.calls


@pytest.mark.anyio
async def test_a_budget_may_answer_with_the_canned_reply_on_complete_and_refuses_on_messages(tmp_path: Path) -> None:
    world = world_of(tmp_path, "0.0001", then=", then: canned")
    served = await world.pipeline.handle(read_complete(complete(), CHAT), CALLER)
    assert ("Sorry.", "canned") == (
        msgspec.json.decode(served.body)["content"][0]["text"],
        header(served, "x-router-fallback"),
    )
    with pytest.raises(RequestError, match="the budget chat has too little left"):
        await world.pipeline.handle(read_messages(messages(), CHAT), CALLER)


@pytest.mark.anyio
async def test_a_budget_that_only_warns_lets_everything_through_and_warns_once(tmp_path: Path) -> None:
    world = world_of(tmp_path, "0.0001", answered(), answered(), then=", then: warn")
    for _ in range(2):
        assert "opus" == (await ask_once(world))["tier"]
    assert 1 == len(world.warned)


@pytest.mark.anyio
async def test_from_save_at_on_no_request_goes_above_the_saving_tier_nor_does_a_fallback(tmp_path: Path) -> None:
    world = world_of(
        tmp_path, "1", failed(OutcomeKind.OVERLOADED, 529), answered(), then=", save_at: 0, save_tier: sonnet"
    )
    told = await ask_once(world)
    assert ["claude-sonnet-5-5", "claude-haiku-5-5"] == world.upstream.models
    assert "the budget chat saves: no tier above sonnet" in str(told["reason"])


@pytest.mark.anyio
async def test_other_features_draw_from_other_pots(tmp_path: Path) -> None:
    world = world_of(tmp_path, "0.0001", answered())
    assert "opus" == (await ask_once(world, {"x-router-feature": "search"}))["tier"]


@pytest.mark.anyio
async def test_each_user_has_the_whole_amount(tmp_path: Path) -> None:
    world = world_of(tmp_path, "0.04", *(answered() for _ in range(20)), then=", each: user")
    tiers = [
        (await ask_once(world, {**CHAT, "x-router-user": user}))["tier"] for user in ("a", "b", "c") for _ in range(2)
    ]
    assert ["opus"] * 6 == tiers


@pytest.mark.anyio
async def test_a_hundred_at_once_never_spend_more_than_there_is(tmp_path: Path) -> None:
    world = world_of(tmp_path, "0.1", *(answered(model="claude-opus-5-5") for _ in range(100)))
    rules = world.steering.steer(None, CALLER).rules  # type: ignore[arg-type]
    most = 0

    async def one() -> None:
        nonlocal most
        try:
            await ask_once(world)
        except RequestError as error:
            assert "router_budget" == error.code  # noqa: PT017 - most of them are refused
        spent, held = pot(world, rules)
        most = max(most, spent + held)

    await asyncio.gather(*(one() for _ in range(100)))
    assert 0 < most <= 100_000_000_000
    assert 0 == pot(world, rules)[1]


def test_an_account_is_a_budget_whom_it_counts_and_since_when(tmp_path: Path) -> None:
    rules = rules_from(POLICY.replace("USD", "1").replace("THEN", ", each: user"), tmp_path)
    words = read_complete(complete(), {**CHAT, "x-router-user": "ada"}).words
    assert (Account("chat", "ada", 1_794_960_000_000),) == accounts(rules, "acme", words, 1_795_000_000_000)
