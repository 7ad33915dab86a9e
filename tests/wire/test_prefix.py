"""A body as a row of blocks: the same prefix has the same digest, however it is spelt and wherever it is marked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.standin.models import MODELS
from router.standin.prompt import read_prompt
from router.vocabulary import Path, Spot
from router.wire.ask import read_messages
from router.wire.prefix import read_path

EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
LONG = "word " * 600
TOOL = {"name": "look", "description": LONG, "input_schema": {"type": "object"}}


def path(**fields: Any) -> Path:
    body = msgspec.json.encode({"model": "claude-haiku-5-5", "max_tokens": 1, **fields})
    one = read_messages(body, {})
    found = read_path(one.fields, one.facts)
    assert found is not None
    return found


def digests(found: Path) -> dict[int, int]:
    return {spot.index: spot.digest for spot in found.spots}


def of(found: Path, kind: str) -> Spot:
    return next(spot for spot in found.spots if spot.kind == kind)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def test_tools_system_and_turns_are_one_row_in_the_order_of_the_cache() -> None:
    found = path(tools=[TOOL, TOOL], system=LONG, messages=[user("a"), assistant("b"), user("c")])
    assert [(spot.index, spot.kind, spot.turn, spot.block) for spot in found.spots] == [
        (0, "head", -2, 0),
        (1, "tools", -2, 1),
        (2, "system", -1, -1),
        (3, "turn", 0, -1),
        (4, "history", 1, -1),
        (5, "end:later", 2, -1),
    ]
    assert (6, "2 tools, 1 system") == (found.blocks, found.shape)


def test_the_next_turn_begins_with_the_prefix_of_this_one() -> None:
    first = path(system=LONG, messages=[user(LONG)])
    second = path(system=LONG, messages=[user(LONG), assistant("b"), user("c")])
    assert digests(first).items() <= digests(second).items()


@pytest.mark.parametrize(
    "spelt",
    [
        [user([text("hi")])],
        [user([text("hi", **EPHEMERAL)])],
        [user([text("hi", cache_control={"type": "ephemeral", "ttl": "1h"})])],
        [user([{"cache_control": {"type": "ephemeral"}, **text("hi")}])],
    ],
)
def test_a_mark_and_a_list_of_one_text_change_no_prefix(spelt: Any) -> None:
    assert path(messages=[user("hi")]).spots[-1].digest == path(messages=spelt).spots[-1].digest


@pytest.mark.parametrize(
    "other",
    [
        {"system": LONG + "!"},
        {"tools": [{**TOOL, "name": "see"}]},
        {"messages": [user("ho"), assistant("b"), user("c")]},
        {"messages": [user("hi"), user("b"), user("c")]},
    ],
)
def test_any_other_byte_before_it_is_another_prefix(other: Any) -> None:
    fields = {"tools": [TOOL], "system": LONG, "messages": [user("hi"), assistant("b"), user("c")]}
    assert path(**fields).spots[-1].digest != path(**fields | other).spots[-1].digest


def test_a_change_at_the_end_leaves_what_leads_up_to_it() -> None:
    one, other = (path(system=LONG, messages=[user(words)]) for words in ("hi", "ho"))
    assert of(one, "system").digest == of(other, "system").digest


@pytest.mark.parametrize(
    ("messages", "kinds"),
    [
        ([user("q")], ["end:first"]),
        ([user([text(LONG), text(LONG), text("q")])], ["part", "document", "end:first"]),
        ([user("q"), assistant([text("a"), {"type": "tool_use", "id": "t", "name": "n", "input": {}}]), user("x")],
         ["turn", "step", "history", "end:later"]),
        ([user("q"), assistant("a"), user([{"type": "tool_result", "tool_use_id": "t", "content": "r"}])],
         ["turn", "history", "end:tool"]),
        ([user("q"), assistant("a")], ["end:first"]),
    ],
)  # fmt: skip
def test_the_places_that_may_be_worth_a_mark(messages: Any, kinds: list[str]) -> None:
    assert [spot.kind for spot in path(messages=messages).spots] == kinds


@pytest.mark.parametrize(
    ("block", "takes_one"),
    [
        (text("a"), True),
        (text(""), False),
        (text("  "), False),
        ({"type": "tool_use", "id": "t", "name": "n", "input": {}}, True),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, False),
        ({"type": "redacted_thinking", "data": "x"}, False),
        ({"type": "brand_new"}, False),
        ({"source": {"type": "base64", "data": "AA"}, "type": "image"}, True),
    ],
)
def test_what_can_carry_a_mark(block: Any, takes_one: bool) -> None:
    assert path(messages=[user("q"), assistant("a"), user([block])]).spots[-1].markable is takes_one


def test_a_long_conversation_has_few_places_and_all_its_blocks() -> None:
    turns = [user("q"), *[turn for _ in range(100) for turn in (assistant("a"), user("b"))]]
    found = path(messages=turns)
    assert found.blocks == 201
    assert len(found.spots) < 20


def test_the_callers_marks_are_found_wherever_they_stand() -> None:
    inner = [text("r", cache_control={"type": "ephemeral", "ttl": "1h"})]
    result = {"type": "tool_result", "tool_use_id": "t", "content": inner}
    middle = [text("x", **EPHEMERAL), text("y"), result]
    found = path(messages=[user("q"), assistant("a"), user(middle)], cache_control={"type": "ephemeral", "ttl": "1h"})
    assert [(spot.block, spot.own) for spot in found.spots if spot.own] == [(0, "5m"), (2, "1h")]
    assert (3, "1h") == (found.marks, found.automatic)


def test_pictures_count_as_tokens_and_not_as_text() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}}
    spot = path(messages=[user([picture, text("what is it?")])]).spots[-1]
    assert spot.text_bytes < 100
    assert spot.media_tokens == 1_250


def test_it_is_the_row_that_the_stand_in_counts() -> None:
    body = {
        "model": "claude-haiku-5-5",
        "tools": [TOOL] * 3,
        "system": [text("a"), text("b")],
        "messages": [user("q"), assistant([text("a"), text("b")]), user([text("c")])],
    }
    rest = {key: value for key, value in body.items() if key != "model"}
    assert path(**rest).blocks == len(read_prompt(body, MODELS["claude-haiku-5-5"]))
