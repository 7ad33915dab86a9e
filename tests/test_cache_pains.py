"""The pains of other gateways' users with the prompt cache, rows 12 to 19, each as a test that it is not ours.

Row 15 is in tests/wire/test_any_body.py, row 16 in tests/test_caching.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.ports import Call
from router.vocabulary import Ask, Caller, Difficulty, OutcomeKind, Verdict
from router.wire.ask import read_messages

from .bench.accounting import Account, billed
from .bench.cache import AccountedUpstream, asked, routed
from .bench.traffic import Sent, text, traffic
from .rulebooks import default_rules, rules_from
from .worlds import ScriptedAnswer, World, failed

Json = dict[str, Any]
MARK = {"cache_control": {"type": "ephemeral"}}
CALLER = Caller(tenant="t", request_id="r")
LONG = text(random.Random(1), 3_000)
MODEL = "claude-sonnet-5-5"


def question(**fields: Any) -> Json:
    return {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], **fields}


async def through(world: World, body: Json, **words: str) -> bytes:
    """What leaves for the API."""
    upstream: Any = world.attempts._upstream
    ask = read_messages(msgspec.json.encode(body), {f"x-router-{name}": value for name, value in words.items()})
    await world.pipeline.handle(ask, CALLER)
    sent: bytes = upstream.calls[-1].body
    return sent


class Recorded(AccountedUpstream):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    async def send(self, call: Call) -> ScriptedAnswer:
        self.calls.append(call)
        return await super().send(call)


def world_with(upstream: AccountedUpstream, rules: Rulebook | None = None, verdict: Verdict | None = None) -> World:
    world = World(upstream=upstream, rules=lambda: rules or default_rules(), verdict=verdict)
    upstream.world = world
    return world


CORPUS: list[Json] = [
    question(system=[{"type": "text", "text": LONG, **MARK}]),
    question(tools=[{"name": "a", "description": LONG, "input_schema": {"type": "object"}, **MARK}]),
    question(cache_control={"type": "ephemeral"}, system=LONG),
    question(
        system=LONG,
        messages=[
            {"role": "user", "content": [{"type": "text", "text": LONG, **MARK}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {"z": 1}, **MARK}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok", **MARK}]},
        ],
    ),
    question(
        messages=[{"role": "user", "content": [{"text": LONG, "type": "text", "odd": {"b": 1, "a": [1.50, "é"]}}]}]
    ),
]


@pytest.mark.anyio
@pytest.mark.parametrize("body", CORPUS, ids=range(len(CORPUS)))
async def test_pains_12_and_13_marked_bodies_leave_as_the_bytes_that_came(body: Json) -> None:
    world = world_with(Recorded())
    raw = msgspec.json.encode(body)
    assert await through(world, body) == raw
    # and on evidence marks are added, never taken: without them the bytes are the same
    for _ in range(3):
        world.clock.now_s += 20
        sent = await through(world, body)
    before, after = raw.count(b'"cache_control"'), sent.count(b'"cache_control"')
    assert after >= before


@pytest.mark.anyio
async def test_pain_14_a_line_that_varies_is_named_with_its_block_and_place() -> None:
    world = world_with(Recorded())
    turns: list[Json] = [{"role": "user", "content": "hi"}]
    for number in range(4):
        system = f"{LONG[:200]} Request {number:08d}. {LONG}"
        await through(world, question(system=system, messages=list(turns)), feature="chat")
        turns += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "and?"}]
        world.clock.now_s += 60
    told = [fields for event, fields in world.events.said if event == "varying_prefix"]
    assert told[0]["block"] == "system[0]"
    near = told[-1]["near_byte"]
    assert isinstance(near, int)
    assert 180 <= near <= 240
    assert float(str(told[-1]["usd_a_day"])) > 0
    assert {row.cache_cause for row in world.ledger.rows[1:]} == {"prefix_changed"}
    assert LONG[:20] not in str(world.events.said)


@pytest.mark.anyio
async def test_pain_14_a_head_that_stays_is_not_named() -> None:
    world = world_with(Recorded())
    for number in range(6):
        await through(world, question(system=LONG, messages=[{"role": "user", "content": f"question {number}"}]))
        world.clock.now_s += 60
    assert not [event for event, _ in world.events.said if event == "varying_prefix"]


def test_pain_17_uncached_tokens_are_no_more_than_of_a_client_that_marks_by_itself() -> None:
    """Direct: the API's own automatic mark. Through the router: the same conversation without any."""
    requests = traffic("agent", size=1)
    direct = Account()
    for sent in requests:
        direct.take({**sent.body, "cache_control": {"type": "ephemeral"}}, sent.at_s)
    ours, _ = asyncio.run(routed(requests))
    first = requests[0].body["messages"][0]
    assert sum(plan.uncached for plan in ours.plans) <= sum(plan.uncached for plan in direct.plans) + len(str(first))


