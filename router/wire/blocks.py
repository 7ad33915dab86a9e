"""The blocks of a conversation as decisions count them: kinds and cache marks, never text.

Rule: pure. Only what is counted is built; unknown fields and unknown block types pass unseen.
"""

from __future__ import annotations

import msgspec

from .fields import typed


class Mark(msgspec.Struct):
    ttl: str | None = None


class Inner(msgspec.Struct):
    """A block inside a tool result."""

    type: str = ""
    cache_control: Mark | None = None
    source: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Block(msgspec.Struct):
    type: str = ""
    cache_control: Mark | None = None
    source: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # of an image or a document
    content: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # looked into only where it is a tool result's


class Turn(msgspec.Struct):
    role: str
    content: str | list[Block]


class Tool(msgspec.Struct):
    cache_control: Mark | None = None


class _Typed(msgspec.Struct):
    type: str | None = None


MEDIA = frozenset({"image", "document"})
TURNS = msgspec.json.Decoder(list[Turn])
SYSTEM = msgspec.json.Decoder(str | list[Block])
TOOLS = msgspec.json.Decoder(list[Tool])
MARK = msgspec.json.Decoder(Mark | None)
_TYPED = msgspec.json.Decoder(_Typed)
_INNER = msgspec.json.Decoder(list[Inner])


class Tally:
    """Counts what it is shown, in the order in which the API reads a body: tools, system, turns."""

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.ttls: list[str] = []
        self.media_bytes = 0

    def tools(self, tools: list[Tool]) -> None:
        for tool in tools:
            self.mark(tool.cache_control)

    def system(self, system: str | list[Block]) -> None:
        if isinstance(system, list):
            for block in system:
                self.mark(block.cache_control)

    def turns(self, turns: list[Turn]) -> None:
        for number, turn in enumerate(turns):
            if isinstance(turn.content, list):
                self._blocks(turn.content, number)

    def mark(self, mark: Mark | None) -> None:
        if mark is not None:
            self.ttls.append(mark.ttl or "5m")

    def _blocks(self, blocks: list[Block], turn: int) -> None:
        kinds = self.kinds
        for number, block in enumerate(blocks):
            kinds[block.type] = kinds.get(block.type, 0) + 1
            self._media(block)
            if block.type == "tool_result":
                self._result(block, turn, number)
            if block.cache_control is not None:
                self.mark(block.cache_control)

    def _result(self, block: Block, turn: int, number: int) -> None:
        if not isinstance(block.content, msgspec.Raw) or bytes(memoryview(block.content)[:1]) != b"[":
            return
        for inner in typed(_INNER, block.content, f"messages[{turn}].content[{number}].content"):
            self.kinds[inner.type] = self.kinds.get(inner.type, 0) + 1
            self._media(inner)
            self.mark(inner.cache_control)

    def _media(self, block: Block | Inner) -> None:
        """Only encoded bytes: the text of a plain-text document is read like any other."""
        if block.type not in MEDIA or not isinstance(block.source, msgspec.Raw):
            return
        try:
            source = _TYPED.decode(block.source)
        except msgspec.ValidationError:
            return  # no source that we know: the API will say so
        if source.type == "base64":
            self.media_bytes += len(memoryview(block.source))
