"""What the local gate sees of a text: its words and pairs of words as numbers, and a few plain measures of its shape.

Rule: pure, and the same here and where the gate is fitted (evals/learn). Numbers in the text count as one word: which
one it is says nothing of how hard the question is.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import log1p, sqrt
from zlib import crc32

import msgspec

BUCKETS = 1 << 16  # of words, and as many of pairs
PAIR_WEIGHT = 2  # a pair in common says more than a word
HALF_KNOWN = 8  # so many unknown words stand beside every text: of a short one, little can be known
MEASURES = (
    "length", "words", "numbers", "share of numbers", "longest number", "signs of mathematics", "backslashes",
    "questions", "lines", "brackets", "code", "options", "length of words", "variety of words", "length of sentences",
    "percentages", "commas", "share of long words",
)  # fmt: skip
LENGTH = MEASURES.index("length")

_CUT = "\n"
_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[^\w\s]")
_OPTION = re.compile(r"(?m)^\s*\(?[a-j][.):]\s")
_SENTENCE_ENDS = re.compile(r"[.!?](?:\s|$)")
_CODE = ("```", "def ", "();")
_LONG_WORD = 9  # letters
_MIX = 0x9E3779B1  # odd, so that no two sums become one


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A text as numbers. None of it can be turned back into the text, though a guess can be tried against it."""

    chars: int  # of the whole text
    measures: tuple[float, ...]
    words: frozenset[int]
    pairs: frozenset[int]

    @property
    def weight(self) -> int:
        return len(self.words) + PAIR_WEIGHT * len(self.pairs) + HALF_KNOWN


def read(text: str, max_chars: int) -> Reading:
    """Of a long text its head and its tail, as the classifier sees it."""
    seen = shortened(text, max_chars).lower()
    tokens = _TOKEN.findall(seen)
    codes = {token: _code(token) for token in set(tokens)}
    row = [codes[token] for token in tokens]
    return Reading(
        chars=len(text),
        measures=_measures(seen, Counter(tokens)),
        words=frozenset([code & 0xFFFF for code in codes.values()]),
        pairs=frozenset([((one * 31 + other) * _MIX & 0xFFFFFFFF) >> 16 for one, other in pairwise(row)]),
    )


def _code(token: str) -> int:
    return crc32(b"#" if token[0].isdigit() else token.encode("utf-8", "surrogatepass"))


def shortened(text: str, max_chars: int) -> str:
    """Two thirds of what may be seen are the head."""
    if len(text) <= max_chars:
        return text
    tail = max_chars // 3
    return text[: max_chars - tail] + _CUT + text[len(text) - tail :]


def _measures(seen: str, tokens: Counter[str]) -> tuple[float, ...]:
    """In the order of MEASURES. Counts as logarithms: the second one says more than the twentieth."""
    count = seen.count
    words = [(len(token), times) for token, times in tokens.items() if token[0].isalpha()]
    numbers = [(len(token), times) for token, times in tokens.items() if token[0].isdigit()]
    word_count = max(sum(times for _, times in words), 1)
    number_count = sum(times for _, times in numbers)
    sentences = max(1, len(_SENTENCE_ENDS.findall(seen)))
    return (
        log1p(len(seen)),
        log1p(word_count),
        log1p(number_count),
        number_count / max(tokens.total(), 1),
        sqrt(max((length for length, _ in numbers), default=0)),
        log1p(sum(map(count, "\\^_=+*/<>"))),
        log1p(count("\\")),
        log1p(count("?")),
        log1p(count("\n")),
        log1p(sum(map(count, "{}();[]"))),
        float(any(sign in seen for sign in _CODE)),
        log1p(len(_OPTION.findall(seen))),
        sum(length * times for length, times in words) / word_count,
        len(words) / word_count**0.8,
        log1p(word_count / sentences),
        log1p(count("%")),
        log1p(count(",")),
        sum(times for length, times in words if length >= _LONG_WORD) / word_count,
    )