@pytest.mark.anyio
async def test_where_the_policy_names_the_line_it_moves_and_the_rest_is_read(tmp_path: Path) -> None:
    policy = """
tiers: {sonnet: {model: claude-sonnet-5-5}}
classifier: {enabled: false}
cache: {varying: ["^Current time: "]}
"""
    upstream = Recorded()
    world = world_with(upstream, rules_from(policy, tmp_path))
    for number in range(3):
        sent = json.loads(await through(world, question(system=f"Current time: 12:0{number}\n{LONG}")))
        assert [block["text"] for block in sent["system"]] == [LONG, f"Current time: 12:0{number}"]
        assert "cache_control" in sent["system"][0]
        world.clock.now_s += 60
    assert [plan.read > 2_900 for plan in upstream.account.plans] == [False, True, True]
    assert "moved behind the rest" in " ".join(world.ledger.notes[0].edits)  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_a_retry_is_no_return_of_the_prefix() -> None:
    class Stumbling(Recorded):
        async def send(self, call: Call) -> ScriptedAnswer:
            if len(self.calls) % 2 == 0:
                self.calls.append(call)
                return failed(OutcomeKind.OVERLOADED, 529)
            return await super().send(call)

    world = world_with(Stumbling())
    fields = question(model="sonnet", system=LONG, messages=[{"role": "user", "content": LONG}])
    await through(world, fields)
    assert [row.outcome for row in world.ledger.rows] == ["overloaded", "answered"]
    stream = next(iter(world.prefixes._streams.values()))
    assert {kind: (tally.within_5m, tally.young) for kind, tally in stream.tallies.items()} == {
        "system": (0, 1),
        "end:first": (0, 1),
    }


class Forgetful(AccountedUpstream):
    """Drops every entry now and then, as the API is known to have done; a twin keeps what should have been there."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._dice = random.Random(3)
        self._share = share
        self._twin = Account()
        self.lost: list[bool] = []

    async def send(self, call: Call) -> ScriptedAnswer:
        assert self.world is not None
        if self._dice.random() < self._share:
            self.account.cache._entries.clear()
        answer = await super().send(call)
        should = self._twin.take(msgspec.json.decode(call.body), self.world.clock.now_s)
        self.lost.append(self.account.plans[-1].read < should.read)
        return answer


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1])
def test_pain_18_entries_that_the_api_lost_are_all_flagged_and_no_others(share: float) -> None:
    async def run() -> tuple[list[bool], list[bool]]:
        upstream = Forgetful(share)
        world = world_with(upstream)
        requests = traffic("support_chat", size=15)
        began_s = world.clock.now_s
        for number, sent in enumerate(requests):
            world.clock.now_s = began_s + sent.at_s
            await world.pipeline.handle(asked(sent), Caller(tenant="t", request_id=f"r{number}"))
        return upstream.lost, [row.cache_cause == "dropped" for row in world.ledger.rows]

    lost, flagged = asyncio.run(run())
    assert flagged == lost
    assert any(flagged) is (share > 0)


@pytest.mark.parametrize("seed", range(4))
def test_pain_19_switching_tiers_is_never_dearer_than_the_best_fixed_tier_that_would_do(seed: int) -> None:
    """A conversation whose turns need now more, now less: against the cheapest tier that does them all."""
    dice = random.Random(seed)
    needs = [dice.choice((Difficulty.SIMPLE, Difficulty.SIMPLE, Difficulty.COMPLEX)) for _ in range(30)]
    requests = [sent for sent in traffic("support_chat", seed, 4) if sent.session == "chat-0"]
    turns: list[Json] = []
    bodies = []
    for number in range(30):
        turns.append({"role": "user", "content": text(dice, 60)})
        system = requests[0].body["system"]
        bodies.append({"model": "auto", "max_tokens": 100, "system": system, "messages": list(turns)})
        turns.append({"role": "assistant", "content": text(dice, 150)})
        del number

    async def run(fixed: str | None) -> int:
        upstream = Recorded()
        world = world_with(upstream)
        for number, body in enumerate(bodies):
            world.clock.now_s += 30
            world.classifier._verdict = Verdict(task="general", difficulty=needs[number], source="classifier")
            ask = read_messages(msgspec.json.encode({**body, "model": fixed or "auto"}), {"x-router-session": "s"})
            await world.pipeline.handle(ask, Caller(tenant="t", request_id=f"r{number}"))
        tiers = [row.tier for row in world.ledger.rows]
        if fixed is None:
            order = default_rules().tier_order
            moves = [order.index(new) - order.index(old) for old, new in itertools.pairwise(tiers)]
            assert sum(1 for move in moves if move < 0) <= 1, "it comes down once at most"
        return sum(row.cost_pico for row in world.ledger.rows)

    ours, best = asyncio.run(run(None)), asyncio.run(run("claude-sonnet-5-5"))
    assert ours <= best * 1.05


def test_billed_is_what_the_accounts_say() -> None:
    """The measure itself: a plain token is one, a read a tenth or less, a write a quarter more."""
    rates = default_rules().prices.by_model["claude-haiku-5-5"][0].rates
    account = Account()
    body = question(model="claude-haiku-5-5", system=[{"type": "text", "text": LONG, **MARK}])
    first, second = account.take(body, 0.0), account.take(body, 10.0)
    total, head = first.total, first.write_5m
    assert float(billed([first], rates)) == pytest.approx(total + head * 0.25)
    assert float(billed([second], rates)) == pytest.approx(total - head * 0.9)


def test_asked_is_the_request_that_the_traffic_holds() -> None:
    sent = Sent(0.0, "f", "s", question(system=LONG))
    found: Ask = asked(sent)
    assert (found.words.feature, found.facts.model) == ("f", MODEL)
