"""A run of events put together as the whole message that the API would have sent without streaming.

Rule: pure. What is not appended to is kept as the bytes that came; deltas that we do not know are passed
over, as every client does. What Reading lets pass can be put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import WireError
from .sse import parse, parse_all

Fields = dict[str, msgspec.Raw]

# A delta's type, the field of it that is appended, and the field of the block that it continues.
_APPENDED = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
}
_REPLACING = frozenset({"signature_delta", "compaction_delta"})


class _Piece(msgspec.Struct):
    """A delta, as far as most of them go."""

    type: Any = None
    text: Any = None
    thinking: Any = None
    partial_json: Any = None


class _Growing(msgspec.Struct):
    delta: _Piece


_FIELDS = msgspec.json.Decoder(Fields)
_OPTIONAL_FIELDS = msgspec.json.Decoder(Fields | None)
_GROWING = msgspec.json.Decoder(_Growing)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
_ENCODER = msgspec.json.Encoder()
_NULL = msgspec.Raw(b"null")


class _Block:
    """One content block, growing."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._pieces: dict[str, list[str]] = {}
        self._citations: list[msgspec.Raw] = []

    def grow(self, target: str, piece: str) -> None:
        self._pieces.setdefault(target, []).append(piece)

    def add(self, delta: Fields) -> None:
        kind = _text(delta.get("type"))
        if kind in _REPLACING:
            self._fields.update((name, value) for name, value in delta.items() if name != "type")
        elif kind == "citations_delta" and "citation" in delta:
            self._citations.append(delta["citation"])

    def whole(self) -> dict[str, object]:
        block: dict[str, object] = dict(self._fields)
        for name, pieces in self._pieces.items():
            joined = "".join(pieces)
            block[name] = _input(joined) if name == "input" else _text(self._fields.get(name)) + joined
        if self._citations:
            block["citations"] = [*_elements(self._fields.get("citations")), *self._citations]
        return block


class Assembler:
    """Collects events; `message` gives the body. Both raise WireError for what is no event of the API."""

    def __init__(self) -> None:
        self._message: Fields = {}
        self._usage: Fields = {}
        self._blocks: list[_Block] = []

    def add_all(self, run: bytes) -> None:
        """Take a run of whole events in."""
        for name, data in parse_all(run):
            self._take(name, data)

    def add(self, frame: bytes) -> None:
        """Take one event in."""
        self._take(*parse(frame))

    def _take(self, name: str, data: bytes) -> None:
        step = _STEPS.get(name)
        if step is None or not data:
            return
        try:
            step(self, data)
        except (ValueError, LookupError, RecursionError):  # msgspec's and UTF-8's errors are ValueErrors
            raise WireError(f"a {name} that cannot be put together") from None

    def message(self) -> bytes:
        """The whole message."""
        if not self._message:
            raise WireError("no message_start")
        content = [block.whole() for block in self._blocks]
        return _ENCODER.encode({**self._message, "content": content, "usage": self._usage})

    def _start(self, data: bytes) -> None:
        self._message = _FIELDS.decode(_FIELDS.decode(data)["message"])
        self._usage = _FIELDS.decode(self._message["usage"])

    def _block_start(self, data: bytes) -> None:
        block = _FIELDS.decode(_FIELDS.decode(data)["content_block"])
        self._blocks.append(_Block(block))
        if _text(block.get("type")) == "fallback" and (model := _model(block.get("to"))) is not None:
            self._message["model"] = model

    def _block_delta(self, data: bytes) -> None:
        delta = _GROWING.decode(data).delta
        source, target = _APPENDED.get(delta.type, ("", "")) if isinstance(delta.type, str) else ("", "")
        if not source:
            self._blocks[-1].add(_FIELDS.decode(_FIELDS.decode(data)["delta"]))
            return
        piece = getattr(delta, source)
        self._blocks[-1].grow(target, piece if isinstance(piece, str) else "")

    def _message_delta(self, data: bytes) -> None:
        event = _FIELDS.decode(data)
        _overlay(self._usage, _OPTIONAL_FIELDS.decode(event.pop("usage", _NULL)) or {})
        _overlay(self._message, _OPTIONAL_FIELDS.decode(event.pop("delta", _NULL)) or {})
        del event["type"]
        _overlay(self._message, event)


_STEPS = {
    "message_start": Assembler._start,
    "content_block_start": Assembler._block_start,
    "content_block_delta": Assembler._block_delta,
    "message_delta": Assembler._message_delta,
}


def _overlay(fields: Fields, later: Mapping[str, msgspec.Raw]) -> None:
    """What is given replaces what was; a null says nothing about what is there."""
    for name, value in later.items():
        if name not in fields or bytes(value) != b"null":
            fields[name] = value


def _text(raw: msgspec.Raw | None) -> str:
    """The string that it is, or an empty one."""
    return _STRING.decode(raw) if raw is not None and _begins(raw, b'"') else ""


def _elements(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    return _ELEMENTS.decode(raw) if raw is not None and _begins(raw, b"[") else []


def _model(raw: msgspec.Raw | None) -> msgspec.Raw | None:
    model = _FIELDS.decode(raw).get("model") if raw is not None and _begins(raw, b"{") else None
    return model if model is not None and _begins(model, b'"') else None


def _begins(raw: msgspec.Raw, mark: bytes) -> bool:
    return bytes(memoryview(raw)[:1]) == mark


def _input(joined: str) -> msgspec.Raw:
    """A tool's input as the model wrote it; cut off in the middle it is none, and the stop reason says so."""
    text = joined.encode()
    try:
        return msgspec.Raw(bytes(_ANYTHING.decode(text)))
    except (ValueError, RecursionError):
        return msgspec.Raw(b"{}")
