"""Both doors: what is asked, what is only for us, and what goes on untouched."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.vocabulary import Ask, Door
from router.wire.ask import question_text, read_complete, read_counted, read_messages

from .samples import HELLO, complete, json, messages, objects, refusal, texts

REMINDER = "<system-reminder>be brief</system-reminder>"


def decoded(ask: Ask) -> dict[str, Any]:
    return {name: msgspec.json.decode(value) for name, value in ask.fields.items()}


def wrong(**fields: Any) -> tuple[str, str | None, str]:
    error = refusal(lambda: messages(**fields))
    assert error is not None, "it was let in"
    return error.code, error.field, error.message


def test_a_messages_body_is_kept_as_it_came() -> None:
    body = b' {"messages" : [ {"role":"user","content":"\\u0048i"} ],"max_tokens":5 , "new_field":{"a": 1.50}}\n'
    ask = read_messages(body, {})
    assert body is ask.raw
    assert (Door.MESSAGES, False) == (ask.door, ask.short_form)
    assert {
        "messages": b'[ {"role":"user","content":"\\u0048i"} ]',
        "max_tokens": b"5",
        "new_field": b'{"a": 1.50}',
    } == {name: bytes(value) for name, value in ask.fields.items()}


@given(objects)
@settings(max_examples=20)
def test_fields_that_we_do_not_know_pass(unknown: dict[str, Any]) -> None:
    fields = {f"x{number}": value for number, value in enumerate(unknown.values())}
    assert {**HELLO, **fields} == decoded(messages(**fields))


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"messages": []}, "messages", "needs at least one turn"),
        ({"messages": "hi"}, "messages", "expected a list, got a string"),
        ({"messages": {}}, "messages", "expected a list, got an object"),
        ({"messages": None}, "messages", "expected a list, got null"),
        ({"messages": ["hi"]}, "messages[0]", "expected an object, got a string"),
        ({"messages": [{"role": 5, "content": ""}]}, "messages[0].role", "expected a string, got a number"),
        ({"messages": [{"content": ""}]}, "messages[0].role", "is required"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "is required"),
        (
            {"messages": [{"role": "user", "content": 1.5}]},
            "messages[0].content",
            "expected a string or a list, got a decimal number",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": None}]}]},
            "messages[0].content[0].type",
            "expected a string, got null",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [1]}]}]},
            "messages[0].content[0].content[0]",
            "expected an object, got a number",
        ),
        ({"max_tokens": -1}, "max_tokens", "must not be negative, nor larger than any model's output"),
        ({"max_tokens": 2**63}, "max_tokens", "must not be negative, nor larger than any model's output"),
        ({"max_tokens": "5"}, "max_tokens", "expected a whole number, got a string"),
        ({"max_tokens": 5.0}, "max_tokens", "expected a whole number, got a decimal number"),
        ({"max_tokens": True}, "max_tokens", "expected a whole number, got a true or false"),
        ({"max_tokens": None}, "max_tokens", "expected a whole number, got null"),
        ({"stream": 0}, "stream", "expected true or false, got a number"),
        ({"stream": "true"}, "stream", "expected true or false, got a string"),
        ({"model": 5}, "model", "expected a string, got a number"),
        ({"system": 5}, "system", "expected a string or a list, got a number"),
        ({"system": [{"type": "text", "cache_control": 1}]}, "system[0].cache_control", "expected an object or null"),
        ({"tools": [{"cache_control": {"ttl": 5}}]}, "tools[0].cache_control.ttl", "expected a string or null"),
        ({"temperature": "hot"}, "temperature", "expected a number or null, got a string"),
        ({"thinking": {"type": 1}}, "thinking.type", "expected a string or null, got a number"),
        ({"tool_choice": []}, "tool_choice", "expected an object or null, got a list"),
        ({"output_config": {"effort": []}}, "output_config.effort", "expected a string or null, got a list"),
        ({"speed": []}, "speed", "expected a string or null, got a list"),
        ({"cache_control": "on"}, "cache_control", "expected an object or null, got a string"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(fields: dict[str, Any], field: str, message: str) -> None:
    code, named, said = wrong(**fields)
    assert ("router_bad_request", field) == (code, named)
    assert said.startswith(f"{field}: {message}")


@pytest.mark.parametrize("number", [b"9" * 4000, b"9" * 5000, b"1e999", b"-1e999"])
@pytest.mark.parametrize("field", ["max_tokens", "temperature"])
def test_a_number_out_of_all_range_is_refused_by_its_field(field: str, number: bytes) -> None:
    body = b'{"messages":[{"role":"user","content":""}],"' + field.encode() + b'":' + number + b"}"
    error = refusal(lambda: read_counted(body, {}))
    assert error is not None
    assert ("router_bad_request", field) == (error.code, error.field)
    assert error.message.startswith(f"{field}: ")
    assert number not in error.message.encode()


def test_messages_must_be_there_and_so_must_max_tokens_on_the_messages_door() -> None:
    turns = HELLO["messages"]
    for call, field in (
        (lambda: read_messages(json({"max_tokens": 1}), {}), "messages"),
        (lambda: read_messages(json({"messages": turns}), {}), "max_tokens"),
        (lambda: read_counted(json({}), {}), "messages"),
    ):
        error = refusal(call)
        assert error is not None
        assert (400, field) == (error.status, error.field)
    assert read_counted(json({"messages": turns}), {}).facts.max_tokens is None
    assert 0 == messages(max_tokens=0).facts.max_tokens, "0 warms the cache"


def test_the_short_form_is_one_turn_of_the_user_in_the_bytes_that_came() -> None:
    ask = read_complete(
        b'{"prompt":"\\u0048i \\"you\\"","system":"Be kind.","temperature":1,"router":{"task":"chat"}}', {}
    )
    assert (Door.COMPLETE, True, "chat") == (ask.door, ask.short_form, ask.words.task)
    assert {
        "system": b'"Be kind."',
        "temperature": b"1",
        "messages": b'[{"role":"user","content":"\\u0048i \\"you\\""}]',
    } == {name: bytes(value) for name, value in ask.fields.items()}
    assert (1, "user", None, "") == (ask.facts.turns, ask.facts.last_role, ask.facts.max_tokens, ask.facts.model)


@given(texts.filter(str.strip))
@settings(max_examples=40)
def test_a_prompt_is_asked_word_for_word(prompt: str) -> None:
    ask = complete(prompt=prompt)
    assert [{"role": "user", "content": prompt}] == decoded(ask)["messages"]
    assert prompt.strip() == question_text(ask, 100)


def test_complete_takes_any_messages_body_and_keeps_our_words_out_of_it() -> None:
    ask = complete(**HELLO, router={"feature": "help"})
    assert (HELLO, False, "help") == (decoded(ask), ask.short_form, ask.words.feature)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "prompt"),
        ({"model": "auto"}, "prompt"),
        ({"prompt": "a", "messages": HELLO["messages"]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "a", "router": "fast"}, "router"),
        ({"prompt": "a", "router": None}, "router"),
        ({"messages": []}, "messages"),
    ],
)
def test_complete_refuses_what_is_no_question_by_its_field(fields: dict[str, Any], field: str) -> None:
    error = refusal(lambda: complete(**fields))
    assert error is not None
    assert ("router_bad_request", field) == (error.code, error.field)


def test_the_api_s_own_headers_go_on_as_they_came_and_no_others() -> None:
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": " a-1 ,b-2,, new-3",
        "anthropic-dangerous-new-thing": "Yes",
        "authorization": "Bearer secret",
        "x-api-key": "secret",
        "x-router-task": "chat",
    }
    ask = messages(headers=headers)
    assert tuple(list(headers.items())[:3]) == ask.headers
    assert (("a-1", "b-2", "new-3"), "2023-06-01") == (ask.facts.betas, ask.facts.api_version)


def asked(*turns: object, max_chars: int = 200) -> str:
    return question_text(messages(messages=list(turns)), max_chars)


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def test_the_question_is_the_newest_text_of_the_user() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "42"}
    assert "new" == asked(user("old"), {"role": "assistant", "content": "no"}, user(" new\n"))
    assert "a\nb" == asked(user([text("a"), {"type": "image", "source": {}}, text("b")]))
    assert "asked" == asked(user("asked"), {"role": "assistant", "content": "x"}, user([result]))
    assert "and this" == asked(user("asked"), user([result, text("and this")]))
    assert "" == asked(user([result]))
    assert "" == asked({"role": "assistant", "content": "x"})


def test_what_a_harness_slips_in_is_no_question() -> None:
    assert "fix it" == asked(user(f"{REMINDER}fix {REMINDER}it"))
    assert "fix it" == asked(user("fix it"), user([text(REMINDER), text(f" {REMINDER}\n")]))
    assert "<system-reminder>fix it" == asked(user("<system-reminder>fix it"))
    assert "</system-reminder>a" == asked(user(f"</system-reminder>a{REMINDER}"))


def test_many_reminders_that_never_end_are_read_in_one_go() -> None:
    """Every one of them scanned to the end would take minutes."""
    assert 200 == len(asked(user("<system-reminder>" * 200_000)))


def test_a_long_question_keeps_its_head_and_its_tail() -> None:
    asked_ = asked(user("h" * 1000 + "t" * 1000), max_chars=305)
    assert "h" * 200 + " […] " + "t" * 100 == asked_
    assert "h" * 2000 == asked(user("h" * 2000), max_chars=2000)


@given(st.lists(st.recursive(texts, lambda inner: st.lists(inner, max_size=3), max_leaves=4)), st.integers(-3, 40))
@settings(max_examples=40)
def test_a_question_is_never_longer_than_asked_for(said: list[Any], max_chars: int) -> None:
    turns = [user([text(part) for part in one] if isinstance(one, list) else one) for one in said]
    ask = messages(messages=[*turns, user("x" * 50)])
    assert len(question_text(ask, max_chars)) <= max(0, max_chars)


def test_a_text_that_is_none_is_passed_over_for_the_api_to_refuse() -> None:
    assert "old" == asked(user("old"), user([{"type": "text", "text": 5}]))
    assert "b" == asked(user([{"type": "text"}, text("b"), {"type": "new", "text": "c"}, {}]))
