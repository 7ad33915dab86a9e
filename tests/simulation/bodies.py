"""What the API says, byte by byte: messages, streams, errors, and what is none of these.

Rule: an answer's text names the call that it comes from, and counts on, so that every piece of it can be told.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from router.wire.sse import encode

COUNTING = "".join(f"{number % 1000:03d} " for number in range(4096))  # one token each
PIECES = 5  # of an answer's text, in a stream
_JSON = msgspec.json.encode


def text_of(number: int, tokens: int) -> str:
    """The whole text of a call's answer."""
    return f"[{number}] {COUNTING[: 4 * tokens]}" if tokens else ""


def message(opening: Mapping[str, object], text: str, stop_reason: str, output_tokens: int) -> bytes:
    usage = opening["usage"]
    assert isinstance(usage, dict)
    content = [{"type": "text", "text": text}] if text else []
    return _JSON(
        {**opening, "content": content, "stop_reason": stop_reason, "usage": {**usage, "output_tokens": output_tokens}}
    )


def opening(message_id: str, model: str, usage: Mapping[str, object]) -> dict[str, object]:
    """A message before its first word."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }


def frame(fields: Mapping[str, object]) -> bytes:
    return encode(str(fields["type"]), _JSON(fields))


def start(opened: Mapping[str, object]) -> bytes:
    return frame({"type": "message_start", "message": opened})


BLOCK_START = frame({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
BLOCK_STOP = frame({"type": "content_block_stop", "index": 0})
STOP = frame({"type": "message_stop"})
PING = frame({"type": "ping"})


def pieces(text: str, tokens: int) -> list[tuple[bytes, int]]:
    """A text as deltas, and how many tokens were out with each."""
    if not text:
        return []
    step = max(1, -(-tokens // PIECES))
    head = len(text) - 4 * tokens
    found = []
    for first in range(0, tokens, step):
        last = min(tokens, first + step)
        piece = text[(head + 4 * first) if first else 0 : head + 4 * last]
        delta = {"type": "text_delta", "text": piece}
        found.append((frame({"type": "content_block_delta", "index": 0, "delta": delta}), last))
    return found


def ending(stop_reason: str, output_tokens: int) -> bytes:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return frame({"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens}})


def error(error_type: str, code: str = "") -> bytes:
    fields: dict[str, object] = {"type": error_type, "message": "made up"}
    if code:
        fields["details"] = {"error_code": code}
    return _JSON({"type": "error", "error": fields, "request_id": "up"})


def error_event(error_type: str) -> bytes:
    return encode("error", error(error_type))


GARBAGE_EVENTS = (
    b'event: content_block_delta\ndata: {"type": "content_block_del\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":7,"delta":{"type":"text_delta"}}\n\n',
    b"event: message_delta\ndata: \xff\xfe{}\n\n",
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


def wrong_body(kind: str, right: bytes) -> bytes:
    """What came instead of a message."""
    if kind == "html":
        return b"<!doctype html><title>502</title>"
    if kind == "half":
        return right[: len(right) // 2]
    if kind == "null":
        return b"null"
    if kind == "error_in_200":
        return error("overloaded_error")
    if kind == "no_usage":
        return right.replace(b'"usage"', b'"used"')
    return right.replace(b'"type":"message"', b'"type":"massage"')
