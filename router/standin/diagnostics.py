"""Cache diagnostics: where a prompt first differs from that of an earlier message, and what that cost.

Rule: no clock and no IO. Fingerprints are kept only of requests that asked for them, and not for ever.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from .cache import Position

Json = dict[str, Any]
KEPT = 10_000


class Prompt(msgspec.Struct, frozen=True):
    """A prompt as far as it is compared: its rows, by level."""

    namespace: str  # workspace, model and speed
    workspace: str
    tools: tuple[Position, ...]
    system: tuple[Position, ...]
    messages: tuple[Position, ...]


def prompt(namespace: str, workspace: str, levels: Sequence[str], row: Sequence[Position]) -> Prompt:
    by_level: dict[str, list[Position]] = {"tools": [], "system": [], "messages": []}
    for level, position in zip(levels, row, strict=True):
        by_level[level].append(position)
    tools, system, messages = (tuple(by_level[name]) for name in ("tools", "system", "messages"))
    return Prompt(namespace, workspace, tools, system, messages)


class Diagnostics:
    """The prompts of the messages that were answered last."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Prompt] = OrderedDict()

    def keep(self, message_id: str, one: Prompt) -> None:
        self._prompts[message_id] = one
        if len(self._prompts) > KEPT:
            self._prompts.popitem(last=False)

    def compare(self, previous_id: str | None, now: Prompt) -> Json | None:
        """`diagnostics` as a message carries it."""
        if previous_id is None:
            return None
        before = self._prompts.get(previous_id)
        if before is None or before.workspace != now.workspace:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        whole = sum(block.tokens for level in (before.tools, before.system, before.messages) for block in level)
        if before.namespace != now.namespace:
            return _reason("model_changed", whole)
        if _digests(before.tools) != _digests(now.tools):
            return _reason("tools_changed", whole)
        after_tools = whole - sum(block.tokens for block in before.tools)
        if _digests(before.system) != _digests(now.system):
            return _reason("system_changed", after_tools)
        same = sum(1 for old, new in zip(before.messages, now.messages, strict=False) if old.digest == new.digest)
        if same == len(before.messages):
            return None
        return _reason("messages_changed", sum(block.tokens for block in before.messages[same:]))


def _digests(row: tuple[Position, ...]) -> list[bytes]:
    return [block.digest for block in row]


def _reason(kind: str, tokens: int) -> Json:
    return {"cache_miss_reason": {"type": kind, "cache_missed_input_tokens": tokens}}
