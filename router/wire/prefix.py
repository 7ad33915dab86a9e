"""A body as the prompt cache sees it: a row of blocks, each known by the digest of all that leads up to it.

Rule: pure, and no text is kept. Cache marks are no part of what is cached, so a digest leaves them out. The
digests are Python's own: fast, seeded anew in every process, and good for nothing but telling same from other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ..vocabulary import Facts, Path, Spot
from ..vocabulary.prefix import SYSTEM, TOOLS, WHOLE

HEAD_MAX = 64  # blocks of tools and system that are told apart
INNER_MAX = 8  # of the tools, and of the blocks of system: the last ones can end a prefix
TURNS_MAX = 12  # of the user's earlier turns, the newest: the cache looks back over 20 blocks
DOCUMENT_BYTES = 1024  # a shorter block inside a turn is no document
USUAL_MEDIA_TOKENS = 1_250
SLICE_BYTES, SLICES_MAX = 32, 1_024

_TEXT = b'{"type":"text","text":'
_KIND = re.compile(rb'\{\s*"type"\s*:\s*"([a-z_]+)"')
_EMPTY = re.compile(rb'"text"\s*:\s*"\s*"')
_MARK = re.compile(rb'\s*,\s*"cache_control"\s*:\s*\{[^{}]*\}|"cache_control"\s*:\s*\{[^{}]*\}\s*,\s*')
_MARKABLE = frozenset({b"text", b"image", b"document", b"tool_use", b"tool_result"})
_MEDIA = frozenset({b"image", b"document"})


class _Turn(msgspec.Struct):
    role: str
    content: msgspec.Raw


class _Control(msgspec.Struct):
    ttl: str | None = None


class _Marked(msgspec.Struct):
    type: str = ""
    cache_control: _Control | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")


_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_TURNS = msgspec.json.Decoder(list[_Turn])
_MARKED = msgspec.json.Decoder(_Marked)
_INNER = msgspec.json.Decoder(list[_Marked])
_CONTROL = msgspec.json.Decoder(_Control | None)


def read_path(fields: Mapping[str, msgspec.Raw], facts: Facts, *, varies_last: bool = False) -> Path | None:
    """None for a body that is not understood well enough to be marked.

    `varies_last`: the last block of system is known to be another one in each call.
    """
    try:
        return _Row(facts).read(fields, varies_last)
    except (msgspec.DecodeError, RecursionError):
        return None


def block_of_head(fields: Mapping[str, msgspec.Raw], number: int) -> bytes:
    """One block of tools and system, by its place in the row; empty where there is none."""
    tools = _ELEMENTS.decode(fields["tools"]) if "tools" in fields else []
    system = _blocks(fields["system"]) if "system" in fields else []
    head = [*tools, *system]
    return bytes(memoryview(head[number])) if number < len(head) else b""


def slices(block: bytes) -> tuple[int, ...]:
    """Digests of its short slices, from the start: enough to see where two blocks part, and nothing to read."""
    ends = range(0, min(len(block), SLICE_BYTES * SLICES_MAX), SLICE_BYTES)
    return tuple(hash(block[at : at + SLICE_BYTES]) for at in ends)


class _Row:
    """The walk over the blocks, in the order in which they are cached."""

    def __init__(self, facts: Facts) -> None:
        self._own_marks = facts.marks
        self._media = facts.image_count > 0 or facts.document_count > 0
        self._index = -1
        self._digest = 0
        self._bytes = 0
        self._media_tokens = 0
        self._head: list[int] = []
        self._spots: list[Spot] = []

    def read(self, fields: Mapping[str, msgspec.Raw], varies_last: bool) -> Path:
        tools = _ELEMENTS.decode(fields["tools"]) if "tools" in fields else []
        system = _blocks(fields["system"]) if "system" in fields else []
        self._top(tools, TOOLS, "tools", end=len(tools) - 1)
        self._top(system, SYSTEM, "system", end=len(system) - (2 if varies_last else 1))
        turns = _TURNS.decode(fields["messages"])
        self._turns(turns)
        control = _CONTROL.decode(fields["cache_control"]) if "cache_control" in fields else None
        return Path(
            blocks=self._index + 1,
            spots=tuple(self._spots),
            head=tuple(self._head),
            shape=f"{len(tools)} tools, {len(system)} system",
            marks=self._own_marks,
            automatic=None if control is None else control.ttl or "5m",
        )

    def _top(self, blocks: list[msgspec.Raw], place: int, kind: str, end: int) -> None:
        """Tools or system; `end` is the block that the stable part ends with."""
        bare = place == SYSTEM and blocks != [] and _is_text(blocks[0])
        for number, raw in enumerate(blocks):
            data = bytes(memoryview(raw))
            own = self._step(data, kind)
            if len(self._head) < HEAD_MAX:
                self._head.append(own)
            if number > len(blocks) - 1 - INNER_MAX or self._is_marked(data):
                self._spot(data, kind if number == end else "head", place, WHOLE if bare else number)

    def _turns(self, turns: list[_Turn]) -> None:
        newest = len(turns) - 1
        final = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=newest)
        for number, turn in enumerate(turns):
            blocks = [bytes(memoryview(raw)) for raw in _blocks(turn.content)]
            kinds = self._kinds(turn.role, blocks, number, final)
            bare = _is_text(turn.content)
            for at, data in enumerate(blocks):
                self._step(data, turn.role)
                if at in kinds or self._is_marked(data):
                    self._spot(data, kinds.get(at, "turn"), number, WHOLE if bare else at)

    def _kinds(self, role: str, blocks: list[bytes], number: int, final: int) -> dict[int, str]:
        """The blocks of a turn where a mark may be worth it, each with what it is."""
        if not blocks:
            return {}
        kinds: dict[int, str] = {}
        last = len(blocks) - 1
        if number in (0, final):
            documents = [at for at in range(last) if len(blocks[at]) >= DOCUMENT_BYTES]
            kinds = dict.fromkeys(documents, "part") | dict.fromkeys(documents[-1:], "document")
        if number == final:
            kinds[last] = self._end(blocks[last], final)
        elif number == final - 1:
            kinds |= {0: "step", last: "history"}
        elif role == "user" and (number == 0 or number >= final - 2 * TURNS_MAX):
            kinds[last] = "turn"
        return kinds

    def _end(self, data: bytes, final: int) -> str:
        if final == 0:
            return "end:first"
        return "end:tool" if _kind_of(data) == b"tool_result" else "end:later"

    def _step(self, data: bytes, level: str) -> int:
        """One block further; its own digest."""
        if data[:1] == b'"':
            own = hash(b"%b%b}" % (_TEXT, data))  # the API takes a bare text for one block of text
        elif self._is_marked(data):
            own = hash(_MARK.sub(b"", data))
        else:
            own = hash(data)
        self._digest = hash((self._digest, level, own))
        self._index += 1
        if self._media and len(data) > DOCUMENT_BYTES and _kind_of(data) in _MEDIA and b'"base64"' in data[:512]:
            self._media_tokens += USUAL_MEDIA_TOKENS
        else:
            self._bytes += len(data)
        return own

    def _spot(self, data: bytes, kind: str, turn: int, block: int) -> None:
        self._spots.append(
            Spot(
                index=self._index,
                digest=self._digest,
                text_bytes=self._bytes,
                media_tokens=self._media_tokens,
                kind=kind,
                turn=turn,
                block=block,
                markable=_takes_a_mark(data, turn),
                own=_own_mark(data) if self._is_marked(data) else None,
            )
        )

    def _is_marked(self, data: bytes) -> bool:
        return self._own_marks > 0 and b'"cache_control"' in data


def _is_text(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b'"'


def _blocks(content: msgspec.Raw) -> list[msgspec.Raw]:
    return [content] if _is_text(content) else _ELEMENTS.decode(content)


def _kind_of(data: bytes) -> bytes:
    if data[:1] == b'"':
        return b"text"
    found = _KIND.match(data, 0, 64)
    return found[1] if found else _MARKED.decode(data).type.encode()


def _takes_a_mark(data: bytes, turn: int) -> bool:
    """On any doubt none: a wrong mark is a 400 that the caller never asked for."""
    if data[:1] == b'"':
        return bool(data[:64].strip(b'" '))
    if turn == TOOLS:
        return b'"input_schema"' in data and b'"defer_loading"' not in data
    kind = _kind_of(data)
    if kind not in _MARKABLE or (turn == SYSTEM and kind != b"text"):
        return False
    return kind != b"text" or _EMPTY.search(data, 0, 4096) is None


def _own_mark(data: bytes) -> str | None:
    """The lifetime that the caller asked for here; in a tool result also by a mark on a part of it."""
    block = _MARKED.decode(data)
    if block.cache_control is not None:
        return block.cache_control.ttl or "5m"
    if block.type == "tool_result" and bytes(memoryview(block.content)[:1]) == b"[":
        inner = [part.cache_control for part in _INNER.decode(block.content) if part.cache_control is not None]
        return inner[0].ttl or "5m" if inner else None
    return None
