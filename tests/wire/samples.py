"""Bodies, messages and event runs to test with, and any JSON there can be.

Rule: what is valid here is valid by the Messages API, so that a test may break one thing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st

from router.errors import RequestError
from router.vocabulary import Ask
from router.wire.ask import read_complete, read_messages
from router.wire.sse import encode

HELLO: dict[str, Any] = {
    "model": "claude-auto",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Hello?"}],
}
USAGE: dict[str, Any] = {"input_tokens": 10, "output_tokens": 5}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "Hi."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}


def json(value: object) -> bytes:
    return msgspec.json.encode(value)


def messages(headers: dict[str, str] | None = None, **fields: Any) -> Ask:
    """A valid request to /v1/messages with these fields changed."""
    return read_messages(json({**HELLO, **fields}), headers or {})


def complete(headers: dict[str, str] | None = None, **fields: Any) -> Ask:
    """A request to /complete with just these fields."""
    return read_complete(json(fields), headers or {})


def refusal(call: Callable[[], object]) -> RequestError | None:
    """The RequestError that the call ends in; anything else it raises is a failed test."""
    try:
        call()
    except RequestError as error:
        return error
    return None


def event(kind: str, **fields: object) -> bytes:
    """One event of the API, under its own name."""
    return encode(kind, json({"type": kind, **fields}))


def start(**fields: object) -> bytes:
    return event("message_start", message={**MESSAGE, "content": [], "stop_reason": None, **fields})


def block_start(index: int = 0, **block: object) -> bytes:
    return event("content_block_start", index=index, content_block=block or {"type": "text", "text": ""})


def delta(index: int = 0, kind: str = "text_delta", **fields: object) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **(fields or {"text": "Hi."})})


def block_stop(index: int = 0) -> bytes:
    return event("content_block_stop", index=index)


def ending(stop_reason: str | None = "end_turn", **usage: object) -> bytes:
    given = {"stop_reason": stop_reason, "stop_sequence": None}
    return event("message_delta", delta=given, usage=usage or {"output_tokens": 5})


STOP = event("message_stop")
PING = event("ping")
RUN = (start(), block_start(), PING, delta(), block_stop(), ending(), STOP)

# --- any JSON ----------------------------------------------------------------------------------

# No half surrogates: they are no text in UTF-8.
texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
objects = st.dictionaries(texts, values, max_size=5)


@st.composite
def spelt(draw: st.DrawFn, value: object) -> bytes:
    """One of the ways to write a value: with or without spaces, escapes and line ends."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")]))
    return _written(value, separators, draw(st.booleans())).encode()


def _written(value: object, separators: tuple[str, str], ascii_only: bool) -> str:
    comma, colon = separators
    if isinstance(value, dict):
        pairs = (f"{json(key).decode()}{colon}{_written(one, separators, ascii_only)}" for key, one in value.items())
        return "{" + comma.join(pairs) + "}"
    if isinstance(value, list):
        return "[" + comma.join(_written(one, separators, ascii_only) for one in value) + "]"
    if isinstance(value, str) and ascii_only:
        return '"' + "".join(_escaped(letter) for letter in value) + '"'
    return json(value).decode()


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


# --- any answer, and the events that it would be streamed as ------------------------------------

text_blocks = st.fixed_dictionaries(
    {"type": st.just("text"), "text": texts},
    optional={
        "citations": st.lists(st.fixed_dictionaries({"cited_text": texts, "start": st.integers(0, 9)}), min_size=1)
    },
)
thinking_blocks = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts, "signature": texts})
tool_blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["tool_use", "server_tool_use"]), "id": texts, "name": texts, "input": objects}
)
unknown_blocks = st.fixed_dictionaries({"type": st.sampled_from(["redacted_thinking", "moon_phase"]), "data": values})
blocks = text_blocks | thinking_blocks | tool_blocks | unknown_blocks
usages = st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 10**6), "output_tokens": st.integers(0, 10**6)},
    optional={
        "cache_read_input_tokens": st.integers(0, 10**6),
        "service_tier": st.just("standard"),
        "moon_tokens": st.integers(0, 9),
    },
)
whole_messages = st.fixed_dictionaries(
    {
        "id": st.just("msg_1"),
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": st.just("claude-haiku-5-5"),
        "content": st.lists(blocks, max_size=4),
        "stop_reason": st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "a_new_one"]),
        "stop_sequence": st.none() | texts,
        "usage": usages,
    },
    optional={"container": st.none() | objects, "context_management": objects},
)


def streamed(message: dict[str, Any], piece: int = 3) -> list[bytes]:
    """The events that the API would have sent for this message, its texts cut into pieces."""
    early = {name: value for name, value in message["usage"].items() if name != "output_tokens"}
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    begun = {name: value for name, value in begun.items() if name not in ("container", "context_management")}
    frames = [event("message_start", message={**begun, "usage": {**early, "output_tokens": 1}})]
    for index, block in enumerate(message["content"]):
        frames += _block_events(index, block, piece)
    ended = {name: message[name] for name in ("stop_reason", "stop_sequence", "container") if name in message}
    others = {name: message[name] for name in ("context_management",) if name in message}
    return [*frames, event("message_delta", delta=ended, usage=message["usage"], **others), STOP]


def _block_events(index: int, block: dict[str, Any], piece: int) -> list[bytes]:
    begun, deltas = dict(block), []
    if block["type"] == "text":
        begun = {**begun, "text": ""}
        deltas += [delta(index, text=part) for part in _cut(block["text"], piece)]
        if "citations" in block:
            begun["citations"] = []
            deltas += [delta(index, "citations_delta", citation=citation) for citation in block["citations"]]
    elif block["type"] == "thinking":
        begun = {**begun, "thinking": "", "signature": ""}
        deltas += [delta(index, "thinking_delta", thinking=part) for part in _cut(block["thinking"], piece)]
        deltas.append(delta(index, "signature_delta", signature=block["signature"]))
    elif "input" in block:
        begun = {**begun, "input": {}}
        parts = _cut(json(block["input"]).decode(), piece)
        deltas += [delta(index, "input_json_delta", partial_json=part) for part in ["", *parts]]
    return [block_start(index, **begun), *deltas, block_stop(index)]


def _cut(text: str, piece: int) -> list[str]:
    return [text[at : at + piece] for at in range(0, len(text), piece)]
