"""Small promises that are easily broken: who shares with whom, what is served after all, what is kept for how long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from router.serving import Served
from router.vocabulary import Outcome, OutcomeKind
from router.wire.ask import read_complete, read_messages

from .rulebooks import rules_from
from .test_flights import HeldUpstream, settled
from .test_pipeline import CALLER, complete, drained, header, messages, router_of
from .worlds import ScriptedAnswer, World, answered, events, failed, streamed

K = OutcomeKind
POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}, opus: {model: claude-opus-5-5}}
default: {tier: haiku, task: chat}
tasks:
  chat: {timeout_s: 20}
  data: {output: {type: json}}
replies: {ttl_s: 60, stale_s: 600}
"""


def world_of(folder: Path, *script: ScriptedAnswer, more: str = "") -> World:
    rules = rules_from(POLICY + more, folder)
    return World(*script, rules=lambda: rules)


async def ask(world: World, task: str = "chat", headers: dict[str, str] | None = None, **fields: object) -> Served:
    router = {"task": task, **fields.pop("router", {})}  # type: ignore[dict-item]
    return await world.pipeline.handle(read_complete(complete(router=router, **fields), headers or {}), CALLER)


@pytest.mark.parametrize(
    "other",
    [
        {"x-router-workload": "background"},
        {"x-router-fallback": "off"},
        {"x-router-fallback": "defer"},
        {"x-router-max-cost-usd": "1"},
    ],
)
@pytest.mark.anyio
async def test_whose_way_may_be_another_one_does_not_share(other: dict[str, str]) -> None:
    upstream = HeldUpstream(answered(), answered())
    world = World(upstream=upstream)
    asks = [read_messages(messages(), headers) for headers in ({}, other)]
    tasks = [asyncio.ensure_future(world.pipeline.handle(one, CALLER)) for one in asks]
    await settled()
    assert len(upstream.calls) == 2
    upstream.go.set()
    await asyncio.gather(*tasks)


@pytest.mark.anyio
async def test_a_paid_answer_is_served_when_a_better_one_would_be_too_dear(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("no json"))
    served = await ask(world, "data", router={"max_cost_usd": "0.05"}, max_tokens=8000)
    assert (router_of(served)["outcome"], len(world.upstream.calls)) == ("broken_contract", 1)


@pytest.mark.anyio
async def test_an_answer_is_served_after_what_the_policy_would_rather_give(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("No.", stop="refusal"), more="fallbacks: {on: {refused: [stale, serve]}}\n")
    assert router_of(await ask(world))["outcome"] == "refused"


@pytest.mark.anyio
async def test_broken_json_of_a_stream_is_given_to_nobody_again(tmp_path: Path) -> None:
    world = world_of(tmp_path, streamed(*events("oops")), answered('{"a": 1}'))
    await drained(await ask(world, "data", stream=True))
    assert router_of(await ask(world, "data"))["served_by"] == "model"


@pytest.mark.anyio
async def test_a_stream_that_was_held_back_is_kept_too(tmp_path: Path) -> None:
    world = world_of(tmp_path, streamed(*events("Paris.")))
    await drained(await ask(world, router={"buffered": True}, stream=True))
    assert b"Paris." in await drained(await ask(world, router={"buffered": True}, stream=True))
    assert len(world.upstream.calls) == 1


@pytest.mark.anyio
async def test_who_asks_for_the_error_gets_it_though_an_old_answer_is_there(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("Old."), failed(K.BAD_ANSWER))
    await ask(world)
    world.clock.now_s += 61
    with pytest.raises(Exception, match="no message"):
        await ask(world, router={"fallback": "off"})


@pytest.mark.anyio
async def test_what_one_caller_s_purse_made_cheap_is_nobody_s_fresh_answer(tmp_path: Path) -> None:
    more = "default: {tier: opus, task: chat}\n"
    rules = rules_from(POLICY.replace("default: {tier: haiku, task: chat}\n", more), tmp_path)
    cheap, dear = answered("Cheap.", model="claude-haiku-5-5"), answered("Dear.", model="claude-opus-5-5")
    world = World(cheap, dear, rules=lambda: rules)
    thrifty = await ask(world, router={"max_cost_usd": "0.004"}, max_tokens=200)
    assert router_of(thrifty)["tier"] == "haiku"
    assert router_of(await ask(world, max_tokens=200))["served_by"] == "model"


@pytest.mark.parametrize(
    ("router", "headers", "stream", "whole_s"),
    [
        ({}, {}, False, 20.0),
        ({"deadline_s": 5}, {}, False, 5.0),
        ({"deadline_s": 600}, {}, False, 20.0),
        ({}, {"x-stainless-read-timeout": "11"}, False, 10.0),
        ({}, {"x-stainless-read-timeout": "1"}, False, 0.5),
        ({}, {"x-stainless-read-timeout": "NOT_GIVEN"}, False, 20.0),
        ({}, {"x-stainless-read-timeout": "11"}, True, 20.0),
        ({"buffered": True}, {"x-stainless-read-timeout": "11"}, True, 10.0),
    ],
)
@pytest.mark.anyio
async def test_a_deadline_is_the_least_of_what_caller_client_and_policy_say(
    router: dict[str, object], headers: dict[str, str], stream: bool, whole_s: float, tmp_path: Path
) -> None:
    world = world_of(tmp_path, streamed(*events("Paris.")) if stream else answered())
    served = await ask(world, router=router, headers=headers, stream=stream)
    if served.chunks is not None:
        await drained(served)
    assert world.upstream.calls[0].total_s == pytest.approx(whole_s, abs=0.01)


@pytest.mark.anyio
async def test_a_client_s_timeout_bounds_how_long_a_stream_takes_to_begin(tmp_path: Path) -> None:
    world = world_of(tmp_path, streamed(*events("Paris.")))
    await drained(await ask(world, headers={"x-stainless-read-timeout": "5"}, stream=True))
    assert world.upstream.calls[0].first_byte_s == pytest.approx(4.0)


@pytest.mark.anyio
async def test_an_answer_of_another_model_is_degraded_though_the_first_was_never_asked(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered(model="claude-opus-5-5"))
    world.gates.shut["claude-haiku-5-5"] = Outcome(kind=K.BREAKER_OPEN)
    served = await ask(world)
    assert (router_of(served)["degraded"], header(served, "x-router-fallback")) == (True, "tier")


@pytest.mark.anyio
async def test_a_stream_without_a_word_is_known_before_anything_is_sent(tmp_path: Path) -> None:
    silent = [frame for frame in events() if b"delta" not in frame or b"message_delta" in frame]
    world = world_of(
        tmp_path, streamed(*silent), streamed(*events("Rome.")), more="fallbacks: {on: {empty: [up, serve]}}\n"
    )
    assert b"Rome." in await drained(await ask(world, stream=True))
