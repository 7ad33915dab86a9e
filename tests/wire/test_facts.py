"""What decisions may know of a request: sizes and shapes, and which conversation it belongs to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.vocabulary import Facts
from router.wire.ask import read_messages

from .samples import HELLO, json, messages, values

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}


def facts(**fields: Any) -> Facts:
    return messages(**fields).facts


def turn(*blocks: object, role: str = "user") -> dict[str, object]:
    return {"role": role, "content": list(blocks)}


def test_a_plain_request_has_plain_facts() -> None:
    body = json(HELLO)
    plain = read_messages(body, {}).facts
    fingerprint, session = plain.prefix_fingerprint, plain.session
    assert (16, "op:") == (len(fingerprint), (session or "")[:3])
    assert (
        Facts(
            model="claude-auto",
            max_tokens=16,
            body_bytes=len(body),
            messages_bytes=len(json(HELLO["messages"])),
            turns=1,
            prefix_fingerprint=fingerprint,
            session=session,
        )
        == plain
    )


def test_a_picture_that_only_a_tool_result_carries_counts_once() -> None:
    assert 1 == facts(messages=[turn({"type": "tool_result", "content": [{"type": "image"}]})]).image_count


def test_encoded_bytes_of_pictures_and_documents_are_told_apart_from_text() -> None:
    encoded = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    plain = {"type": "text", "media_type": "text/plain", "data": "AAAA"}
    for kind in ("image", "document"):
        assert len(json(encoded)) == facts(messages=[turn({"type": kind, "source": encoded})]).media_bytes
        result = {"type": "tool_result", "content": [{"type": kind, "source": encoded}] * 2}
        assert 2 * len(json(encoded)) == facts(messages=[turn(result)]).media_bytes
        for source in (
            plain,
            {"type": "url", "url": "https://x"},
            {"type": None},
            {"type": 5},
            {},
            None,
            "base64",
            [encoded],
        ):
            assert 0 == facts(messages=[turn({"type": kind, "source": source})]).media_bytes
    assert 0 == facts(messages=[turn({"type": "moon", "source": encoded}, {"type": "image"})]).media_bytes


def test_parameters_are_seen_as_the_caller_gave_them() -> None:
    seen = facts(
        stream=True,
        thinking={"type": "enabled", "budget_tokens": 1024},
        tool_choice={"type": "tool", "name": "look"},
        output_config={"effort": "low", "format": {"type": "json_schema"}, "new": 1},
        temperature=0.25,
        top_k=5,
        top_p=None,
        speed="fast",
        inference_geo="us",
    )
    assert (True, "enabled", "tool", "low", True) == (
        seen.stream,
        seen.thinking,
        seen.tool_choice,
        seen.effort,
        seen.has_format,
    )
    assert ((("temperature", 0.25), ("top_k", 5.0)), "fast", "us") == (seen.sampling, seen.speed, seen.inference_geo)
    nothing = facts(thinking=None, tool_choice=None, output_config={"format": None}, speed=None, temperature=None)
    assert (None, None, False, None, ()) == (
        nothing.thinking,
        nothing.tool_choice,
        nothing.has_format,
        nothing.speed,
        nothing.sampling,
    )


def test_sizes_are_those_of_the_bytes_that_came() -> None:
    body = b'{"messages":[ {"role":"user","content":"\\u0041"}],"system": "\xc3\xa9" ,"tools":[ { } ],"max_tokens":1}'
    seen = read_messages(body, {}).facts
    assert (len(body), 37, 4, 7, 1) == (
        seen.body_bytes,
        seen.messages_bytes,
        seen.system_bytes,
        seen.tools_bytes,
        seen.tool_count,
    )


def test_pictures_and_documents_count_inside_tool_results_too() -> None:
    seen = facts(
        messages=[
            turn({"type": "image", "source": {"type": "base64", "data": "AAAA"}}, {"type": "document"}),
            turn({"type": "tool_result", "content": [{"type": "image"}, {"type": "document"}, {"type": "text"}]}),
            turn({"type": "tool_result", "content": "image"}, {"type": "tool_result"}, {"type": "image"}),
            turn({"type": "moon", "content": [{"type": "image"}]}, {"type": "moon", "content": 5}, {}),
        ]
    )
    assert (3, 2, 4) == (seen.image_count, seen.document_count, seen.turns)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([turn({"type": "text", "text": "a"})], ("user", False, False)),
        ([turn({"type": "tool_result"}, {"type": "tool_result"})], ("user", True, False)),
        ([turn({"type": "tool_result"}, {"type": "text", "text": "a"})], ("user", False, False)),
        ([turn()], ("user", False, False)),
        ([turn({"type": "tool_result"}), turn({"type": "text"}, role="assistant")], ("assistant", False, True)),
        ([turn({"type": "tool_result"}, role="assistant")], ("assistant", False, True)),
        ([{"role": "system", "content": "be brief"}], ("system", False, False)),
    ],
)
def test_the_newest_turn_is_told_by_who_speaks_and_whether_it_only_carries_results(
    turns: list[Any], expected: tuple[str, bool, bool]
) -> None:
    seen = facts(messages=turns)
    assert expected == (seen.last_role, seen.last_is_tool_result, seen.prefill)


@pytest.mark.parametrize(
    ("kind", "expected"), [("thinking", True), ("redacted_thinking", True), ("text", False), ("thinkings", False)]
)
def test_thinking_of_an_earlier_turn_is_seen(kind: str, expected: bool) -> None:
    assert expected == facts(messages=[turn({"type": kind}, role="assistant"), turn()]).has_thinking_blocks


def test_marks_are_found_everywhere_in_the_order_in_which_the_api_reads() -> None:
    seen = facts(
        cache_control=HOUR,
        messages=[
            turn(
                {
                    "type": "tool_result",
                    "content": [{"type": "text", "text": "a", "cache_control": {"ttl": "2h"}}],
                    "cache_control": {"ttl": "3h"},
                },
                {"type": "text", "cache_control": None},
                {"type": "new", "cache_control": {"ttl": "4h"}},
            )
        ],
        system=[{"type": "text", "text": "s", "cache_control": HOUR}, {"type": "text", "text": "t"}],
        tools=[{**TOOL, "cache_control": MARK}, TOOL],
    )
    assert (6, ("5m", "1h", "2h", "3h", "4h", "1h")) == (seen.marks, seen.mark_ttls)


def test_what_only_looks_like_a_mark_is_none() -> None:
    schema = {"type": "object", "properties": {"cache_control": {"type": "string"}}}
    seen = facts(
        tools=[{"name": "x", "input_schema": schema}],
        messages=[
            turn({"type": "tool_use", "input": {"cache_control": MARK}}),
            turn({"type": "text", "text": "cache_control"}),
        ],
    )
    assert (0, ()) == (seen.marks, seen.mark_ttls)


@given(st.lists(st.fixed_dictionaries({"type": st.text("abc"), "source": values, "input": values}), max_size=4))
@settings(max_examples=20)
def test_blocks_of_unknown_types_pass_whatever_they_hold(blocks: list[dict[str, Any]]) -> None:
    seen = facts(messages=[turn(*blocks)])
    assert (1, 0, 0) == (seen.turns, seen.image_count, seen.marks)


def test_the_prefix_is_known_by_the_bytes_of_tools_and_system_alone() -> None:
    known = facts(tools=[TOOL], system="Be kind.").prefix_fingerprint
    assert known == facts(tools=[TOOL], system="Be kind.", model="x", messages=[turn()]).prefix_fingerprint
    others = {
        facts(tools=[TOOL], system="Be kind!").prefix_fingerprint,
        facts(tools=[], system="Be kind.").prefix_fingerprint,
        facts(system="Be kind.").prefix_fingerprint,
        facts(tools=[TOOL]).prefix_fingerprint,
        facts(system=[]).prefix_fingerprint,
        facts(tools=[]).prefix_fingerprint,
        facts().prefix_fingerprint,
    }
    assert (7, False) == (len(others), known in others)
    respelt = json({**HELLO, "tools": [TOOL], "system": "Be kind."}).replace(b'"Be kind."', b'"\\u0042e kind."')
    assert known != read_messages(respelt, {}).facts.prefix_fingerprint, "another spelling is another cache entry"


def test_a_conversation_is_known_by_its_opener_while_it_grows() -> None:
    opener = {"role": "user", "content": "Hello?"}
    first = facts(messages=[opener]).session
    assert first == facts(messages=[opener, turn(role="assistant"), turn()]).session
    assert first == read_messages(json(HELLO).replace(b"[{", b"[\n {").replace(b"}]", b"} ]"), {}).facts.session
    others = [
        facts(messages=[turn()]).session,
        facts(messages=[opener], system="Be kind.").session,
        facts(messages=[opener], tools=[TOOL]).session,
    ]
    assert 4 == len({first, *others})
    assert first == facts(messages=[opener], metadata={"user_id": "u1"}).session, "a user is not a session"


@pytest.mark.parametrize("place", [0, 70_000, 200_000])
def test_long_openers_differ_by_their_ends_and_their_length(place: int) -> None:
    long = "a" * 200_000
    changed = long[:place] + "bb" + long[place:]
    assert (
        facts(messages=[{"role": "user", "content": long}]).session
        != facts(messages=[{"role": "user", "content": changed}]).session
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0b5f-4c.d_1", "cc:0b5f-4c.d_1"),
        ("a" * 128, "cc:" + "a" * 128),
    ],
)
def test_a_harness_names_the_session(header: str, expected: str) -> None:
    ask = messages(headers={"x-claude-code-session-id": header})
    assert (expected, expected) == (ask.facts.session, ask.words.session)


@pytest.mark.parametrize("header", ["a" * 129, "a\nb", "é", "\ud800", "a b", "x" * 100_000])
def test_a_harness_s_odd_name_is_known_by_its_hash(header: str) -> None:
    session = messages(headers={"x-claude-code-session-id": header}).facts.session or ""
    assert (19, "cc:", True) == (len(session), session[:3], session[3:].isalnum())


def test_an_empty_name_of_a_session_is_none() -> None:
    ask = messages(headers={"x-claude-code-session-id": ""})
    assert (None, "op:") == (ask.words.session, (ask.facts.session or "")[:3])


def test_facts_hold_no_text_of_the_body() -> None:
    secret = "the-secret-words"
    block = {"type": "text", "text": secret, "cache_control": MARK}
    ask = messages(
        messages=[turn(block)], system=[block], tools=[{**TOOL, "description": secret}], metadata={"a": secret}
    )
    assert secret.encode() not in msgspec.json.encode(ask.facts)
