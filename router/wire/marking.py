"""Setting cache marks in a body: each mark is bytes put into one block, and every other byte stays as it came.

Rule: pure. A text that is to carry a mark becomes a list of one block of text, which the API takes for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ..vocabulary import Edit, Mark
from ..vocabulary.prefix import SYSTEM, TOOLS, WHOLE

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONTROL = {"5m": b'{"type":"ephemeral"}', "1h": b'{"type":"ephemeral","ttl":"1h"}'}


def mark_edits(fields: Mapping[str, msgspec.Raw], marks: Sequence[Mark]) -> tuple[Edit, ...]:
    """One edit for each of tools, system and messages that gets a mark."""
    edits = []
    for key, wanted in (
        ("tools", [mark for mark in marks if mark.turn == TOOLS]),
        ("system", [mark for mark in marks if mark.turn == SYSTEM]),
        ("messages", [mark for mark in marks if mark.turn >= 0]),
    ):
        if wanted:
            raw = fields[key]
            value = _turns(raw, wanted) if key == "messages" else _content(raw, {m.block: m.ttl for m in wanted})
            edits.append(Edit(key=key, value=msgspec.Raw(value), why=_why(wanted)))
    return tuple(edits)


def _why(marks: Sequence[Mark]) -> str:
    many = "a cache mark" if len(marks) == 1 else f"{len(marks)} cache marks"
    return f"{many}: " + ", ".join(f"{mark.ttl} after about {mark.tokens} tokens" for mark in marks)


def _turns(raw: msgspec.Raw, marks: Iterable[Mark]) -> bytes:
    turns: list[bytes | memoryview] = [memoryview(turn) for turn in _ELEMENTS.decode(raw)]
    by_turn: dict[int, dict[int, str]] = {}
    for mark in marks:
        by_turn.setdefault(mark.turn, {})[mark.block] = mark.ttl
    for number, wanted in by_turn.items():
        turn = _OBJECT.decode(turns[number])
        turn["content"] = msgspec.Raw(_content(turn["content"], wanted))
        turns[number] = msgspec.json.encode(turn)
    return _list(turns)


def _content(raw: msgspec.Raw, wanted: Mapping[int, str]) -> bytes:
    """A list of blocks (or a bare text) with marks at these places."""
    if WHOLE in wanted:
        return b'[{"type":"text","text":%b,"cache_control":%b}]' % (bytes(raw), _CONTROL[wanted[WHOLE]])
    blocks: list[bytes | memoryview] = [memoryview(block) for block in _ELEMENTS.decode(raw)]
    for number, ttl in wanted.items():
        blocks[number] = _marked(bytes(blocks[number]), ttl)
    return _list(blocks)


def _marked(block: bytes, ttl: str) -> bytes:
    if b'"cache_control"' in block:  # null, or a part's own
        found = _OBJECT.decode(block)
        found["cache_control"] = msgspec.Raw(_CONTROL[ttl])
        return msgspec.json.encode(found)
    return b'%b,"cache_control":%b}' % (block.rstrip()[:-1].rstrip(), _CONTROL[ttl])


def _list(elements: Sequence[bytes | memoryview]) -> bytes:
    return b"[%b]" % b",".join(elements)
