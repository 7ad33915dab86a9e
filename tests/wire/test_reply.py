"""Row U14 of the fault matrix: a 200 is a message of the API, or it is named as none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from router.errors import WireError
from router.vocabulary import OutcomeKind, Reply, Usage
from router.wire.reply import outcome_kind, read_error, read_error_message, read_reply, with_router

from .samples import MESSAGE, USAGE, json, whole_messages

K = OutcomeKind


def reply(**fields: object) -> Reply:
    return read_reply(json({**MESSAGE, **fields}))


def test_a_message_is_read_as_far_as_it_is_needed() -> None:
    assert (
        Reply(
            usage=Usage(input_tokens=10, output_tokens=5),
            stop_reason="end_turn",
            model="claude-haiku-5-5",
            message_id="msg_1",
        )
        == reply()
    )


@given(whole_messages)
@settings(max_examples=25)
def test_any_message_of_the_api_is_read(message: dict[str, Any]) -> None:
    read = read_reply(json(message))
    assert (message["id"], message["stop_reason"], message["usage"]["output_tokens"]) == (
        read.message_id,
        read.stop_reason,
        read.usage.output_tokens,
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no JSON"),
        (b"<html>secret</html>", "no JSON"),
        (json(MESSAGE)[:-1], "no JSON"),
        (json(MESSAGE) + b"{}", "no JSON"),
        (b"[" * 100_000, r"Expected `object`, got `array`"),
        (b'{"new":' + b"[" * 100_000, "no JSON"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'"msg"', "Expected `object`, got `str`"),
        (b"{}", "Object missing required field `type`"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"secret"}}', "missing required field `id`"),
    ],
)
def test_what_is_no_message_is_named_without_its_content(body: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message) as caught:
        read_reply(body)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "completion"}, "type"),
        ({"type": None}, r"\$\.type"),
        ({"id": None}, r"\$\.id"),
        ({"id": ""}, "id or model is empty"),
        ({"id": 5}, r"\$\.id"),
        ({"model": ""}, "id or model is empty"),
        ({"model": ["secret"]}, r"\$\.model"),
        ({"content": None}, r"\$\.content"),
        ({"content": "secret"}, r"\$\.content"),
        ({"content": ["secret"]}, r"\$\.content\[0\]"),
        ({"content": [{"text": "secret"}]}, r"`type` - at `\$\.content\[0\]`"),
        ({"content": [{"type": "text"}]}, "a text block without its text"),
        ({"content": [{"type": "text", "text": 5}]}, "a text block without its text"),
        ({"stop_reason": 5}, r"\$\.stop_reason"),
        ({"usage": None}, r"\$\.usage"),
        ({"usage": {}}, r"usage\.input_tokens is missing"),
        ({"usage": {"input_tokens": 1}}, r"usage\.output_tokens is missing"),
        ({"usage": {"output_tokens": 1}}, r"usage\.input_tokens is missing"),
        ({"usage": {**USAGE, "output_tokens": -1}}, r"usage\.output_tokens"),
        ({"usage": {**USAGE, "input_tokens": 1.5}}, r"\$\.usage\.input_tokens"),
        ({"usage": {**USAGE, "input_tokens": "1"}}, r"\$\.usage\.input_tokens"),
        ({"usage": {**USAGE, "cache_read_input_tokens": -1}}, r"usage\.cache_read_input_tokens"),
    ],
)
def test_a_message_with_a_broken_field_is_refused_by_it(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError, match=message) as caught:
        reply(**fields)
    assert "secret" not in str(caught.value)


def test_a_message_that_is_not_utf8_is_none() -> None:
    with pytest.raises(WireError, match="not UTF-8"):
        read_reply(json({**MESSAGE, "new": "x"}).replace(b'"x"', b'"\xff"'))


def test_fields_and_blocks_that_we_do_not_know_pass_whatever_they_hold() -> None:
    content = [{"type": "moon", "text": {"phase": 1}, "to": 5}, {"type": "fallback", "to": {"model": "m"}, "text": []}]
    read = reply(content=content, usage={**USAGE, "moon": [], "server_tool_use": {"moon": {}}}, new={"a": [1]})
    assert (10, 5, False) == (read.usage.input_tokens, read.usage.output_tokens, read.empty)


TEXT = [{"type": "text", "text": " Hi. "}]
BLANK = [{"type": "thinking", "thinking": "so", "signature": "s"}, {"type": "text", "text": " \n\t"}]
TOOL = [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]


@pytest.mark.parametrize(
    ("stop_reason", "content", "expected"),
    [
        ("end_turn", TEXT, K.ANSWERED),
        ("end_turn", TOOL, K.ANSWERED),
        ("end_turn", [{"type": "moon"}], K.ANSWERED),
        ("end_turn", [], K.EMPTY),
        ("end_turn", BLANK, K.EMPTY),
        ("end_turn", [{"type": "redacted_thinking", "data": "x"}], K.EMPTY),
        ("stop_sequence", TEXT, K.ANSWERED),
        ("stop_sequence", [], K.ANSWERED),
        ("tool_use", TOOL, K.ANSWERED),
        ("pause_turn", [], K.ANSWERED),
        ("a_new_one", [], K.ANSWERED),
        (None, [], K.EMPTY),
        (None, TEXT, K.ANSWERED),
        ("refusal", [], K.REFUSED),
        ("refusal", TEXT, K.REFUSED),
        ("max_tokens", TEXT, K.CUT_AT_MAX_TOKENS),
        ("max_tokens", [], K.CUT_AT_MAX_TOKENS),
        ("model_context_window_exceeded", TEXT, K.CONTEXT_EXCEEDED),
    ],
)
def test_how_a_message_ended_is_told_by_its_stop_reason_and_by_what_it_says(
    stop_reason: str | None, content: list[object], expected: OutcomeKind
) -> None:
    assert expected == outcome_kind(reply(stop_reason=stop_reason, content=content))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "error", "error": {"type": "api_error", "message": "m"}}, ("api_error", None)),
        ({"error": {"type": "a", "details": {"error_code": "ramp_limit_exceeded"}}}, ("a", "ramp_limit_exceeded")),
        ({"error": {"type": "a", "details": {"error_code": 5}}}, ("a", None)),
        ({"error": {"type": "a", "details": ["error_code"]}}, ("a", None)),
        ({"error": {"details": {"error_code": "c"}}}, (None, "c")),
        ({"error": {"type": 5}}, (None, None)),
        ({"error": "overloaded"}, (None, None)),
        ({"error": None}, (None, None)),
        ([], (None, None)),
        (MESSAGE, (None, None)),
    ],
)
def test_an_error_is_known_by_its_type_and_code(body: object, expected: tuple[str | None, str | None]) -> None:
    assert expected == read_error(json(body))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b'{"error":{"type":"\xff"}}', b'{"error":{"type":"a"}']
)
def test_an_error_that_is_none_has_neither_type_nor_code_nor_words(body: bytes) -> None:
    assert ((None, None), None) == (read_error(body), read_error_message(body))


def test_the_api_s_own_words_are_there_for_the_caller() -> None:
    assert "prompt is too long" == read_error_message(json({"error": {"type": "a", "message": "prompt is too long"}}))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id": "a", "x":1.50}', b'{"id": "a", "x":1.50,"router":{"t":1}}'),
        (b' {"id":"a"\n}\r\n', b' {"id":"a","router":{"t":1}}'),
        (b"{}", b'{"router":{"t":1}}'),
        (b"{ }", b'{"router":{"t":1}}'),
    ],
)
def test_our_words_come_last_and_every_other_byte_is_as_it_came(body: bytes, expected: bytes) -> None:
    assert expected == with_router(body, b'{"t":1}')


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"}"'])
def test_our_words_go_into_nothing_but_an_object(body: bytes) -> None:
    with pytest.raises(WireError):
        with_router(body, b"{}")


@given(whole_messages)
@settings(max_examples=20)
def test_a_message_with_our_words_is_the_message_and_our_words(message: dict[str, Any]) -> None:
    assert {**message, "router": {"tier": "haiku"}} == msgspec.json.decode(
        with_router(json(message), b'{"tier":"haiku"}')
    )
