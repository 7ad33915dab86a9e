"""A request body as the row of blocks that is counted and cached: tools, then system, then messages.

Rule: pure, and the same for counting, billing and caching, so that the three can never disagree.

The token formula (docs/standin.md): 2.5 characters a token (3.25 for the tokenizer before Opus
4.7), rounded up for each block, at least 1; 3 tokens more for each message; 1,600 for an image,
3,000 for a document that is no plain text; 286 for having tools, 120 more when one is forced.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from .cache import Position
from .models import Model

Json = dict[str, Any]

MESSAGE_TOKENS = 3
IMAGE_TOKENS = 1_600
DOCUMENT_TOKENS = 3_000
TOOLS_TOKENS = 286
FORCED_TOOL_TOKENS = 120
FORCED = ("any", "tool")
UNMARKABLE = ("thinking", "redacted_thinking")

_encode = msgspec.json.Encoder().encode


class Block(msgspec.Struct):
    """One block. `content` is as it came; its mark is not part of what is cached."""

    level: str  # tools | system | messages
    role: str
    content: Json
    tokens: int
    mark: str | None = None

    @property
    def markable(self) -> bool:
        kind = self.content.get("type")
        return kind not in UNMARKABLE and not (kind == "text" and not self.content.get("text"))


def text_tokens(characters: int, model: Model) -> int:
    """Tokens of a piece of text, rounded up."""
    return -(-characters * 1000 // model.characters_in_1000_tokens)


def characters_of(tokens: int, model: Model) -> int:
    """The longest text that is no more than so many tokens."""
    return tokens * model.characters_in_1000_tokens // 1000


def blocks_of(content: object) -> list[Json]:
    """Content as blocks: a bare string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def read_prompt(body: Json, model: Model) -> list[Block]:
    """Every block of the prompt, in the order in which it is cached."""
    blocks = [*_tools(body, model), *_system(body, model), *_messages(body, model)]
    automatic = body.get("cache_control")
    if isinstance(automatic, dict):
        _mark_last(blocks, automatic)
    return blocks


def total_tokens(blocks: list[Block]) -> int:
    return sum(block.tokens for block in blocks)


def positions(blocks: list[Block], body: Json, model: Model) -> list[Position]:
    """The blocks as the cache knows them: by a digest of all that comes before them and themselves.

    A schema changes the digest from the first block on; tool_choice, thinking, effort and the
    presence of images from the first message on. A value set to its default equals none.
    """
    digest = blake2b(_encode(_output_config(body).get("format")), digest_size=16)
    in_messages = False
    row: list[Position] = []
    for block in blocks:
        if block.level == "messages" and not in_messages:
            in_messages = True
            digest.update(_encode(_message_settings(body, model, blocks)))
        digest.update(_encode((block.level, block.role, without_mark(block.content))))
        row.append(Position(digest.digest(), block.tokens, block.mark))
    return row


def mark_of(block: object) -> str | None:
    """The TTL that a block's cache_control asks for; its own or, in a tool result, that of a part."""
    if not isinstance(block, dict):
        return None
    control = block.get("cache_control")
    if isinstance(control, dict):
        return str(control.get("ttl") or "5m")
    if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        return next((mark for mark in map(mark_of, block["content"]) if mark), None)
    return None


def thinking_mode(body: Json, model: Model) -> str:
    thinking = body.get("thinking")
    return str(thinking.get("type")) if isinstance(thinking, dict) else model.default_thinking


def effort_of(body: Json, model: Model) -> str:
    return str(_output_config(body).get("effort") or model.default_effort)


def is_forced(body: Json) -> bool:
    choice = body.get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") in FORCED


def _output_config(body: Json) -> Json:
    config = body.get("output_config")
    return config if isinstance(config, dict) else {}


def _tools(body: Json, model: Model) -> Iterator[Block]:
    tools = body.get("tools") or []
    for index, tool in enumerate(tools):
        tokens = max(1, text_tokens(_json_characters(without_mark(tool)), model))
        extra = TOOLS_TOKENS if index == len(tools) - 1 else 0
        yield Block("tools", "", tool, tokens + extra, mark_of(tool))


def _system(body: Json, model: Model) -> Iterator[Block]:
    for block in blocks_of(body.get("system")):
        yield Block("system", "", block, _content_tokens(block, model), mark_of(block))


def _messages(body: Json, model: Model) -> Iterator[Block]:
    extra = MESSAGE_TOKENS + (FORCED_TOOL_TOKENS if is_forced(body) else 0)
    for number, message in enumerate(body["messages"]):
        for block in blocks_of(message["content"]):
            tokens = _content_tokens(block, model) + extra
            yield Block("messages", f"{number} {message['role']}", block, tokens, mark_of(block))
            extra = 0
        extra = MESSAGE_TOKENS


def _content_tokens(block: Json, model: Model) -> int:
    kind = block.get("type")
    if kind == "text":
        return max(1, text_tokens(len(block["text"]), model))
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        return _document_tokens(block, model)
    if kind == "thinking":
        return max(1, text_tokens(len(str(block.get("thinking") or "")), model))
    if kind == "tool_result":
        return 1 + sum(_content_tokens(part, model) for part in blocks_of(block.get("content")))
    return max(1, text_tokens(_json_characters(without_mark(block)), model))


def _document_tokens(block: Json, model: Model) -> int:
    source = block.get("source")
    if isinstance(source, dict) and isinstance(source.get("data"), str) and source.get("type") == "text":
        return max(1, text_tokens(len(source["data"]), model))
    return DOCUMENT_TOKENS


def _json_characters(value: object) -> int:
    return len(_encode(value).decode())


def without_mark(block: Json) -> Json:
    if mark_of(block) is None:
        return block
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    if isinstance(bare.get("content"), list):
        bare["content"] = [without_mark(part) if isinstance(part, dict) else part for part in bare["content"]]
    return bare


def _message_settings(body: Json, model: Model, blocks: list[Block]) -> tuple[object, ...]:
    choice = body.get("tool_choice")
    plain_choice = None if choice == {"type": "auto"} else choice
    thinking = body.get("thinking") if thinking_mode(body, model) != model.default_thinking else None
    has_images = any(block.content.get("type") == "image" for block in blocks)
    return plain_choice, thinking, effort_of(body, model), has_images


def _mark_last(blocks: list[Block], control: Json) -> None:
    for block in reversed(blocks):
        if block.markable:
            block.mark = block.mark or str(control.get("ttl") or "5m")
            return
