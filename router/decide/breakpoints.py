"""Where the prompt cache is marked: a first, careful answer that docs/caching.md explains.

Rule: pure and total. The caller's own marks are kept and nothing is added to them; on any doubt
nothing is done, because a wrong mark costs money and a broken body costs an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..vocabulary import Edit, Facts
from .policy import CacheRules, Model

# A token is rarely longer than this many bytes: an estimate that errs low, so that no mark is set on a
# prefix that is too short to be cached.
BYTES_PER_TOKEN = 4
MARK = msgspec.Raw(b'{"type":"ephemeral"}')
_LIST = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_STRING = msgspec.json.Decoder(str)


def marks(facts: Facts, fields: Mapping[str, msgspec.Raw], model: Model, rules: CacheRules) -> tuple[Edit, ...]:
    """One mark at the end of tools + system, when they are long enough and nobody marked anything."""
    if rules.marks == "off" or facts.marks > 0:
        return ()
    if (facts.tools_bytes + facts.system_bytes) // BYTES_PER_TOKEN < max(model.cache_minimum, rules.min_tokens or 0):
        return ()
    try:
        edit = _on_system(fields) if facts.system_bytes else _on_tools(fields)
    except msgspec.DecodeError:
        return ()
    return () if edit is None else (edit,)


def _on_system(fields: Mapping[str, msgspec.Raw]) -> Edit | None:
    raw = fields["system"]
    if bytes(raw).startswith(b'"'):
        if not _STRING.decode(raw):
            return None
        block = b'[{"type":"text","text":' + bytes(raw) + b',"cache_control":' + bytes(MARK) + b"}]"
        return Edit(key="system", value=msgspec.Raw(block), why="one cache mark at the end of tools and system")
    blocks = _LIST.decode(raw)
    if not blocks or not _is_markable(blocks[-1]):
        return None
    return _marked("system", blocks, "one cache mark at the end of tools and system")


def _on_tools(fields: Mapping[str, msgspec.Raw]) -> Edit | None:
    tools = _LIST.decode(fields["tools"])
    return _marked("tools", tools, "one cache mark at the end of the tools") if tools else None


def _marked(key: str, blocks: list[dict[str, msgspec.Raw]], why: str) -> Edit:
    marked = [*blocks[:-1], {**blocks[-1], "cache_control": MARK}]
    return Edit(key=key, value=msgspec.Raw(msgspec.json.encode(marked)), why=why)


def _is_markable(block: Mapping[str, msgspec.Raw]) -> bool:
    """An empty text cannot carry a mark; the prefix then ends in something we do not understand."""
    kind, text = block.get("type"), block.get("text")
    return kind is not None and text is not None and bytes(kind) == b'"text"' and bytes(text) != b'""'
