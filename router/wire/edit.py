"""Changing a body: only the top-level keys that an edit names; every other value is the bytes that came.

Rule: pure. With nothing to change, the very object that came goes out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..vocabulary import Ask, Door, Edit

_ENCODER = msgspec.json.Encoder()


def apply(ask: Ask, edits: Iterable[Edit]) -> bytes:
    """The body to send."""
    fields = dict(ask.fields)
    changed = not _is_messages_body(ask)
    for edit in edits:
        there = fields.get(edit.key)
        if edit.value is None:
            changed = fields.pop(edit.key, None) is not None or changed
        elif there is None or memoryview(there) != memoryview(edit.value):
            fields[edit.key] = edit.value
            changed = True
    return _ENCODER.encode(fields) if changed else ask.raw


def _is_messages_body(ask: Ask) -> bool:
    """Whether the body that came can go out: no short form, and no word in it for us alone."""
    return ask.door is Door.MESSAGES or not (ask.short_form or b'"router"' in ask.raw)
