"""A message as the events of a stream, and two halves of a message as one.

Rule: pure. What is joined was cut at max_tokens in the middle of a text; everything else stays as it came.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .sse import encode

Block = dict[str, Any]
TALK = frozenset({"text", "thinking", "redacted_thinking"})
# How far two halves may overlap: a model that goes on sometimes says its last words again.
OVERLAP_MIN, OVERLAP_MAX = 12, 400
_MESSAGE = msgspec.json.Decoder(dict[str, Any])
_COUNTED = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def frames_of(body: bytes) -> list[bytes]:
    """The events that say the same as this whole message."""
    message = _MESSAGE.decode(body)
    usage = message.get("usage") or {}
    opening = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    opening["usage"] = {**usage, "output_tokens": 0}
    ending = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in message}
    events: list[Block] = [{"type": "message_start", "message": opening}]
    for index, block in enumerate(message["content"]):
        events += _of_block(index, block)
    events.append({"type": "message_delta", "delta": ending, "usage": usage})
    events.append({"type": "message_stop"})
    return [encode(event["type"], msgspec.json.encode(event)) for event in events]


def _of_block(index: int, block: Block) -> list[Block]:
    empty, deltas = _parted(block)
    start: Block = {"type": "content_block_start", "index": index, "content_block": empty}
    middle: list[Block] = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [start, *middle, {"type": "content_block_stop", "index": index}]


def _parted(block: Block) -> tuple[Block, list[Block]]:
    """The block as it begins, and what is added to it. A type that is not streamed in parts begins whole."""
    match block.get("type"):
        case "text":
            added: list[Block] = [{"type": "text_delta", "text": block["text"]}]
            added += [{"type": "citations_delta", "citation": one} for one in block.get("citations") or []]
            empty = {**block, "text": ""}
            if block.get("citations"):
                empty["citations"] = []
            return empty, added
        case "thinking":
            signature = {"type": "signature_delta", "signature": block.get("signature", "")}
            thought = {"type": "thinking_delta", "thinking": block.get("thinking", "")}
            return {**block, "thinking": "", "signature": ""}, [thought, signature]
        case "tool_use" | "server_tool_use":
            given = msgspec.json.encode(block.get("input", {})).decode()
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": given}]
        case _:
            return block, []


def can_go_on(body: bytes) -> list[Block] | None:
    """The content of an answer that was cut off in the middle of a text; None where it cannot be continued."""
    content: list[Block] = _MESSAGE.decode(body)["content"]
    if not content or content[-1].get("type") != "text" or not content[-1]["text"].strip():
        return None
    if any(block.get("type") not in TALK for block in content):
        return None
    return content


def joined(first: bytes, second: bytes, *, exact: bool = False) -> bytes | None:
    """Both halves as one message: the first one's name, the second one's end, and what both used.

    `exact`: nothing is taken for said twice, as in data that may repeat itself. None where the second half does
    more than talk: that belongs to no sentence of the first.
    """
    message, more = _MESSAGE.decode(first), _MESSAGE.decode(second)
    if any(block.get("type") not in TALK for block in more["content"]):
        return None
    added = "".join(block["text"] for block in more["content"] if block.get("type") == "text")
    *before, last = message["content"]
    text = last["text"] + added if exact else _seamless(last["text"], added)
    message["content"] = [*before, {**last, "text": text}]
    for name in ("stop_reason", "stop_sequence", "stop_details"):
        if name in more:
            message[name] = more[name]
    message["usage"] = _summed(message.get("usage") or {}, more.get("usage") or {})
    return msgspec.json.encode(message)


def _seamless(text: str, added: str) -> str:
    """Without the words that the second half repeats from the end of the first."""
    most = min(len(text), len(added), OVERLAP_MAX)
    for size in range(most, OVERLAP_MIN - 1, -1):
        again = added[:size]
        # What comes up more than once is a refrain, a table or a list of noughts, and no slip.
        if not text.endswith(again):
            continue
        repeats = text.count(again) > 1 or added.count(again) > 1 or again in (again + again)[1:-1]
        return text + (added if repeats else added[size:])
    return text + added


def _summed(one: Block, other: Block) -> Block:
    sums = {name: (one.get(name) or 0) + (other.get(name) or 0) for name in _COUNTED if name in one or name in other}
    return {**one, **sums}
