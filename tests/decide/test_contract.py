"""What a task promises of its answers is asked of the API, or looked at in the answer."""

from __future__ import annotations

import msgspec
import pytest

from router.decide.contract import broken, format_of
from router.decide.policy import Output

ENUM = Output(type="enum", values=("urgent", "later"))


def message(*texts: str) -> bytes:
    return msgspec.json.encode({"content": [{"type": "text", "text": text} for text in texts]})


def test_only_a_schema_and_an_enum_are_formats_of_the_api() -> None:
    schema = {"type": "object"}
    assert [None, None] == [format_of(Output()), format_of(Output(type="json"))]
    assert {"type": "json_schema", "schema": schema} == format_of(Output(type="json_schema", schema=schema))


@pytest.mark.parametrize(
    ("output", "answer", "wrong"),
    [
        (Output(), message("no JSON"), None),
        (Output(type="json"), message('{"a"', ": 1}"), None),
        (Output(type="json"), message("Sure! {}"), "the answer is no JSON, which the task promises"),
        (Output(type="json"), message(), "the answer is no JSON, which the task promises"),
        (Output(type="json"), b"no message", "the answer is no JSON, which the task promises"),
        (Output(type="json"), message("[" * 100_000), "the answer is no JSON, which the task promises"),
        (ENUM, message('{"answer": "later"}'), None),
        (ENUM, message('{"answer": "never"}'), "the answer is none of the task's values"),
        (ENUM, message('"later"'), "the answer is none of the task's values"),
    ],
)
def test_an_answer_that_breaks_the_promise_is_told(output: Output, answer: bytes, wrong: str | None) -> None:
    assert wrong == broken(output, answer)


def test_a_turn_that_asks_for_a_tool_breaks_no_promise_yet() -> None:
    call = b'{"content": [{"type": "text", "text": "Let me look."}, {"type": "tool_use", "id": "t", "name": "look"}]}'
    assert broken(Output(type="json"), call) is None
