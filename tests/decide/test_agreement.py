"""When two answers say the same."""

from __future__ import annotations

import msgspec
import pytest

from router.decide.agreement import agree, last_number, texts_agree

DEEP = "[" * 900 + "]" * 900  # it can be read, but not be walked through


def message(*blocks: dict[str, object]) -> bytes:
    return msgspec.json.encode({"content": list(blocks)})


def said(text: str) -> bytes:
    return message({"type": "text", "text": text})


def calls(*named: tuple[str, object]) -> bytes:
    return message(*({"type": "tool_use", "id": name, "name": name, "input": given} for name, given in named))


@pytest.mark.parametrize(
    ("compare", "one", "other", "expected"),
    [
        ("json", '{"a": 1, "b": [1, 2]}', '{"b":[1.0,2],"a":1}', True),
        ("json", '```json\n{"a": 1}\n```', '{"a": 1}', True),
        ("json", '{"a": 1}', '{"a": "1"}', False),
        ("json", '{"a": true}', '{"a": 1}', False),
        ("json", "[1, 2]", "[2, 1]", False),
        ("json", "no json", "no json", False),
        ("json", "[" * 10_000, "[" * 10_000, False),
        ("json", DEEP, DEEP, False),
        ("number", "So 3 * 4 = 12 in all.", "The answer is 12.0", True),
        ("number", "1,200", "1200 people", True),
        ("number", "1/4", "25%", True),
        ("number", "12", "12.5", False),
        ("number", "none", "none", False),
        ("number", "1/0", "1/0", False),
        ("text", "  Yes\n", "yes", True),
        ("text", "yes", "yes.", False),
        ("text", "", "", False),
    ],
)
def test_texts_agree_where_they_say_the_same(compare: str, one: str, other: str, expected: bool) -> None:
    assert expected == texts_agree(compare, one, other)
    assert expected == texts_agree(compare, other, one)


def test_the_same_tools_with_the_same_input_agree_in_any_order() -> None:
    one, other = calls(("a", {"x": 1}), ("b", {})), calls(("b", {}), ("a", {"x": 1.0}))
    assert agree("tool_calls", one, other)
    assert not agree("tool_calls", one, calls(("a", {"x": 2}), ("b", {})))
    assert not agree("tool_calls", one, calls(("a", {"x": 1})))


def test_an_answer_that_cannot_be_compared_agrees_with_nothing() -> None:
    assert not agree("tool_calls", said("no tool"), said("no tool"))
    assert not agree("text", b"no message", b"no message")
    assert agree("text", said("Paris"), said("paris"))


def test_the_last_number_is_the_answer() -> None:
    assert [-3.5, 1e6, None] == [last_number("from 9 to -3.5"), last_number("1e6"), last_number("")]


def test_tool_calls_that_are_too_deep_to_compare_agree_with_nothing() -> None:
    deep = b'{"content": [{"type": "tool_use", "name": "a", "input": ' + DEEP.encode() + b"}]}"
    assert not agree("tool_calls", deep, deep)
