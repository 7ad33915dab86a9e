"""Answers are deterministic, fit what was asked for, and never exceed max_tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.standin.answers import answer
from router.standin.binding import check_binding
from router.standin.cache import Plan
from router.standin.fitting import choose, difficulty, fit
from router.standin.messages import Head, events, whole
from router.standin.models import MODELS
from router.standin.refused import Refused

from .scene import body, says

HAIKU = MODELS["claude-haiku-5-5"]
TASKS = ["support", "code_review", "summarization"]
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What time is it?", "simple"),
        ("Explain B-trees", "complex"),
        ("a" * 401, "complex"),
        ("Prove it", "edge_case"),
        ("there is a race condition", "edge_case"),
        ("a" * 2001, "edge_case"),
    ],
)
def test_difficulty_follows_length_and_words(text: str, expected: str) -> None:
    assert expected == difficulty(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("please do a code review of this", "code_review"),
        ("summarize this", "summarization"),
        ("my code is broken", "code_review"),
        ("hello", "support"),
    ],
)
def test_an_enum_member_is_chosen_by_the_words_of_the_text(text: str, expected: str) -> None:
    assert expected == choose(TASKS, "task", text)


def test_an_enum_called_difficulty_with_other_names_is_chosen_by_rank() -> None:
    assert ["easy", "hard", "hard"] == [
        choose(["easy", "hard"], "difficulty", text) for text in ("hi", "explain it", "prove it")
    ]


leaf = st.sampled_from(["string", "integer", "number", "boolean", "null"]).map(lambda kind: {"type": kind})
schemas = st.recursive(
    leaf | st.lists(st.text(min_size=1), min_size=1, max_size=3).map(lambda members: {"enum": members}),
    lambda inner: (
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda members: {"type": "object", "properties": members, "additionalProperties": False}
        )
        | inner.map(lambda items: {"type": "array", "items": items})
        | st.lists(inner, min_size=1, max_size=2).map(lambda choices: {"anyOf": choices})
    ),
    max_leaves=8,
)
TYPES: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": type(None)}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """A small validator of its own."""
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(fits(value, choice) for choice in schema["anyOf"])
    if schema["type"] == "object":
        members = schema["properties"]
        return value.keys() == members.keys() and all(fits(value[name], members[name]) for name in members)
    if schema["type"] == "array":
        return all(fits(item, schema["items"]) for item in value)
    return type(value) is TYPES[schema["type"]]


@settings(max_examples=80, deadline=None)
@given(schemas, st.text(max_size=50))
def test_structured_output_fits_any_schema(schema: dict[str, Any], text: str) -> None:
    assert fits(fit(schema, text), schema)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 200), st.text(min_size=1, max_size=300), st.booleans(), st.booleans())
def test_no_answer_is_longer_than_max_tokens(limit: int, text: str, thinks: bool, calls: bool) -> None:
    """And one that was cut says so."""
    thinking = {"type": "adaptive" if thinks else "disabled"}
    tools = {"tools": [TOOL], "tool_choice": {"type": "any"}} if calls else {}
    fields = body(max_tokens=limit, messages=says(text), thinking=thinking) | tools
    reply, free = answer(fields, HAIKU), answer(fields | {"max_tokens": 10_000}, HAIKU)
    assert reply.output_tokens <= limit
    assert (reply.stop_reason == "max_tokens") == (free.output_tokens > limit)
    assert reply == answer(fields, HAIKU)


def test_thinking_eats_a_small_max_tokens_and_leaves_no_text() -> None:
    reply = answer(body(max_tokens=5, thinking={"type": "adaptive"}), HAIKU)
    assert (["thinking"], "max_tokens", 5) == (
        [block["type"] for block in reply.content],
        reply.stop_reason,
        reply.output_tokens,
    )


def test_a_stop_sequence_ends_the_text_before_it() -> None:
    reply = answer(body(messages=says("one two three"), stop_sequences=["two"]), HAIKU)
    assert ("stop_sequence", "two", "You asked: one ") == (
        reply.stop_reason,
        reply.stop_sequence,
        reply.content[0]["text"],
    )


def test_a_tool_is_called_when_forced_or_wished_for_and_not_otherwise() -> None:
    def kinds(text: str, **more: Any) -> list[str]:
        return [block["type"] for block in answer(body(messages=says(text), tools=[TOOL], **more), HAIKU).content]

    assert ["tool_use"] == kinds("hi", tool_choice={"type": "tool", "name": "look"})
    assert ["tool_use"] == kinds("please use the tool")
    assert ["text"] == kinds("please use the tool", tool_choice={"type": "none"})
    assert ["text"] == kinds("hi")


def test_thinking_text_is_shown_only_when_summarized() -> None:
    def thought(**thinking: str) -> str:
        return str(answer(body(thinking={"type": "adaptive"} | thinking), HAIKU).content[0]["thinking"])

    assert ("", "They ask for: hello") == (thought(), thought(display="summarized"))


def conversation() -> dict[str, Any]:
    """A second turn that replays the thinking of the first."""
    first = body(thinking={"type": "adaptive"}, system="be kind")
    said = {"role": "assistant", "content": answer(first, HAIKU).content}
    return first | {"messages": [*first["messages"], said, *says("and now?")]}


def test_thinking_replayed_as_it_was_is_taken_whatever_is_marked() -> None:
    marked = [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}]
    check_binding(conversation(), HAIKU)
    check_binding(conversation() | {"system": marked}, HAIKU)


def test_thinking_replayed_after_an_edit_is_refused_by_models_that_can_read_it() -> None:
    edited = conversation() | {"system": "be rude"}
    with pytest.raises(Refused, match="bound to a different conversation"):
        check_binding(edited, MODELS["claude-sonnet-5-5"])
    check_binding(edited, MODELS["claude-fable-5-2"])


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=200), st.sampled_from([None, 1, 7, 100]), st.booleans())
def test_a_stream_says_what_the_whole_message_says(text: str, deltas: int | None, thinks: bool) -> None:
    """Its events are in the documented order and its text put together is the message's."""
    fields = body(messages=says(text), thinking={"type": "adaptive" if thinks else "disabled"})
    reply = answer(fields, HAIKU)
    head = Head("msg_1", HAIKU.id, Plan(total=10), "global")
    frames = [frame.data.decode().split("\n") for frame in events(head, reply, HAIKU, deltas, 0.0)]
    names = [lines[0].removeprefix("event: ") for lines in frames]
    told = "".join(
        lines[1].split('"text":', 1)[1].rsplit("}}", 1)[0].strip('"') for lines in frames if "text_delta" in lines[1]
    )
    assert ["message_start", "content_block_start", "ping"] == names[:3]
    assert ["content_block_stop", "message_delta", "message_stop"] == names[-3:]
    assert told in whole(head, reply).decode()
    tokens = [frame.output_tokens for frame in events(head, reply, HAIKU, deltas, 0.0)]
    assert sorted(tokens) == tokens
    assert reply.output_tokens == tokens[-1]
