"""An answer as bytes: the whole message, or the events of a stream in the documented order.

Rule: pure. A frame carries how many output tokens have been produced once it is sent, which is
what a client that leaves after it has to pay for.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from .answers import Answer
from .cache import Plan
from .models import Model
from .prompt import Json, text_tokens

DELTA_CHARACTERS = 24

_encode = msgspec.json.Encoder().encode


class Frame(NamedTuple):
    """One piece of a response's body."""

    data: bytes
    output_tokens: int = 0
    pause_s: float = 0.0  # silence before it


class Head(msgspec.Struct, frozen=True):
    """What a message says besides its content."""

    message_id: str
    model: str
    plan: Plan
    geo: str
    speed: str | None = None
    service_tier: str = "standard"
    diagnostics: tuple[Json | None, ...] = ()  # one, where it was asked for


def usage(head: Head, reply: Answer) -> Json:
    """Every token class of the message."""
    plan = head.plan if reply.billed else Plan(total=0)
    counts: Json = {
        "input_tokens": plan.uncached,
        "cache_creation_input_tokens": plan.write_5m + plan.write_1h,
        "cache_read_input_tokens": plan.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": plan.write_5m,
            "ephemeral_1h_input_tokens": plan.write_1h,
        },
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"thinking_tokens": reply.thinking_tokens},
        "service_tier": head.service_tier,
        "inference_geo": head.geo,
    }
    if head.speed is not None:
        counts["speed"] = head.speed
    return counts


def whole(head: Head, reply: Answer) -> bytes:
    """The message as one JSON object."""
    return _encode(_message(head, reply, reply.content, usage(head, reply)))


def events(head: Head, reply: Answer, model: Model, deltas: int | None, pause_s: float) -> list[Frame]:
    """The message as a stream. `deltas` splits its text into so many pieces."""
    started = usage(head, reply)
    first = min(1, reply.output_tokens)
    started["output_tokens"] = first
    del started["output_tokens_details"]
    opening = Answer([], "", 0)
    message = _message(head, opening, [], started) | {"stop_reason": None}
    frames = [Frame(event("message_start", {"message": message}), first)]
    produced = reply.thinking_tokens
    for index, block in enumerate(reply.content):
        block_frames = _block_frames(index, block, deltas, pause_s)
        last = index == len(reply.content) - 1
        for number, (data, characters, pause) in enumerate(block_frames):
            tokens = produced + text_tokens(characters, model)
            frames.append(Frame(data, max(first, min(tokens, reply.output_tokens)), pause))
            if index == 0 and number == 0:
                frames.append(Frame(event("ping", {}), frames[-1].output_tokens))
        produced = reply.output_tokens if last else frames[-1].output_tokens
    frames.append(Frame(event("message_delta", _ending(head, reply)), reply.output_tokens))
    frames.append(Frame(event("message_stop", {}), reply.output_tokens))
    return frames


def event(name: str, fields: Json) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name, **fields}))


def _message(head: Head, reply: Answer, content: list[Json], counts: Json) -> Json:
    message: Json = {
        "id": head.message_id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "usage": counts,
    }
    if reply.stop_details is not None:
        message["stop_details"] = reply.stop_details
    if head.diagnostics:
        message["diagnostics"] = head.diagnostics[0]
    return message


def _ending(head: Head, reply: Answer) -> Json:
    counts = usage(head, reply)
    kept = (
        "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
        "output_tokens_details",
    )  # fmt: skip
    delta: Json = {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}
    if reply.stop_details is not None:
        delta["stop_details"] = reply.stop_details
    return {"delta": delta, "usage": {name: counts[name] for name in kept}}


def _block_frames(index: int, block: Json, deltas: int | None, pause_s: float) -> list[tuple[bytes, int, float]]:
    """The events of one content block, each with the characters of text produced once it is out."""
    kind = block["type"]
    start, pieces = _pieces(block, deltas)
    frames = [(event("content_block_start", {"index": index, "content_block": start}), 0, 0.0)]
    characters = 0
    for piece in pieces:
        characters += 0 if kind == "thinking" else len(next(text for name, text in piece.items() if name != "type"))
        frames.append((event("content_block_delta", {"index": index, "delta": piece}), characters, pause_s))
    frames.append((event("content_block_stop", {"index": index}), characters, 0.0))
    return frames


def _pieces(block: Json, deltas: int | None) -> tuple[Json, list[dict[str, str]]]:
    """A block as it starts out, and the deltas that complete it."""
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "tool_use":
        parts = _split(_encode(block["input"]).decode(), None)
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    parts = _split(block["text"], deltas)
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in parts]


def _split(text: str, parts: int | None) -> list[str]:
    if parts is None:
        return [text[start : start + DELTA_CHARACTERS] for start in range(0, len(text), DELTA_CHARACTERS)]
    parts = max(1, min(parts, len(text)))
    return [text[len(text) * part // parts : len(text) * (part + 1) // parts] for part in range(parts)]
