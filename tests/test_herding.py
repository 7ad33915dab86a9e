"""Many at once with one cold prefix: the first one writes it, the others read it, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.herding import Herds
from router.ports import Call
from router.prewarming import LOOK_EVERY_S, Prewarming
from router.vocabulary import Caller, OutcomeKind
from router.wire.ask import read_messages

from .bench.cache import AccountedUpstream
from .bench.traffic import text
from .rulebooks import rules_from
from .worlds import ScriptedAnswer, World, failed

SYSTEM = text(random.Random(1), 6_000)
TIERS = (
    "tiers:\n  haiku: {model: claude-haiku-5-5}\n  sonnet: {model: claude-sonnet-5-5}\nclassifier: {enabled: false}\n"
)


class Slow(AccountedUpstream):
    """Begins to answer when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.fails_first = False
        self.calls: list[Call] = []

    async def send(self, call: Call) -> ScriptedAnswer:
        self.calls.append(call)
        is_first = len(self.calls) == 1
        if is_first:
            await self.go.wait()
            if self.fails_first:
                return failed(OutcomeKind.OVERLOADED, 529)
        return await super().send(call)


def world_with(upstream: AccountedUpstream, rules: Rulebook) -> World:
    world = World(upstream=upstream, rules=lambda: rules)
    upstream.world = world
    return world


async def ask(world: World, number: int) -> int:
    body: dict[str, Any] = {"model": "claude-haiku-5-5", "max_tokens": 50, "system": SYSTEM}
    body["messages"] = [{"role": "user", "content": f"question {number}"}]
    one = read_messages(msgspec.json.encode(body), {})
    served = await world.pipeline.handle(one, Caller(tenant="t", request_id=f"r{number}"))
    return served.status


async def rush(rules: Rulebook, upstream: Slow, release_s: float | None) -> list[int]:
    world = world_with(upstream, rules)
    tasks = [asyncio.ensure_future(ask(world, number)) for number in range(20)]
    if release_s is not None:
        await asyncio.sleep(release_s)
        upstream.go.set()
    done = await asyncio.wait_for(asyncio.gather(*tasks[1:]), 10)
    upstream.go.set()
    first = (await asyncio.gather(tasks[0], return_exceptions=True))[0]
    return [first if isinstance(first, int) else 503, *done]


@pytest.mark.anyio
async def test_one_writes_and_the_others_read(tmp_path: Path) -> None:
    upstream = Slow()
    assert await rush(rules_from(TIERS + "cache: {hold_ms: 5000}\n", tmp_path), upstream, 0.05) == [200] * 20
    plans = upstream.account.plans
    assert [sum(1 for plan in plans if plan.write_5m > 5_000), sum(1 for plan in plans if plan.read)] == [1, 19]


@pytest.mark.anyio
@pytest.mark.parametrize("cache", ["{}", "{hold_ms: 5000, hold_tokens: 50000}"])
async def test_without_it_or_for_a_short_prefix_nobody_waits(cache: str, tmp_path: Path) -> None:
    upstream = Slow()
    assert await rush(rules_from(f"{TIERS}cache: {cache}\n", tmp_path), upstream, None) == [200] * 20


@pytest.mark.anyio
async def test_nobody_waits_longer_than_the_policy_says(tmp_path: Path) -> None:
    upstream = Slow()
    assert await rush(rules_from(TIERS + "cache: {hold_ms: 60}\n", tmp_path), upstream, None) == [200] * 20
    assert len(upstream.calls) == 20


@pytest.mark.anyio
async def test_when_the_first_one_fails_the_others_go_at_once(tmp_path: Path) -> None:
    upstream = Slow()
    upstream.fails_first = True
    done = await rush(rules_from(TIERS + "cache: {hold_ms: 9000}\n", tmp_path), upstream, 0.05)
    assert done == [503, *[200] * 19]


@pytest.mark.anyio
async def test_a_caller_who_leaves_holds_nobody(tmp_path: Path) -> None:
    upstream = Slow()
    world = world_with(upstream, rules_from(TIERS + "cache: {hold_ms: 9000}\n", tmp_path))
    first = asyncio.ensure_future(ask(world, 0))
    await asyncio.sleep(0.02)
    second = asyncio.ensure_future(ask(world, 1))
    await asyncio.sleep(0.02)
    first.cancel()
    assert await asyncio.wait_for(second, 5) == 200
    assert len(world.pipeline._dispatch._caches.herds) == 0


def test_who_leads_is_told_apart_by_prefix() -> None:
    herds = Herds()
    assert [herds.lead((1, 2)), herds.lead((2, 3)), len(herds)] == [(1, 2), (3,), 3]
    herds.done((1, 2))
    assert len(herds) == 1


# ---- kept warm

PREFIX = {"system": SYSTEM}


def kept(upstream: AccountedUpstream, folder: Path) -> tuple[World, Prewarming]:
    (folder / "prefix.json").write_bytes(msgspec.json.encode(PREFIX))
    rules = rules_from(TIERS + "cache: {prewarm: {help: {file: prefix.json, tier: haiku, feature: help}}}\n", folder)
    world = world_with(upstream, rules)
    told = (world.events, world.clock)
    return world, Prewarming(rules=lambda: rules, calls=(world.attempts, world.gates), caches=world.caches, told=told)


