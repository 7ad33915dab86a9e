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
    edits = tuple(edits)
    if not edits and ask.door is Door.MESSAGES:
        return ask.raw
    fields = dict(ask.fields)
    for edit in edits:
        if edit.value is None:
            fields.pop(edit.key, None)
        else:
            fields[edit.key] = edit.value
    return _ENCODER.encode(fields)
