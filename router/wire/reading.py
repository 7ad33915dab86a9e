"""A state machine over a stream's events: what has come, is it in order, is it whole?

Rule: pure. Unknown events, blocks and deltas pass; what breaks the order that every client relies on
is a WireError. One small typed decode an event.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import WireError
from ..vocabulary import Reply
from .reply import ContentBlock, MessageFields, check_block, check_message, check_utf8, diagnosis
from .sse import parse
from .usage import UsageFields, merged, usage_of

# A delta's type, and the string that it must bring.
_PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "signature_delta": "signature",
}


class _Delta(msgspec.Struct):
    """What a type that we do not know keeps under our names is its own affair, so all is Any."""

    type: str = ""
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    signature: Any = None
    stop_reason: Any = None


class _Named(msgspec.Struct):
    type: str


class _Event(msgspec.Struct):
    type: str
    index: int | None = None
    message: MessageFields | None = None
    content_block: ContentBlock | None = None
    delta: _Delta | None = None
    usage: UsageFields | None = None


_EVENT = msgspec.json.Decoder(_Event)
_NAMED = msgspec.json.Decoder(_Named)


class Reading:
    """What has been read of a stream so far."""

    def __init__(self) -> None:
        self.started = False
        self.begun = False
        self.content_seen = False
        self.complete = False
        self.error_seen = False
        self.error_data: bytes | None = None
        self.streamed_bytes = 0
        self._message_id = ""
        self._model = ""
        self._usage = UsageFields()
        self._stop_reason: str | None = None
        self._blocks = 0
        self._open: int | None = None
        self._says_something = False
        self._diagnosis: dict[str, Any] = {}

    def observe(self, frame: bytes) -> None:
        """Take one event in. Raises WireError when it is no event, or out of order."""
        name, data = parse(frame)
        if not data:
            return
        if name == "error":
            self._error(data)
            return
        event = _decoded(data)
        step = _STEPS.get(event.type)
        if event.type == "error":
            self._error(data)
        elif step is not None:
            if name != event.type:
                raise WireError(f"a {event.type} under another name: clients go by either")
            self._check_place(event.type)
            step(self, event)
        elif name in _STEPS:
            raise WireError(f"a {name} that is none")

    def reply(self) -> Reply:
        """As far as it got."""
        return Reply(
            usage=usage_of(self._usage),
            stop_reason=self._stop_reason,
            model=self._model,
            message_id=self._message_id,
            empty=not self._says_something,
            complete=self.complete,
            **self._diagnosis,
        )

    def _check_place(self, kind: str) -> None:
        if self.complete or self.error_seen:
            raise WireError(f"{kind} after the end of the stream")
        if not self.started and kind != "message_start":
            raise WireError(f"{kind} before message_start")

    def _error(self, data: bytes) -> None:
        if self.complete or self.error_seen:
            raise WireError("an error after the end of the stream")
        self.error_seen, self.error_data = True, data

    def _start(self, event: _Event) -> None:
        message = event.message
        if self.started or message is None or message.content:
            raise WireError("a second message_start, or one without an empty message")
        check_message(message)
        usage_of(message.usage)
        self.started = True
        self._message_id, self._model, self._usage = message.id, message.model, message.usage
        self._diagnosis = diagnosis(message.diagnostics)

    def _block_start(self, event: _Event) -> None:
        self.begun = True
        block = event.content_block
        if self._open is not None or event.index != self._blocks or block is None:
            raise WireError("a content block out of order")
        check_block(block)
        self._open = event.index
        self._blocks += 1
        self._says_something = self._says_something or block.says_something
        self._model = model_after(block) or self._model

    def _block_delta(self, event: _Event) -> None:
        delta = event.delta
        if self._open is None or event.index != self._open or delta is None:
            raise WireError("a delta outside its content block")
        self.content_seen = True
        attribute = _PIECES.get(delta.type)
        if attribute is None:
            return
        piece = getattr(delta, attribute)
        if not isinstance(piece, str):
            raise WireError(f"{delta.type} without its text")
        if attribute == "signature":
            return
        self.streamed_bytes += len(piece) if piece.isascii() else len(piece.encode())
        if not self._says_something and attribute == "text" and piece:
            self._says_something = not piece.isspace()

    def _block_stop(self, event: _Event) -> None:
        if self._open is None or event.index != self._open:
            raise WireError("the end of a content block that is not open")
        self._open = None

    def _message_delta(self, event: _Event) -> None:
        if self._open is not None:
            raise WireError("message_delta inside a content block")
        if event.usage is not None:
            usage = merged(self._usage, event.usage)
            usage_of(usage)
            self._usage = usage
        stop_reason = None if event.delta is None else event.delta.stop_reason
        if stop_reason is not None:
            if not isinstance(stop_reason, str):
                raise WireError("message_delta: stop_reason is no string")
            self._stop_reason = stop_reason

    def _stop(self, _event: _Event) -> None:
        if self._open is not None or self._stop_reason is None:
            raise WireError("message_stop before the message was whole")
        self.complete = True


_STEPS = {
    "message_start": Reading._start,
    "content_block_start": Reading._block_start,
    "content_block_delta": Reading._block_delta,
    "content_block_stop": Reading._block_stop,
    "message_delta": Reading._message_delta,
    "message_stop": Reading._stop,
}


def model_after(block: ContentBlock) -> str | None:
    """The model that a `fallback` block hands over to."""
    if block.type != "fallback" or not isinstance(block.to, dict):
        return None
    model = block.to.get("model")
    return model if isinstance(model, str) else None


def _decoded(data: bytes) -> _Event:
    check_utf8(data)
    try:
        return _EVENT.decode(data)
    except msgspec.ValidationError:
        return _unknown(data)
    except (msgspec.DecodeError, RecursionError):
        raise WireError("an event that is no JSON") from None


def _unknown(data: bytes) -> _Event:
    """An event that we do not know may use our names for other things."""
    try:
        named = _NAMED.decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise WireError("an event that is no JSON object with a type") from None
    if named.type in _STEPS:
        raise WireError(f"a {named.type} with a field of the wrong type")
    return _Event(type=named.type)