@pytest.mark.anyio
async def test_a_named_prefix_is_written_at_the_start_and_the_first_user_reads_it(tmp_path: Path) -> None:
    upstream = AccountedUpstream()
    world, warming = kept(upstream, tmp_path)
    await warming.look()
    assert await ask(world, 1) == 200
    assert [plan.write_5m > 5_000 for plan in upstream.account.plans] == [True, False]
    assert upstream.account.plans[1].read > 5_000
    row = world.ledger.rows[0]
    assert (row.role, row.feature, row.tenant, row.output_tokens >= 0) == ("prewarm", "help", "prewarm", True)


@pytest.mark.anyio
async def test_it_is_kept_while_it_is_used_and_no_longer(tmp_path: Path) -> None:
    upstream = AccountedUpstream()
    world, warming = kept(upstream, tmp_path)

    async def live(seconds: float, every_s: float | None) -> int:
        before, since_s = len(world.ledger.rows), 0.0
        asked = 0
        for _ in range(int(seconds / LOOK_EVERY_S)):
            await warming.look()
            world.clock.now_s += LOOK_EVERY_S
            since_s += LOOK_EVERY_S
            if every_s is not None and since_s >= every_s:
                since_s, asked = 0.0, asked + 1
                await ask(world, asked)
        return len(world.ledger.rows) - before - asked

    assert await live(3_600, 60) == 1, "users keep it warm themselves"
    assert await live(3_600, 600) >= 5, "and between them it is refreshed"
    reads = [plan.read for plan in upstream.account.plans[-5:]]
    assert min(reads) > 5_000
    await live(7_200, None)
    assert await live(3_600, None) == 0, "nobody uses it: nothing is spent"


@pytest.mark.anyio
async def test_what_nobody_used_is_a_cost_and_no_saving(tmp_path: Path) -> None:
    world, warming = kept(AccountedUpstream(), tmp_path)
    await warming.look()
    row = world.ledger.rows[0]
    assert row.cost_pico > 0
    assert row.plain_pico == 0


@pytest.mark.anyio
async def test_lines_that_vary_are_moved_in_what_is_kept_warm_too(tmp_path: Path) -> None:
    """Else it would be another prefix than the one that is sent."""
    (tmp_path / "prefix.json").write_bytes(msgspec.json.encode({"system": f"Now: 1\n{SYSTEM}"}))
    text_of = "cache: {varying: ['^Now: '], prewarm: {help: {file: prefix.json, tier: haiku}}}\n"
    rules = rules_from(TIERS + text_of, tmp_path)
    upstream = AccountedUpstream()
    world = world_with(upstream, rules)
    told, calls = (world.events, world.clock), (world.attempts, world.gates)
    warming = Prewarming(rules=lambda: rules, calls=calls, caches=world.caches, told=told)
    await warming.look()
    body = {"model": "claude-haiku-5-5", "max_tokens": 50, "system": f"Now: 2\n{SYSTEM}"}
    one = read_messages(msgspec.json.encode({**body, "messages": [{"role": "user", "content": "hi"}]}), {})
    await world.pipeline.handle(one, Caller(tenant="t", request_id="r"))
    assert [plan.read > 5_000 for plan in upstream.account.plans] == [False, True]


@pytest.mark.anyio
async def test_another_model_under_the_tier_is_another_prefix_to_write(tmp_path: Path) -> None:
    upstream = AccountedUpstream()
    world, warming = kept(upstream, tmp_path)
    await warming.look()
    text_of = "cache: {prewarm: {help: {file: prefix.json, tier: haiku, feature: help}}}\n"
    other = rules_from(TIERS.replace("claude-haiku-5-5", "claude-haiku-4-5") + text_of, tmp_path)
    warming._rules = lambda: other
    await warming.look()
    await warming.look()
    assert [row.model for row in world.ledger.rows] == ["claude-haiku-5-5", "claude-haiku-4-5"]


@pytest.mark.anyio
async def test_what_goes_wrong_in_a_look_does_not_end_the_keeping(tmp_path: Path) -> None:
    world, warming = kept(AccountedUpstream(), tmp_path)

    def broken() -> Rulebook:
        raise KeyError("help")

    warming._rules = broken
    keeping = asyncio.ensure_future(warming.keep())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not keeping.done()
    keeping.cancel()
    assert {fields["outcome"] for event, fields in world.events.said if event == "prewarm"} == {"KeyError"}


@pytest.mark.anyio
async def test_what_the_api_refuses_is_said_and_does_not_end_the_rest(tmp_path: Path) -> None:
    class Refusing(AccountedUpstream):
        async def send(self, call: Call) -> ScriptedAnswer:
            return failed(OutcomeKind.BAD_REQUEST, 400) if self.refuses else await super().send(call)

        refuses = True

    upstream = Refusing()
    world, warming = kept(upstream, tmp_path)

    def outcomes() -> list[object]:
        return [fields["outcome"] for event, fields in world.events.said if event == "prewarm"]

    await warming.look()
    await warming.look()
    assert outcomes() == ["bad_request"]
    for _ in range(int(600 / LOOK_EVERY_S)):
        world.clock.now_s += LOOK_EVERY_S
        await warming.look()
    assert outcomes() == ["bad_request"] * 4, "after 1, 3 and 7 minutes"
    upstream.refuses = False
    world.clock.now_s += 600
    await warming.look()
    assert outcomes()[-1] == "cut_at_max_tokens" or outcomes()[-1] == "answered"
