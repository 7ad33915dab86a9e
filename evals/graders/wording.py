"""What a text says, once its clothes are off: code fences, markdown, quotes, case, spaces.

Rule: pure, and linear in the length of the text, because models may write anything.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

TRIES_MAX = 50  # places of a text at which JSON may begin
AROUND = " \t\r\n\"'`*_.,;:!?()[]{}<>«»“”\u2018\u2019„。"  # what may stand around an answer without being part of it
_OPENING = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^`]*$")
_MARKED = re.compile(r"\banswer\b[*_`#\s]*(?:[:=]|\bis\b:?|\n)[*_`\s]*", re.IGNORECASE)


class Block(NamedTuple):
    """A fenced part of an answer, and what its fence says it is."""

    language: str
    text: str


class _Nothing:
    """What stands for `no JSON here`; None is JSON."""


NOTHING = _Nothing()


def blocks(text: str) -> list[Block]:
    """The fenced blocks. One that is not closed goes to the end."""
    found: list[Block] = []
    fence, language, indent, lines = "", "", "", list[str]()
    for line in text.splitlines():
        opening = _OPENING.match(line)
        if not fence and opening:
            indent, fence, language, lines = opening[1], opening[2], opening[3].lower(), []
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            found.append(Block(language, "\n".join(lines) + "\n"))
            fence = ""
        elif fence:
            lines.append(line.removeprefix(indent))  # a block inside a list is indented as the list is
    if fence:
        found.append(Block(language, "\n".join(lines) + "\n"))
    return found


def code_in(text: str, languages: tuple[str, ...], *, longest: bool) -> str:
    """The block of one of these languages, else any block, else the whole text. Of many: the longest, or the last."""
    all_blocks = blocks(text)
    fitting = [block.text for block in all_blocks if block.language in languages]
    candidates = fitting or [block.text for block in all_blocks]
    if not candidates:
        return text.strip()
    return max(candidates, key=len) if longest else candidates[-1]


def marked(text: str) -> str | None:
    """The line that the last `Answer:` begins, without the mark; None where there is no mark."""
    marks = list(_MARKED.finditer(text))
    if not marks:
        return None
    return next((line.strip() for line in text[marks[-1].end() :].splitlines() if line.strip()), "")


def folded(text: str) -> str:
    """For comparison: compatible letters made one, no case, single spaces, nothing around it."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(plain.split()).strip(AROUND)


def without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(letter for letter in parts if not unicodedata.combining(letter)))


def json_of(text: str) -> Any:
    """The text as JSON; NOTHING when it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NOTHING


def json_in(text: str, opening: str = "{[") -> Any:
    """JSON that is the text, stands in a fenced block, or stands somewhere in it: of many, the last."""
    whole = json_of(text.strip())
    if whole is not NOTHING:
        return whole
    for block in reversed(blocks(text)):
        value = json_of(block.text.strip())
        if value is not NOTHING:
            return value
    scattered = list(_scattered(text, opening))
    return scattered[-1] if scattered else NOTHING


def _scattered(text: str, opening: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    begins = re.compile(f"[{re.escape(opening)}]")
    at = 0
    for _ in range(TRIES_MAX):
        begin = begins.search(text, at)
        if begin is None:
            return
        try:
            value, at = decoder.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            at = begin.end()
            continue
        yield value


def same_json(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
