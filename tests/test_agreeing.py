"""A cheap answer is served only where a second one agrees with it; else the next tier is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.errors import PolicyError
from router.serving import Served
from router.vocabulary import OutcomeKind
from router.wire.ask import read_complete

from .rulebooks import rules_from
from .test_pipeline import CALLER, complete, drained, header, router_of
from .worlds import ScriptedAnswer, World, answered, events, failed, streamed

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
  opus: {model: claude-opus-5-5}
default: {tier: haiku, task: sums}
tasks:
  sums: {agree: {second: claude-haiku-4-5, compare: number}}
"""
MODELS = ["claude-haiku-5-5", "claude-haiku-4-5", "claude-sonnet-5-5"]


def world_of(folder: Path, *script: ScriptedAnswer, policy: str = POLICY) -> World:
    rules = rules_from(policy, folder)
    return World(*script, rules=lambda: rules)


async def ask(world: World, fallback: str = "auto", **fields: Any) -> Served:
    router = {"task": "sums", "fallback": fallback}
    return await world.pipeline.handle(read_complete(complete(router=router, **fields), {}), CALLER)


def models(world: World) -> list[str]:
    return [str(msgspec.json.decode(call.body)["model"]) for call in world.upstream.calls]


@pytest.mark.anyio
async def test_two_cheap_answers_that_agree_are_served(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("It is 12."), answered("12"))
    served = await ask(world)
    receipt = router_of(served)
    assert MODELS[:2] == models(world)
    assert ("claude-haiku-5-5", [], False) == (receipt["model"], receipt["warnings"], receipt["degraded"])
    assert ["answer", "check"] == [row.role for row in world.ledger.rows if row.billed != "intent"]


@pytest.mark.anyio
async def test_where_they_differ_the_next_tier_answers_and_everything_is_paid_for(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("12"), answered("13"), answered("14"))
    served = await ask(world)
    receipt = router_of(served)
    assert MODELS == models(world)
    assert "claude-sonnet-5-5" == receipt["model"]
    settled = [row for row in world.ledger.rows if row.billed == "settled"]
    assert ["answer", "check", "answer"] == [row.role for row in settled]
    assert sum(row.cost_pico for row in settled) == round(float(str(receipt["cost_usd"])) * 1e12)


@pytest.mark.anyio
async def test_without_a_second_opinion_the_next_tier_is_asked(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("12"), failed(OutcomeKind.OVERLOADED, 529), answered("14"))
    assert "claude-sonnet-5-5" == router_of(await ask(world))["model"]


@pytest.mark.anyio
async def test_where_nothing_else_answers_the_doubtful_answer_is_served_and_says_so(tmp_path: Path) -> None:
    down = failed(OutcomeKind.OVERLOADED, 529)
    world = world_of(tmp_path, answered("12"), answered("13"), down, down, down)
    receipt = router_of(await ask(world))
    assert ("claude-haiku-5-5", "disagreed") == (receipt["model"], receipt["outcome"])
    assert ["a second cheap answer says something else"] == receipt["warnings"]


@pytest.mark.anyio
async def test_only_the_checked_tier_is_checked(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("12"))
    assert "claude-sonnet-5-5" == router_of(await ask(world, model="sonnet"))["model"]
    assert 1 == len(world.upstream.calls)


@pytest.mark.anyio
async def test_a_second_opinion_must_be_within_what_the_caller_pays(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("12"), answered("12"))
    body = complete(router={"task": "sums", "max_cost_usd": 0.00022}, max_tokens=100)
    receipt = router_of(await world.pipeline.handle(read_complete(body, {}), CALLER))
    assert (1, "disagreed") == (len(world.upstream.calls), receipt["outcome"])


