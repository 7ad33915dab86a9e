"""What a task promises of its answers: the format that is asked of the API, and whether an answer keeps it.

Rule: pure. The API itself keeps to a schema; what it cannot be asked for is looked at in the answer.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from .policy import Output


class Contract(Protocol):
    """A compiled JSON Schema."""

    def is_valid(self, instance: Any) -> bool: ...
    def iter_errors(self, instance: Any) -> Any: ...


class _Block(msgspec.Struct):
    type: str
    text: str | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


_MESSAGE = msgspec.json.Decoder(_Message)


def format_of(output: Output) -> dict[str, Any] | None:
    """As `output_config.format`; None where the task asks for text, or for any JSON."""
    if output.type == "json_schema":
        return {"type": "json_schema", "schema": output.schema}
    if output.type == "enum":
        answer = {"type": "string", "enum": list(output.values)}
        schema = {"type": "object", "properties": {"answer": answer}, "required": ["answer"]}
        return {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}
    return None


def broken(output: Output, message: bytes, contract: Contract | None = None) -> str | None:
    """What is wrong with an answer that should be JSON, in words; None when nothing is."""
    if output.type == "text":
        return None
    try:
        blocks = _MESSAGE.decode(message).content
    except (msgspec.DecodeError, RecursionError):
        return "the answer is no JSON, which the task promises"
    if any(block.type == "tool_use" for block in blocks):
        return None  # it asks for a tool first: the answer comes in a later turn
    text = "".join(block.text or "" for block in blocks if block.type == "text")
    return flaw(output, text, contract)


def flaw(output: Output, text: str, contract: Contract | None = None) -> str | None:
    """What is wrong with a text that should be JSON. Names the place, never what stands there."""
    try:
        answer = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return "the answer is no JSON, which the task promises"
    if output.type == "enum" and (not isinstance(answer, dict) or answer.get("answer") not in output.values):
        return "the answer is none of the task's values"
    if contract is not None and not contract.is_valid(answer):
        place = "/".join(str(step) for step in next(iter(contract.iter_errors(answer))).instance_path)
        return f"the answer does not fit the task's schema{f' at {place}' if place else ''}"
    return None
