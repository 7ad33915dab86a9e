"""What came back, as an answer that can be kept: from the pipeline's own body, or from an item of a batch.

Rule: pure. The text is all text of the message, in order; thinking is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from router.decide.policy import Rulebook
from router.decide.price import cost
from router.vocabulary import PICO_PER_USD, Usage
from router.wire.reply import read_reply

from .vocabulary import Answered


class _Block(msgspec.Struct):
    type: str
    text: Any = ""
    name: Any = ""
    input: Any = None


class _Message(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None


class _Timing(msgspec.Struct):
    model_ms: int | None = None


class Receipt(msgspec.Struct):
    """Of the `router` object, what an eval looks at."""

    model: str
    tier: str | None
    served_by: str
    outcome: str
    cost_usd: Decimal
    usage: Usage
    timing: _Timing

    @property
    def cost_pico(self) -> int:
        return int(self.cost_usd * PICO_PER_USD)


class _Served(msgspec.Struct):
    router: Receipt


_MESSAGE = msgspec.json.Decoder(_Message)
_SERVED = msgspec.json.Decoder(_Served)


def receipt_of(body: bytes) -> Receipt:
    return _SERVED.decode(body).router


def of_served(key: str, body: bytes, receipt: Receipt, at_ms: int) -> Answered:
    """An answer of /complete, as the pipeline gave it: the cost is of every attempt that it took."""
    message = _MESSAGE.decode(body)
    return Answered(
        key=key,
        model=receipt.model,
        text=_text(message),
        stop_reason=message.stop_reason,
        tool_calls=_tool_calls(message),
        usage=receipt.usage,
        cost_pico=receipt.cost_pico,
        latency_ms=receipt.timing.model_ms or 0,
        at_ms=at_ms,
    )


def of_batch(key: str, body: bytes, model: str, rules: Rulebook, at_ms: int) -> Answered:
    """A message out of a batch, at the batch's price. Raises WireError for what is no message."""
    reply = read_reply(body)
    message = _MESSAGE.decode(body)
    billed = reply.model if reply.model in rules.prices.by_model else model
    return Answered(
        key=key,
        model=reply.model,
        text=_text(message),
        stop_reason=message.stop_reason,
        tool_calls=_tool_calls(message),
        usage=reply.usage,
        cost_pico=cost(reply.usage, billed, rules.prices, at_ms, batch=True).pico,
        at_ms=at_ms,
        batch=True,
    )


def _text(message: _Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text" and isinstance(block.text, str))


def _tool_calls(message: _Message) -> tuple[Mapping[str, Any], ...]:
    return tuple({"name": block.name, "input": block.input} for block in message.content if block.type == "tool_use")
