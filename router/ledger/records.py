"""What the ledger keeps, as bytes and back: the framing that lets a reader tell a whole record from a torn one.

Rule: pure. A record is a mark that tells its kind, the payload's length, its CRC-32 and the payload in
MessagePack, by field name, so that a later version still reads it. A mark holds bytes that no UTF-8 text
can hold: whatever a user calls himself, it never looks like the start of a record.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, TypeVar

import msgspec

from ..vocabulary import Audit, Decided, LedgerRow, Observed

Note = Decided | Audit | Observed
Record = LedgerRow | Decided | Audit | Observed
Kept = TypeVar("Kept", bound=Record)

MARK = b"\xff\xfeTW"
BEGINNING = MARK[:3]  # of every mark
MARKS: dict[type[Any], bytes] = {
    LedgerRow: MARK,
    Decided: b"\xff\xfeTD",
    Audit: b"\xff\xfeTA",
    Observed: b"\xff\xfeTO",
}
INTENT = "intent"  # LedgerRow.billed of an attempt that has not ended
INTEGER_MAX = 2**63 - 1  # SQLite's, and Postgres's bigint
PAYLOAD_MAX_BYTES = 64 * 1024
TEXT_MAX_CHARS = 256  # of one field, and only in a row that would be longer than PAYLOAD_MAX_BYTES
OUT_OF_RANGE = "a figure was out of range"

_HEAD = struct.Struct("<4sII")
_encode = msgspec.msgpack.Encoder().encode
_DECODERS = {mark: msgspec.msgpack.Decoder(kind).decode for kind, mark in MARKS.items()}


def pack(record: Kept) -> tuple[Kept, bytes]:
    """What can be stored of it (nearly always itself), and its bytes."""
    try:
        payload = _encode(record)
    except (UnicodeEncodeError, OverflowError):
        record = _plain(record)
        payload = _encode(record)
    if len(payload) > PAYLOAD_MAX_BYTES:
        record = _short(record)
        payload = _encode(record)
    return record, _HEAD.pack(MARKS[type(record)], len(payload), zlib.crc32(payload)) + payload


def unpack(data: bytes) -> tuple[list[Record], int]:
    """Every whole record of a segment, and how many bytes in it are damaged.

    An unfinished record at the very end is no damage: nobody was ever told that it was written.
    """
    rows: list[Record] = []
    damaged_bytes = 0
    at = good_until = 0
    while at < len(data):
        row, end = _record(data, at)
        if row is None:
            found = data.find(BEGINNING, at + 1)
            at = len(data) if found < 0 else found
            continue
        damaged_bytes += at - good_until
        rows.append(row)
        at = good_until = end
    if not _is_unfinished(data[good_until:]):
        damaged_bytes += len(data) - good_until
    return rows, damaged_bytes


def storable(row: LedgerRow, text_max_chars: int | None = None) -> LedgerRow:
    """The row with what no database takes written differently: lone surrogates and huge integers."""
    changes: dict[str, object] = {}
    out_of_range = False
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, str):
            changes[name] = value[:text_max_chars].encode("utf-8", "backslashreplace").decode()
        elif isinstance(value, int) and abs(value) > INTEGER_MAX:
            changes[name] = INTEGER_MAX if value > 0 else -INTEGER_MAX
            out_of_range = True
    if out_of_range:
        changes["cost_note"] = OUT_OF_RANGE
    return msgspec.structs.replace(row, **changes)


def latest(rows: list[LedgerRow]) -> dict[str, LedgerRow]:
    """One row an attempt: how it ended, where that is known, else its intent."""
    by_attempt: dict[str, LedgerRow] = {}
    for row in rows:
        if row.billed == INTENT:
            by_attempt.setdefault(row.attempt_id, row)
        else:
            by_attempt[row.attempt_id] = row
    return by_attempt


def _plain(record: Any) -> Any:
    """With what no encoding takes written differently."""
    if isinstance(record, LedgerRow):
        return storable(record)
    return msgspec.convert(_spelt(msgspec.to_builtins(record)), type(record))


def _spelt(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int() if abs(value) > INTEGER_MAX:
            return INTEGER_MAX if value > 0 else -INTEGER_MAX
        case dict():
            return {_spelt(name): _spelt(child) for name, child in value.items()}
        case list() | tuple():
            return [_spelt(child) for child in value]
        case _:
            return value


def _short(record: Any) -> Any:
    """Without what can be long: that it was decided, or changed, is worth more than every word of it."""
    match record:
        case LedgerRow():
            return storable(record, TEXT_MAX_CHARS)
        case Decided(reason=reason):
            return msgspec.structs.replace(record, headers=(), texts=(), edits=(), reason=reason[:TEXT_MAX_CHARS])
        case Audit(diff=diff, detail=detail):
            kept = PAYLOAD_MAX_BYTES // 16
            return msgspec.structs.replace(record, diff=diff[:kept], detail=detail[:kept])
        case Observed(request_id=request_id, task=task):
            return msgspec.structs.replace(record, request_id=request_id[:TEXT_MAX_CHARS], task=task[:TEXT_MAX_CHARS])


def _record(data: bytes, at: int) -> tuple[Record | None, int]:
    """The record that begins here and where it ends, or None."""
    start = at + _HEAD.size
    if len(data) < start:
        return None, at
    mark, length, checksum = _HEAD.unpack_from(data, at)
    payload = data[start : start + length] if length <= PAYLOAD_MAX_BYTES else b""
    if mark not in _DECODERS or len(payload) != length or zlib.crc32(payload) != checksum:
        return None, at
    try:
        return _DECODERS[mark](payload), start + length
    except msgspec.MsgspecError:
        return None, at


def _is_unfinished(tail: bytes) -> bool:
    """Whether this is nothing, or the beginning of a record that was never finished."""
    if len(tail) < _HEAD.size:
        return any(tail[: len(mark)] == mark[: len(tail)] for mark in _DECODERS)
    mark, length, _ = _HEAD.unpack_from(tail)
    return bool(mark in _DECODERS and len(tail) - _HEAD.size < length <= PAYLOAD_MAX_BYTES)
