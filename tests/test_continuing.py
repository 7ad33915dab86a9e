"""Answers that are cut off are continued and joined; streams are held back until they are whole, where asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.serving import Served
from router.vocabulary import Outcome, OutcomeKind
from router.wire.ask import read_complete

from .rulebooks import rules_from
from .test_pipeline import CALLER, complete, drained, router_of
from .worlds import ScriptedAnswer, World, answered, events, failed, streamed

K = OutcomeKind
POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}, sonnet: {model: claude-sonnet-5-5}}
default: {tier: haiku, task: essay}
tasks:
  essay: {continuations: 2}
  plain: {}
  held: {buffered: true}
  data:
    continuations: 1
    output: {type: json_schema, schema: {type: object, properties: {a: {type: integer}}, required: [a]}}
limits: {whole_tokens: 21333}
"""


def cut(text: str) -> ScriptedAnswer:
    return answered(text, stop="max_tokens")


async def ask(world: World, task: str = "essay", **fields: object) -> Served:
    router = {"task": task}
    return await world.pipeline.handle(read_complete(complete(router=router, **fields), {}), CALLER)


def world_of(folder: Path, *script: ScriptedAnswer) -> World:
    rules = rules_from(POLICY, folder)
    return World(*script, rules=lambda: rules)


def text_of(served: Served) -> str:
    return str(msgspec.json.decode(served.body)["content"][0]["text"])


def asked(world: World, call: int) -> list[Any]:
    turns: list[Any] = msgspec.json.decode(world.upstream.calls[call].body)["messages"]
    return turns


@pytest.mark.anyio
async def test_an_answer_that_was_cut_off_goes_on_and_is_one_answer(tmp_path: Path) -> None:
    world = world_of(tmp_path, cut("Once upon a time there was"), cut(" a king, who had"), answered(" a cat."))
    served = await ask(world)
    router = router_of(served)
    assert text_of(served) == "Once upon a time there was a king, who had a cat."
    assert (router["outcome"], len(router["attempts"]), router["warnings"]) == ("answered", 3, [])  # type: ignore[arg-type]
    assert [turn["role"] for turn in asked(world, 1)] == ["user", "assistant", "user"]
    assert asked(world, 2)[1]["content"][0]["text"] == "Once upon a time there was a king, who had"
    assert msgspec.json.decode(served.body)["usage"]["output_tokens"] == 30
    assert [row.number for row in world.ledger.rows] == [1, 2, 3]


@pytest.mark.anyio
async def test_it_goes_on_no_more_often_than_the_task_says(tmp_path: Path) -> None:
    world = world_of(tmp_path, *(cut(f" part {n},") for n in range(5)))
    router = router_of(await ask(world))
    assert (router["outcome"], len(world.upstream.calls)) == ("cut_at_max_tokens", 3)
    assert router["warnings"] == ["the answer is cut off: it reached max_tokens"]


@pytest.mark.anyio
async def test_where_going_on_fails_the_answer_stays_as_far_as_it_came(tmp_path: Path) -> None:
    world = world_of(tmp_path, cut("As far as this"), failed(K.OVERLOADED, 529))
    served = await ask(world)
    assert (text_of(served), router_of(served)["outcome"]) == ("As far as this", "cut_at_max_tokens")


@pytest.mark.anyio
async def test_a_task_that_does_not_ask_for_it_gets_the_half(tmp_path: Path) -> None:
    world = world_of(tmp_path, cut("Half"))
    assert text_of(await ask(world, "plain")) == "Half"


@pytest.mark.anyio
async def test_the_joined_json_is_held_against_its_schema_and_goes_up_when_it_fails(tmp_path: Path) -> None:
    world = world_of(tmp_path, cut('{"a": '), answered('"x"}'), answered('{"a": 1}'))
    served = await ask(world, "data")
    assert text_of(served) == '{"a": 1}'
    assert world.upstream.models == ["claude-haiku-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"]


@pytest.mark.anyio
async def test_when_no_model_keeps_the_contract_the_last_answer_is_served_and_said_to_break_it(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered('{"a": "x"}'), answered("{}"))
    served = await ask(world, "data")
    assert text_of(served) == "{}"
    assert router_of(served)["warnings"] == ["the answer does not fit the task's schema"]


@pytest.mark.anyio
async def test_a_stream_that_goes_on_is_one_stream(tmp_path: Path) -> None:
    first = events("Once upon a", " time")
    first[-2] = first[-2].replace(b"end_turn", b"max_tokens")
    world = world_of(tmp_path, streamed(*first), streamed(*events(" there was", " a king.")))
    text = await drained(await ask(world, stream=True))
    assert text.count(b"event: message_start") == text.count(b"event: message_stop") == 1
    assert b"Once upon a time there was a king." in text


@pytest.mark.parametrize("broken_at", range(1, 7))
@pytest.mark.anyio
async def test_a_stream_that_is_held_back_is_asked_for_again_wherever_it_breaks(broken_at: int, tmp_path: Path) -> None:
    half = streamed(*events("Par", "is.")[:broken_at], Outcome(kind=K.CUT))
    world = world_of(tmp_path, half, streamed(*events("Rome.")))
    text = await drained(await ask(world, "held", stream=True))
    assert b"Rome." in text
    assert b"Par" not in text
    assert text.count(b"event: message_start") == 1
    assert len(world.upstream.calls) == 2


@pytest.mark.anyio
async def test_a_request_may_ask_to_have_it_held_back(tmp_path: Path) -> None:
    half = streamed(*events("Par", "is.")[:5], Outcome(kind=K.CUT))
    world = world_of(tmp_path, half, streamed(*events("Rome.")))
    request = complete(router={"task": "plain", "buffered": True}, stream=True)
    served = await world.pipeline.handle(read_complete(request, {}), CALLER)
    assert b"Rome." in await drained(served)


@pytest.mark.anyio
async def test_a_call_to_go_on_asks_for_no_format_and_its_usage_is_added(tmp_path: Path) -> None:
    world = world_of(tmp_path, cut('{"a": '), answered("1}"))
    served = await ask(world, "data")
    first, second = (msgspec.json.decode(call.body) for call in world.upstream.calls)
    assert "format" in first["output_config"]
    assert "format" not in second.get("output_config", {})
    usage = router_of(served)["usage"]
    assert isinstance(usage, dict)
    assert 20 == usage["output_tokens"] == msgspec.json.decode(served.body)["usage"]["output_tokens"]


@pytest.mark.anyio
async def test_a_call_to_go_on_that_says_nothing_leaves_the_answer_as_it_is(tmp_path: Path) -> None:
    world = world_of(tmp_path, cut("As far as this"), answered(""))
    served = await ask(world)
    assert ("As far as this", "cut_at_max_tokens") == (text_of(served), router_of(served)["outcome"])
