"""A run of events put together as the whole message that the API would have sent without streaming.

Rule: pure. Fields that we do not know are kept as the bytes that came; deltas that we do not know are
passed over, as every client does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import WireError
from .sse import Splitter, parse

_APPENDED = {"text_delta": "text", "thinking_delta": "thinking"}


class Assembler:
    """Collects events; `message` gives the body."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: list[dict[str, Any]] = []
        self._pieces: list[list[str]] = []  # of each block's text, thinking or tool input

    def add_all(self, run: bytes) -> None:
        """Take a run of whole events in."""
        for frame in Splitter().feed(run):
            self.add(frame)

    def add(self, frame: bytes) -> None:
        """Take one event in."""
        _, data = parse(frame)
        if not data:
            return
        event = msgspec.json.decode(data)
        match event["type"]:
            case "message_start":
                self._message = event["message"]
            case "content_block_start":
                self._blocks.append(event["content_block"])
                self._pieces.append([])
            case "content_block_delta":
                self._delta(event["index"], event["delta"])
            case "message_delta":
                self._ending(event)

    def message(self) -> bytes:
        """The whole message. Raises WireError when there was none."""
        if not self._message:
            raise WireError("no message_start")
        content = [_finished(block, pieces) for block, pieces in zip(self._blocks, self._pieces, strict=True)]
        return msgspec.json.encode({**self._message, "content": content})

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block, kind = self._blocks[index], delta.get("type", "")
        if kind in _APPENDED:
            self._pieces[index].append(delta[_APPENDED[kind]])
        elif kind == "input_json_delta":
            self._pieces[index].append(delta["partial_json"])
        elif kind == "signature_delta":
            block["signature"] = delta["signature"]
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]

    def _ending(self, event: dict[str, Any]) -> None:
        self._message |= event.get("delta") or {}
        usage = {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
        self._message["usage"] = {**self._message.get("usage", {}), **usage}
        others = {name: value for name, value in event.items() if name not in ("type", "delta", "usage")}
        self._message |= others


def _finished(block: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
    if not pieces:
        return block
    joined = "".join(pieces)
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": block.get("text", "") + joined}
    if kind == "thinking":
        return {**block, "thinking": block.get("thinking", "") + joined}
    return {**block, "input": msgspec.Raw(joined.encode() or b"{}")}