@pytest.mark.parametrize(
    ("agree", "said"),
    [
        ("{second: haiku-9, compare: number}", "no tier and no model is called `haiku-9`"),
        ("{second: sonnet, compare: number, tier: haikoo}", "no tier is called `haikoo` (did you mean `haiku`"),
        ("{second: sonnet, compare: vibes}", "compare"),
    ],
)
def test_a_wrong_check_is_told(tmp_path: Path, agree: str, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        rules_from(POLICY.replace("{second: claude-haiku-4-5, compare: number}", agree), tmp_path)
    assert said in str(refused.value)


def test_the_same_model_twice_is_a_warning(tmp_path: Path) -> None:
    rules = rules_from(POLICY.replace("claude-haiku-4-5", "haiku"), tmp_path)
    assert "`haiku` is asked twice" in " ".join(rules.warnings)


SERVER = [{"type": "url", "name": "shop", "url": "https://mcp.example.com"}]
SCHEMA = {"input_schema": {"type": "object"}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({"mcp_servers": SERVER}, 1),
        ({"container": "container_1"}, 1),
        ({"tools": [{"type": "web_fetch_20260309", "name": "web_fetch"}]}, 1),
        ({"tools": [{"name": "mine", **SCHEMA}, {"type": "code_execution_20260521", "name": "code_execution"}]}, 1),
        ({"tools": [{"type": "mcp_toolset", "mcp_server_name": "shop"}]}, 1),
        ({"tools": [{"name": "mine", **SCHEMA}, {"type": "custom", "name": "other", **SCHEMA}]}, 2),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, 2),
        ({"tools": [], "mcp_servers": []}, 2),
    ],
)
async def test_what_acts_outside_is_never_asked_twice(tmp_path: Path, fields: dict[str, Any], calls: int) -> None:
    world = world_of(tmp_path, answered("12"), answered("12"))
    receipt = router_of(await ask(world, **fields))
    assert (calls, "claude-haiku-5-5", "answered") == (len(world.upstream.calls), receipt["model"], receipt["outcome"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("policy", "fallback"),
    [
        (POLICY, "off"),
        (POLICY, "same"),
        (POLICY + "fallbacks: {attempts: 1}\n", "auto"),
        (POLICY + "fallbacks: {ceiling: haiku}\n", "auto"),
        (POLICY.replace("tier: haiku, t", "tier: opus, t").replace("{second", "{tier: opus, second"), "auto"),
    ],
)
async def test_where_nobody_else_could_be_asked_nobody_pays_for_a_doubt(
    tmp_path: Path, policy: str, fallback: str
) -> None:
    world = world_of(tmp_path, answered("12"), policy=policy)
    receipt = router_of(await ask(world, fallback))
    assert (1, "answered", []) == (len(world.upstream.calls), receipt["outcome"], receipt["warnings"])


@pytest.mark.anyio
async def test_a_doubt_that_ends_in_something_else_than_the_answer_is_worth_its_call(tmp_path: Path) -> None:
    policy = POLICY.replace("number}", "number}, on: {disagreed: [canned]}") + "fallbacks: {canned: Sorry.}\n"
    world = world_of(tmp_path, answered("12"), answered("13"), policy=policy)
    assert ("canned", 2) == (router_of(await ask(world))["served_by"], len(world.upstream.calls))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("second", "label"),
    [(answered("12"), "agreed"), (answered("13"), "differs"), (failed(OutcomeKind.OVERLOADED, 529), "alone")],
)
async def test_what_came_of_it_is_counted(tmp_path: Path, second: ScriptedAnswer, label: str) -> None:
    world = world_of(tmp_path, answered("12"), second, answered("14"))
    await ask(world)
    assert [label] == [counted for name, counted in world.events.counts if name == "agreement"]


@pytest.mark.anyio
async def test_answers_too_deep_to_compare_are_a_doubt_and_no_fault(tmp_path: Path) -> None:
    deep = "[" * 900 + "]" * 900
    world = world_of(tmp_path, answered(deep), answered(deep), answered("14"), policy=POLICY.replace("number", "json"))
    assert "claude-sonnet-5-5" == router_of(await ask(world))["model"]


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_doubtful_answer_is_kept_for_need_only(tmp_path: Path, stream: bool) -> None:
    down, kept = failed(OutcomeKind.OVERLOADED, 529), "replies: {ttl_s: 60, stale_s: 600}\n"
    first = streamed(*events("12", model="claude-haiku-5-5")) if stream else answered("12")
    second = streamed(*events("13", model="claude-haiku-4-5")) if stream else answered("13")
    world = world_of(tmp_path, first, second, down, down, down, answered("14"), answered("14"), policy=POLICY + kept)
    served = await ask(world, stream=stream)
    if stream:
        await drained(served)
    assert "model" == header(await ask(world), "x-router-served-by")
    assert 14 == int(msgspec.json.decode((await ask(world)).body)["content"][0]["text"])


@pytest.mark.anyio
async def test_what_the_next_call_mends_is_charged_to_the_step_before_it_and_not_to_the_witness(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("12"), answered("13"), answered("14"))
    await ask(world)
    assert [("claude-haiku-5-5", ""), ("claude-haiku-4-5", ""), ("claude-sonnet-5-5", "claude-haiku-5-5")] == [
        (want.model, want.charge) for want in world.gates.wants
    ]
