"""A script gives the text of an answer in place of the echo; all else about the answer stays the stand-in's own."""

from __future__ import annotations

from typing import Any

from router.standin.answers import answer
from router.standin.models import MODELS

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


HAIKU = MODELS["claude-haiku-5-5"]


def body(text: str, **fields: Any) -> dict[str, Any]:
    thinking = {"type": "disabled"}
    return {"max_tokens": 100, "messages": [{"role": "user", "content": text}], "thinking": thinking, **fields}


def script(asked: dict[str, Any]) -> str | None:
    return "four, of course" if "2 + 2" in asked["messages"][0]["content"] else None


def test_the_script_speaks_where_it_has_a_text() -> None:
    reply = answer(body("2 + 2?"), HAIKU, script=script)
    assert [{"type": "text", "text": "four, of course"}] == reply.content
    assert ("end_turn", 6) == (reply.stop_reason, reply.output_tokens)


def test_elsewhere_it_is_the_echo() -> None:
    assert answer(body("Hello"), HAIKU) == answer(body("Hello"), HAIKU, script=script)


def test_its_text_stands_for_a_schema_too_and_is_never_padded() -> None:
    formed = body("2 + 2?", output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    assert "four, of course" == answer(formed, HAIKU, 500, script).content[0]["text"]


def test_limits_and_stop_sequences_hold_for_it() -> None:
    cut = answer(body("2 + 2?", max_tokens=2), HAIKU, script=script)
    assert ("max_tokens", 2, "four,") == (cut.stop_reason, cut.output_tokens, cut.content[0]["text"])
    stopped = answer(body("2 + 2?", stop_sequences=[", of"]), HAIKU, script=script)
    assert ("stop_sequence", "four") == (stopped.stop_reason, stopped.content[0]["text"])
