"""One careful mark, or none; and nothing else of the body moves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.clock import SystemClock
from router.decide.breakpoints import MARK, marks
from router.decide.policy import CacheRules
from router.errors import RequestError
from router.ports import Call
from router.standin import running_standin
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Ask, Edit
from router.wire.ask import read_messages
from router.wire.edit import apply

from ..rulebooks import default_rules

HAIKU = default_rules().models["claude-haiku-5-5"]
TURN = {"role": "user", "content": "hi"}
LONG = "You are a helpful assistant of a shop. " * 100
TOOLS = [
    {"name": f"tool_{number}", "description": LONG[:400], "input_schema": {"type": "object"}} for number in range(8)
]
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}


def ask(**fields: Any) -> Ask:
    body = {"model": "claude-haiku-5-5", "max_tokens": 200, "messages": [TURN], **fields}
    return read_messages(msgspec.json.encode(body), {})


def marked(one: Ask, rules: CacheRules = CacheRules()) -> tuple[Edit, ...]:
    return marks(one.facts, one.fields, HAIKU, rules)


def value(edits: tuple[Edit, ...]) -> Any:
    assert len(edits) == 1
    assert edits[0].value is not None
    return msgspec.json.decode(edits[0].value)


def test_a_long_system_text_becomes_one_marked_block_with_the_same_text() -> None:
    assert value(marked(ask(system=LONG))) == [{"type": "text", "text": LONG, **EPHEMERAL}]


def test_the_last_system_block_carries_the_mark() -> None:
    blocks = [{"type": "text", "text": LONG}, {"type": "text", "text": "End."}]
    assert value(marked(ask(system=blocks))) == [blocks[0], {**blocks[1], **EPHEMERAL}]


def test_without_a_system_the_last_tool_carries_it() -> None:
    found = value(marked(ask(tools=TOOLS)))
    assert found == [*TOOLS[:-1], {**TOOLS[-1], **EPHEMERAL}]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be brief."},
        {"system": [{"type": "text", "text": LONG}, {"type": "text", "text": ""}]},
        {"system": [{"type": "text", "text": LONG}, {"type": "brand_new"}]},
        {"system": LONG, "cache_control": {"type": "ephemeral"}},
        {"system": [{"type": "text", "text": LONG, **EPHEMERAL}]},
        {"system": LONG, "tools": [{**TOOLS[0], **EPHEMERAL}]},
        {"system": LONG, "messages": [{"role": "user", "content": [{"type": "text", "text": "x", **EPHEMERAL}]}]},
    ],
)
def test_short_prefixes_doubtful_ends_and_the_callers_own_marks_are_left_alone(fields: Any) -> None:
    assert marked(ask(**fields)) == ()


def test_the_policy_can_turn_it_off() -> None:
    assert marked(ask(system=LONG), CacheRules(marks="off")) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_whatever_the_body_holds_only_a_mark_is_ever_added(system: Any, tools: Any) -> None:
    padded = [LONG, *system] if isinstance(system, list) else system
    try:
        one = ask(system=padded, tools=tools)
    except RequestError:
        return
    edits = marked(one)
    assert len(edits) <= 1
    for edit in edits:
        assert edit.value is not None
        without = bytes(edit.value).replace(b',"cache_control":' + bytes(MARK), b"")
        plain = msgspec.json.decode(without)
        before = msgspec.json.decode(one.fields[edit.key])
        assert plain in (before, [{"type": "text", "text": before}])


@pytest.mark.parametrize("fields", [{"system": LONG}, {"tools": TOOLS}, {"system": LONG, "tools": TOOLS}])
@pytest.mark.anyio
async def test_what_the_first_turn_writes_the_second_reads(fields: Any) -> None:
    turns = [TURN, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And now?"}]
    async with running_standin(clock=SystemClock()) as standin:
        upstream = ClaudeUpstream(base_url=standin.url, api_key="k")
        usages = []
        for messages in ([TURN], turns):
            one = ask(messages=messages, **fields)
            answer = await upstream.send(Call(body=apply(one, marked(one))))
            assert answer.reply is not None
            usages.append(answer.reply.usage)
        await upstream.close()
    assert usages[0].cache_write_5m_tokens > 0
    assert usages[1].cache_read_tokens == usages[0].cache_write_5m_tokens
