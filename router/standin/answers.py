"""What the stand-in answers: an echo, JSON that fits a schema, or a tool call. Always the same.

Rule: pure; the answer depends on the request alone, and on the text that a script has for it. Output
tokens are those of the text produced, by the formula of prompt.py, and the thinking that came before it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from .binding import signature
from .fitting import fit
from .models import Model
from .prompt import Json, blocks_of, characters_of, effort_of, is_forced, text_tokens, thinking_mode

ECHO_CHARACTERS = 400
CALL_TOKENS = 10
THINKING_TOKENS = {"low": 16, "medium": 48, "high": 96, "xhigh": 192, "max": 384}
EASY_CHARACTERS = 200  # at low effort, a shorter text gets no thinking
TOOL_WISH = "use the tool"
BILLED_REFUSALS = ("bio", "frontier_llm", "reasoning_extraction")

# What is said in place of the echo, for those bodies that it has a text for.
Script = Callable[[Json], str | None]

_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct):
    """A message's content and how it ended."""

    content: list[Json]
    stop_reason: str
    output_tokens: int
    thinking_tokens: int = 0
    stop_sequence: str | None = None
    stop_details: Json | None = None
    billed: bool = True


def answer(body: Json, model: Model, pad_characters: int = 0, script: Script | None = None) -> Answer:
    """The answer to a checked request. `pad_characters` is the least that a text has, unless a script gives it."""
    limit = body["max_tokens"]
    if limit == 0:
        return Answer([], "max_tokens", 0)
    question = last_text(body)
    thinking, thinking_tokens = _think(body, model, question)
    if thinking_tokens >= limit:
        return Answer(thinking, "max_tokens", limit, limit)
    tool = _wanted_tool(body, question)
    if tool is None:
        said = None if script is None else script(body)
        text = _echo(body, question, pad_characters) if said is None else said
        reply = _speak(body, model, text, limit - thinking_tokens)
    else:
        reply = _call(tool, model, question, limit - thinking_tokens)
    reply.content = [*thinking, *reply.content]
    reply.output_tokens += thinking_tokens
    reply.thinking_tokens = thinking_tokens
    return reply


def empty() -> Answer:
    """A message with nothing in it, as it can follow a tool result."""
    return Answer([], "end_turn", 1)


def refusal(category: str) -> Answer:
    """A refusal before any output; only some categories are billed."""
    details = {"type": "refusal", "category": category, "explanation": "The stand-in was told to refuse."}
    billed = category in BILLED_REFUSALS
    return Answer([], "refusal", 1 if billed else 0, stop_details=details, billed=billed)


def refuse_midway(reply: Answer, model: Model, category: str) -> Answer:
    """A refusal after half of the text: always billed, for what came before it."""
    refused = refusal(category)
    refused.billed = True
    refused.thinking_tokens = reply.thinking_tokens
    refused.output_tokens = reply.thinking_tokens
    for block in reply.content:
        if block["type"] == "text":
            half = block["text"][: max(1, len(block["text"]) // 2)]
            refused.content.append({"type": "text", "text": half})
            refused.output_tokens += max(1, text_tokens(len(half), model))
        elif block["type"] == "thinking":
            refused.content.append(block)
    return refused


def last_text(body: Json) -> str:
    """The text of the newest user turn; the text inside its tool results when it has no other."""
    turn: Json = next((turn for turn in reversed(body["messages"]) if turn["role"] == "user"), {})
    blocks = blocks_of(turn.get("content"))
    spoken = _texts(blocks)
    if not spoken:
        inside = [part for block in blocks for part in blocks_of(block.get("content"))]
        spoken = _texts(inside)
    return "\n".join(spoken)


def _texts(blocks: list[Json]) -> list[str]:
    return [block["text"] for block in blocks if block.get("type") == "text"]


def _think(body: Json, model: Model, question: str) -> tuple[list[Json], int]:
    mode = thinking_mode(body, model)
    effort = effort_of(body, model)
    easy = effort == "low" and len(question) < EASY_CHARACTERS
    idle = mode == "disabled" or (mode == "between_tools" and not body.get("tools"))
    if idle or is_forced(body) or (easy and mode != "enabled"):
        return [], 0
    default_display = "summarized" if mode == "enabled" else "omitted"
    display = (body.get("thinking") or {}).get("display") or default_display
    words = f"They ask for: {question[:ECHO_CHARACTERS]}" if display == "summarized" else ""
    block = {"type": "thinking", "thinking": words, "signature": signature(body, model)}
    return [block], THINKING_TOKENS[effort]


def _wanted_tool(body: Json, question: str) -> Json | None:
    tools: list[Json] = [tool for tool in body.get("tools") or [] if "input_schema" in tool]
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice["type"] == "tool":
        return next((tool for tool in tools if tool["name"] == choice["name"]), None)
    wished = choice["type"] == "auto" and TOOL_WISH in question.lower()
    return tools[0] if tools and (wished or choice["type"] == "any") else None


def _call(tool: Json, model: Model, question: str, limit: int) -> Answer:
    wanted: Any = fit(tool["input_schema"], question)
    call_id = "toolu_" + blake2b(_encode([tool["name"], question]), digest_size=12).hexdigest()
    tokens = CALL_TOKENS + text_tokens(len(_encode(wanted).decode()), model)
    block: Json = {"type": "tool_use", "id": call_id, "name": tool["name"], "input": wanted}
    if tokens > limit:
        return Answer([{**block, "input": {}}], "max_tokens", limit)
    return Answer([block], "tool_use", tokens)


def _echo(body: Json, question: str, pad_characters: int) -> str:
    wanted = (body.get("output_config") or {}).get("format")
    if wanted:
        return _encode(fit(wanted["schema"], question)).decode()
    return _padded(f"You asked: {question[:ECHO_CHARACTERS]}", pad_characters)


def _speak(body: Json, model: Model, text: str, limit: int) -> Answer:
    stop_sequence = next((stop for stop in body.get("stop_sequences") or [] if stop in text), None)
    if stop_sequence is not None:
        text = text[: text.index(stop_sequence)]
    tokens = max(1, text_tokens(len(text), model))
    if tokens > limit:
        return _said(text[: characters_of(limit, model)], "max_tokens", limit)
    reply = _said(text, "end_turn" if stop_sequence is None else "stop_sequence", tokens)
    reply.stop_sequence = stop_sequence
    return reply


def _said(text: str, stop_reason: str, tokens: int) -> Answer:
    return Answer([{"type": "text", "text": text}] if text else [], stop_reason, tokens)


def _padded(text: str, characters: int) -> str:
    return text if len(text) >= characters else text + " and so on" * (1 + (characters - len(text)) // 10)
