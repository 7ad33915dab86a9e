"""How alike two questions are, without keeping their words: MinHash over the letters of the last turn.

Rule: pure. Likeness alone never says that two questions are the same: all around the question must be equal
(`scope`), and so must be what turns its meaning around (`guard`, turning.py). Whatever is not understood has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from operator import eq
from zlib import crc32

import msgspec

from ..errors import RequestError
from ..vocabulary import EMPTY_BIN, Ask, Caller, Fingerprint
from .policy import Rulebook
from .sameness import Digest, add_body, begun, frame, object_once, repeatable
from .turning import guard_of

GRAM = 5  # letters
BINS = 64
CHARS_MAX = 1_000  # in a longer text, another word changes too little to be seen
_SHIFT = 32 - BINS.bit_length() + 1
_SPREAD = 0x9E3779B1  # odd, so that no two sums become one
_NOT_LETTERS = re.compile(r"[\W_]+")
_STRING = msgspec.json.Decoder(str)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_NOT_COMPARED = ("messages",)


def fingerprint(ask: Ask, caller: Caller, rules: Rulebook, rule_name: str | None) -> Fingerprint | None:
    """None for whatever is more than one plain question: a conversation, pictures, a long text, another script."""
    facts = ask.facts
    if facts.turns != 1 or facts.last_role != "user" or facts.image_count or facts.document_count:
        return None
    if not repeatable(ask):
        return None
    scope = begun(b"tierwise scope 1", ask, caller, rules, rule_name)
    add_body(scope, ask, without=_NOT_COMPARED)
    try:
        text = _question(bytes(ask.fields["messages"]), scope)
    except (msgspec.DecodeError, RequestError):
        return None
    if text is None or len(text) > CHARS_MAX or not _is_latin(text):
        return None
    plain = unicodedata.normalize("NFKC", text)
    signature = signature_of(plain)
    if all(one == EMPTY_BIN for one in signature):
        return None
    return Fingerprint(scope=scope.digest(), guard=guard_of(plain), signature=signature)


def likeness(one: Fingerprint, other: Fingerprint) -> float:
    """Nought for questions that must not be taken for one another."""
    if (one.scope, one.guard) != (other.scope, other.guard):
        return 0.0
    return alike(one.signature, other.signature)


def alike(one: Sequence[int], other: Sequence[int]) -> float:
    """Of the bins that either text fills, the share that is equal: about the share of n-grams in common."""
    both_empty = sum(map(EMPTY_BIN.__eq__, map(min, one, other)))
    filled = len(one) - both_empty
    return (sum(map(eq, one, other)) - both_empty) / filled if filled else 0.0


def signature_of(text: str) -> tuple[int, ...]:
    """MinHash by one permutation: each n-gram falls into one bin, and each bin keeps its least."""
    letters = f" {_NOT_LETTERS.sub(' ', text.casefold()).strip()} "
    bins = [EMPTY_BIN] * BINS
    if not letters.strip():
        return tuple(bins)
    width = 4 * GRAM
    data = letters.encode("utf-32-le", "surrogatepass")
    for at in range(0, max(len(data) - width, 0) + 1, 4):
        mixed = crc32(data[at : at + width]) * _SPREAD & 0xFFFFFFFF
        place = mixed >> _SHIFT
        if mixed < bins[place]:
            bins[place] = mixed
    return tuple(bins)


def _question(raw: bytes, scope: Digest) -> str | None:
    """The text of the one turn; all else of it goes into the scope."""
    turn = object_once(bytes(_ELEMENTS.decode(raw)[0]))
    content = bytes(turn.pop("content"))
    _add(scope, turn)
    if content[:1] == b'"':
        frame(scope, b"bare")
        return _STRING.decode(content)
    blocks = _ELEMENTS.decode(content)
    if not blocks:
        return None
    *before, last = blocks
    frame(scope, len(before).to_bytes(4, "little"), *(bytes(block) for block in before))
    block = object_once(bytes(last))
    if bytes(block.get("type", b"")) != b'"text"' or "text" not in block:
        return None
    text = _STRING.decode(block.pop("text"))
    _add(scope, block)
    return text


def _add(scope: Digest, fields: dict[str, msgspec.Raw]) -> None:
    frame(scope, len(fields).to_bytes(4, "little"))
    for name in sorted(fields):
        frame(scope, name.encode("utf-8", "surrogatepass"), bytes(fields[name]))


def _is_latin(text: str) -> bool:
    """Only there are the words known that turn a meaning around."""
    return text.isascii() or all(
        not letter.isalpha() or unicodedata.name(letter, "").startswith("LATIN") for letter in set(text)
    )
