"""A state machine over a stream's events: what has come, is it in order, is it whole?

Rule: pure. Unknown events, blocks and deltas pass; what breaks the order that every client relies on
is a WireError. One small typed decode an event.
"""

from __future__ import annotations

import msgspec

from ..errors import WireError
from ..vocabulary import Reply
from .reply import ContentBlock, MessageFields, check_message
from .sse import parse
from .usage import UsageFields, merged, usage_of


class _Delta(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int | None = None
    message: MessageFields | None = None
    content_block: ContentBlock | None = None
    delta: _Delta | None = None
    usage: UsageFields | None = None


_EVENT = msgspec.json.Decoder(_Event)


class Reading:
    """What has been read of a stream so far."""

    def __init__(self) -> None:
        self.started = False
        self.content_seen = False
        self.complete = False
        self.error_seen = False
        self.error_data: bytes | None = None
        self.streamed_bytes = 0
        self._message: MessageFields | None = None
        self._usage = UsageFields()
        self._stop_reason: str | None = None
        self._blocks = 0
        self._open: int | None = None
        self._says_something = False

    def observe(self, frame: bytes) -> None:
        """Take one event in. Raises WireError when it is no event, or out of order."""
        name, data = parse(frame)
        if not data:
            return
        if self.complete or self.error_seen:
            raise WireError("an event after the end of the stream")
        if name == "error":
            self.error_seen, self.error_data = True, data
            return
        event = _decoded(data)
        step = _STEPS.get(event.type)
        if step is None:
            if event.type == "error":
                self.error_seen, self.error_data = True, data
            return
        if not self.started and event.type != "message_start":
            raise WireError(f"{event.type} before message_start")
        step(self, event)

    def reply(self) -> Reply:
        """As far as it got."""
        message = self._message
        return Reply(
            usage=usage_of(self._usage),
            stop_reason=self._stop_reason,
            model=message.model if message is not None else "",
            message_id=message.id if message is not None else "",
            empty=not self._says_something,
            complete=self.complete,
        )

    def _start(self, event: _Event) -> None:
        if self.started or event.message is None:
            raise WireError("a second message_start, or one without a message")
        check_message(event.message)
        usage_of(event.message.usage)
        self.started = True
        self._message = event.message
        self._usage = event.message.usage

    def _block_start(self, event: _Event) -> None:
        if self._open is not None or event.index != self._blocks or event.content_block is None:
            raise WireError("a content block out of order")
        self._open = event.index
        self._blocks += 1
        self._says_something = self._says_something or event.content_block.says_something

    def _block_delta(self, event: _Event) -> None:
        delta = event.delta
        if self._open is None or event.index != self._open or delta is None:
            raise WireError("a delta outside its content block")
        self.content_seen = True
        piece = delta.text or delta.thinking or delta.partial_json
        if piece:
            self.streamed_bytes += len(piece) if piece.isascii() else len(piece.encode("utf-8", "replace"))
            if delta.text and not self._says_something:
                self._says_something = not delta.text.isspace()

    def _block_stop(self, event: _Event) -> None:
        if self._open is None or event.index != self._open:
            raise WireError("the end of a content block that is not open")
        self._open = None

    def _message_delta(self, event: _Event) -> None:
        if self._open is not None:
            raise WireError("message_delta inside a content block")
        if event.usage is not None:
            self._usage = merged(self._usage, event.usage)
            usage_of(self._usage)
        if event.delta is not None and event.delta.stop_reason is not None:
            self._stop_reason = event.delta.stop_reason

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


def _decoded(data: bytes) -> _Event:
    try:
        return _EVENT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError("an event that is no JSON object with a type") from None
