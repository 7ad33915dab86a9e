"""What the API refuses in `messages`: roles, empty content, unknown shapes, unpaired tool results.

Rule: pure; after these checks every block is an object with a type, and every text is a string.
"""

from __future__ import annotations

from typing import Any

from .prompt import Json, blocks_of
from .refused import Refused

MESSAGES_MAX = 100_000
ROLES = ("user", "assistant", "system")
NEWEST = "2026-10-21"


def check_turns(messages: Any, version: str) -> None:
    """The whole conversation."""
    if not isinstance(messages, list):
        raise Refused("messages: Input should be a valid list")
    if not messages:
        raise Refused("messages: at least one message is required")
    if len(messages) > MESSAGES_MAX:
        raise Refused(f"messages: at most {MESSAGES_MAX} messages are allowed")
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Refused(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
        _check_content(message.get("content"), where, message["role"], version)
    if messages[0]["role"] == "assistant":
        raise Refused('messages: first message must use the "user" role')
    _check_pairs(messages)


def _check_content(content: Any, where: str, role: str, version: str) -> None:
    if not isinstance(content, str | list):
        raise Refused(f"{where}.content: Input should be a valid string or list")
    if not content and role != "assistant":
        raise Refused(f"{where}: {role} messages must have non-empty content")
    if content == "":
        return
    for index, block in enumerate(blocks_of(content)):
        inside = f"{where}.content.{index}"
        _check_block(block, inside)
        if version == NEWEST:
            _check_block_of_2026(block, inside, role)


def _check_block(block: Any, where: str) -> None:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise Refused(f"{where}.type: Field required")
    if block["type"] == "text":
        if not isinstance(block.get("text"), str):
            raise Refused(f"{where}.text: Input should be a valid string")
        if not block["text"].strip():
            raise Refused(f"{where}: text content blocks must contain non-whitespace text")
    if block["type"] == "tool_result":
        for index, part in enumerate(blocks_of(block.get("content"))):
            _check_part(part, f"{where}.content.{index}")


def _check_part(part: Any, where: str) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise Refused(f"{where}.type: Field required")
    if part["type"] == "text" and not isinstance(part.get("text"), str):
        raise Refused(f"{where}.text: Input should be a valid string")


def _check_block_of_2026(block: Json, where: str, role: str) -> None:
    if role == "assistant" and block["type"] == "document":
        raise Refused(f"{where}: document blocks are not permitted in assistant turns")
    if role == "user" and block["type"] == "text" and block.get("citations"):
        raise Refused(f"{where}.citations: citations are not permitted on user text blocks")


def _check_pairs(messages: list[Json]) -> None:
    """Every tool call is answered in the next turn, and every result answers a call of the turn before."""
    called: list[str] = []
    for index, message in enumerate(messages):
        blocks = blocks_of(message["content"])
        results = [str(block.get("tool_use_id")) for block in blocks if block["type"] == "tool_result"]
        for result in results:
            if result not in called:
                raise Refused(
                    f"messages.{index}.content: unexpected `tool_use_id` found in `tool_result` blocks: {result}. "
                    "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        missing = [call for call in called if call not in results]
        if missing:
            raise Refused(
                f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}."
            )
        called = [str(block.get("id")) for block in blocks if block["type"] == "tool_use"]
