"""What the API answered, read just far enough to settle it, to label it and to know that it is whole.

Rule: pure. Anything that is no Messages API answer is a WireError that names the field, never content.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import WireError
from ..vocabulary import OutcomeKind, Reply
from .usage import UsageFields, usage_of

_KINDS = {
    "refusal": OutcomeKind.REFUSED,
    "max_tokens": OutcomeKind.CUT_AT_MAX_TOKENS,
    "model_context_window_exceeded": OutcomeKind.CONTEXT_EXCEEDED,
}
# Only a turn that ended by itself can be empty by mistake.
_MAY_BE_EMPTY = frozenset({"end_turn", None})


class ContentBlock(msgspec.Struct):
    """A block of an answer. What a type that we do not know keeps under our names is its own affair."""

    type: str
    text: Any = None
    to: Any = None  # of a `fallback` block: the model that answers from here on

    @property
    def says_something(self) -> bool:
        if self.type == "text":
            return isinstance(self.text, str) and bool(self.text) and not self.text.isspace()
        return self.type not in ("thinking", "redacted_thinking")


class MessageFields(msgspec.Struct):
    """A message of the API: what a valid one cannot do without."""

    type: str
    id: str
    model: str
    content: list[ContentBlock]
    usage: UsageFields
    stop_reason: str | None = None
    diagnostics: Any = None


class _ErrorFields(msgspec.Struct):
    type: str | None = None
    message: str | None = None
    details: Any = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorFields


_MESSAGE = msgspec.json.Decoder(MessageFields)
_ERROR = msgspec.json.Decoder(_ErrorBody)


def read_reply(body: bytes) -> Reply:
    """A whole answer. Raises WireError."""
    check_utf8(body)
    try:
        message = _MESSAGE.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"not a message of the API: {_shape(error)}") from None
    check_message(message)
    if message.usage.output_tokens is None:
        raise WireError("not a message of the API: usage.output_tokens is missing")
    for block in message.content:
        check_block(block)
    return Reply(
        usage=usage_of(message.usage),
        stop_reason=message.stop_reason,
        model=message.model,
        message_id=message.id,
        empty=not any(block.says_something for block in message.content),
        complete=True,
        **diagnosis(message.diagnostics),
    )


def diagnosis(diagnostics: Any) -> dict[str, Any]:
    """Why the prompt cache was missed, where the API was asked and says so; what is odd about it is no fault."""
    reason = diagnostics.get("cache_miss_reason") if isinstance(diagnostics, dict) else None
    if not isinstance(reason, dict) or not isinstance(reason.get("type"), str):
        return {}
    tokens = reason.get("cache_missed_input_tokens")
    return {"miss": reason["type"], "missed_tokens": tokens if type(tokens) is int and 0 <= tokens < 2**53 else 0}


def check_utf8(data: bytes) -> None:
    """The decoder passes over what it does not need without looking at its encoding."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            raise WireError("not UTF-8") from None


def check_message(message: MessageFields) -> None:
    if message.type != "message":
        raise WireError("not a message of the API: type")
    if not message.id or not message.model:
        raise WireError("not a message of the API: id or model is empty")
    if message.usage.input_tokens is None:
        raise WireError("not a message of the API: usage.input_tokens is missing")


def check_block(block: ContentBlock) -> None:
    if block.type == "text" and not isinstance(block.text, str):
        raise WireError("not a message of the API: a text block without its text")


def outcome_kind(reply: Reply) -> OutcomeKind:
    """How a complete message ended; a stop reason that we do not know yet is an answer."""
    kind = _KINDS.get(reply.stop_reason or "")
    if kind is not None:
        return kind
    return OutcomeKind.EMPTY if reply.empty and reply.stop_reason in _MAY_BE_EMPTY else OutcomeKind.ANSWERED


def read_error(body: bytes) -> tuple[str | None, str | None]:
    """The error's type and its code; neither, when the body is no error of the API."""
    found = _error(body)
    if found is None:
        return None, None
    code = found.details.get("error_code") if isinstance(found.details, dict) else None
    return found.type, code if isinstance(code, str) else None


def read_error_message(body: bytes) -> str | None:
    """The API's own words, for the caller who sent the request and for nobody else."""
    found = _error(body)
    return None if found is None else found.message


def with_router(body: bytes, router: bytes) -> bytes:
    """The message with `router` as its last key; every other byte as it came."""
    whole = body.rstrip()
    if not whole.endswith(b"}"):
        raise WireError("not a JSON object")
    inside = whole[:-1].rstrip()
    comma = b"" if inside == b"{" else b","
    return inside + comma + b'"router":' + router + b"}"


def _error(body: bytes) -> _ErrorFields | None:
    try:
        return _ERROR.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # a string that is not UTF-8 is the second
        return None


def _shape(error: Exception) -> str:
    """msgspec names the field and the types that it expected and found; anything else is no JSON."""
    return str(error) if isinstance(error, msgspec.ValidationError) else "no JSON"
