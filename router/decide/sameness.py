"""When two requests are one and the same: everything that an answer may hang on, framed into one digest.

Rule: pure. What is not left out by name goes in, and each part goes in behind its length, so that no two requests
that differ in any part ever share a digest.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from struct import pack
from typing import Protocol

import msgspec

from ..errors import RequestError
from ..vocabulary import Ask, Caller
from ..wire.json_gate import check_keys
from .policy import Rulebook

DIGEST_BYTES = 32
BEGINNINGS_MAX = 256
NEVER = ("mcp_servers", "container")  # what these lead to is done outside, and not the same twice
HOW_IT_IS_SENT = "stream"  # the one field that makes no other answer
OWN_HEADERS = frozenset({"anthropic-version", "anthropic-beta"})  # in the facts already
_NOTHING = (b"null", b"[]")
# Tools that the API knows by name and its caller runs, like his own; what has any other type the API runs itself.
_RUN_BY_CALLER = re.compile(r"custom|(bash|text_editor|computer|memory)_\d{8}")
_STRING = msgspec.json.Decoder(str)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class _Tool(msgspec.Struct):
    type: str | None = None


_TOOLS = msgspec.json.Decoder(list[_Tool])
_NO_TOOLS = msgspec.Raw(b"[]")


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def repeatable(ask: Ask) -> bool:
    """May any answer to it ever be given twice?"""
    return ask.words.cache != "off" and not _leads_outside(ask)


def may_act(ask: Ask) -> bool:
    """Could the API do something for it outside, by a server, a container or a tool that it runs? Twice is not once."""
    if _leads_outside(ask):
        return True
    try:
        tools = _TOOLS.decode(ask.fields.get("tools", _NO_TOOLS))
    except msgspec.DecodeError:
        return True  # nobody knows what it is
    return any(tool.type is not None and not _RUN_BY_CALLER.fullmatch(tool.type) for tool in tools)


def _leads_outside(ask: Ask) -> bool:
    return any(bytes(ask.fields[name]).strip() not in _NOTHING for name in NEVER if name in ask.fields)


def owner(caller: Caller, rules: Rulebook) -> str:
    """Whose the answer is: the tenant's, or everybody's ("") where the policy says so."""
    return "" if rules.policy.replies.shared else caller.tenant


def begun(kind: bytes, ask: Ask, caller: Caller, rules: Rulebook, rule_name: str | None) -> Digest:
    """A digest of all but the body. `kind` keeps digests apart that are made for different ends."""
    facts, words = ask.facts, ask.words
    whose = b"all" if rules.policy.replies.shared else b"of " + _utf8(caller.tenant)
    fallback = words.fallback if words.fallback == "same" else ""
    # A task's own output format and stop sequences are added at one door, and for one form, only.
    form = "short" if ask.short_form else ""
    same = (rules.hash, facts.api_version, ask.door.value, form, fallback)
    return _begun(kind, whose, same, facts.betas, ask.headers, (words.task, words.feature, rule_name)).copy()


@lru_cache(maxsize=BEGINNINGS_MAX)
def _begun(
    kind: bytes,
    whose: bytes,
    same: tuple[str, ...],
    betas: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
    names: tuple[str | None, ...],
) -> hashlib.blake2b:
    """Of one kind of caller and request: most requests begin like one before. Never changed, only copied."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES, person=kind)
    others = sorted(header for header in headers if header[0] not in OWN_HEADERS)
    frame(digest, whose, *map(_utf8, same), *_many(sorted(set(betas))))
    frame(digest, *_many([f"{name}: {value}" for name, value in others]), *map(_optional, names))
    return digest


def add_body(digest: Digest, ask: Ask, ignore: Collection[str] = (), without: Collection[str] = ()) -> None:
    """Every top-level field, in the order of names; inside a value the bytes are as the caller sent them."""
    parts: list[bytes] = []
    for name in sorted(ask.fields):
        if name == HOW_IT_IS_SENT or name in without:
            continue
        raw = bytes(ask.fields[name])
        normal = _normal(name, raw, ignore) if ignore else None
        parts += (_utf8(name), *((b"=", raw) if normal is None else _counted(normal)))
    frame(digest, *parts)


def frame(digest: Digest, *parts: bytes) -> None:
    """How many parts, how long each is, and the parts."""
    digest.update(pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts)))
    for part in parts:
        digest.update(part)


def object_once(raw: bytes) -> dict[str, msgspec.Raw]:
    """Raises RequestError where a key comes twice: which of the two the API takes is its own affair."""
    fields = _FIELDS.decode(raw)
    check_keys(raw, fields, "")
    return fields


def normal_text(text: str, ignore: Collection[str]) -> str:
    """The text without the differences that a policy says make no other request."""
    unicode = "unicode" in ignore and not text.isascii()
    if unicode:
        text = unicodedata.normalize("NFC", text)
    if "case" in ignore:
        text = text.casefold()
        if unicode:  # some letters come apart when they are folded
            text = unicodedata.normalize("NFC", text)
    return " ".join(text.split()) if "whitespace" in ignore else text


def _normal(name: str, raw: bytes, ignore: Collection[str]) -> list[bytes] | None:
    """The value in parts, its texts made normal; None where it must stay as it came."""
    if name not in ("messages", "system"):
        return None
    try:
        if name == "system":
            return _content(raw, ignore)
        return [part for turn in _ELEMENTS.decode(raw) for part in _counted(_turn(bytes(turn), ignore))]
    except (msgspec.DecodeError, RequestError, RecursionError):  # a key that comes twice, a text that is none
        return None


def _turn(raw: bytes, ignore: Collection[str]) -> list[bytes]:
    fields = object_once(raw)
    if bytes(fields.get("role", b"")) != b'"user"' or "content" not in fields:
        return [b"=", raw]
    return [b"turn", *_object(fields, "content", _content(bytes(fields["content"]), ignore))]


def _content(raw: bytes, ignore: Collection[str]) -> list[bytes]:
    if raw[:1] == b'"':
        return [b"text", _text(raw, ignore)]
    return [b"blocks", *(part for block in _ELEMENTS.decode(raw) for part in _counted(_block(bytes(block), ignore)))]


def _block(raw: bytes, ignore: Collection[str]) -> list[bytes]:
    fields = object_once(raw)
    if bytes(fields.get("type", b"")) != b'"text"' or "text" not in fields:
        return [b"=", raw]
    return [b"block", *_object(fields, "text", [_text(bytes(fields["text"]), ignore)])]


def _object(fields: dict[str, msgspec.Raw], name: str, value: list[bytes]) -> list[bytes]:
    """An object's fields, one of them in its normal form."""
    rest = [part for key in sorted(fields) if key != name for part in (_utf8(key), bytes(fields[key]))]
    return [*_counted(rest), *value]


def _text(raw: bytes, ignore: Collection[str]) -> bytes:
    return _utf8(normal_text(_STRING.decode(raw), ignore))


def _counted(parts: list[bytes]) -> tuple[bytes, ...]:
    """So that what follows is never taken for one part more."""
    return (len(parts).to_bytes(4, "little"), *parts)


def _many(texts: list[str]) -> tuple[bytes, ...]:
    return _counted([_utf8(text) for text in texts])


def _optional(text: str | None) -> bytes:
    return b"" if text is None else b"=" + _utf8(text)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
