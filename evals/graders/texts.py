"""The answer has, or has not, certain texts in it; or it fits a pattern.

Rule: patterns are RE2's, which take time by the length of the answer and never more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import re2
from msgspec import Meta

from ..vocabulary import Answered, Case, Grade
from .exact import texts_misfit, texts_of
from .form import Options, Place, Plain, shown, verdict

MEMORY_MAX = 8 * 1024 * 1024  # of a pattern


class ContainsOptions(Options, frozen=True, kw_only=True):
    kind: Literal["contains"]
    need: Annotated[Literal["all", "any"], Meta(description="Of several expected texts: all, or any.")] = "all"
    case: Annotated[bool, Meta(description="Capitals make a difference.")] = False
    never: Annotated[tuple[str, ...], Meta(description="Texts that no answer may have.")] = ()


class Contains(Plain):
    """`expected`: a text, or several."""

    def __init__(self, options: ContainsOptions, _place: Place) -> None:
        self._options = options

    def misfit(self, expected: Any) -> str | None:
        wrong = texts_misfit(expected)
        return None if wrong is None else "takes a text, or a list of texts"

    def perfect(self, expected: Any) -> str | None:
        return "\n".join(texts_of(expected))

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        said = self._plain(text)
        banned = next((one for one in self._options.never if self._plain(one) in said), None)
        if banned is not None:
            return verdict(False, f"has {shown(banned)}, which it must not")
        wanted = texts_of(expected)
        missing = [one for one in wanted if self._plain(one) not in said]
        passed = not missing if self._options.need == "all" else len(missing) < len(wanted)
        why = f"lacks {', '.join(map(shown, missing[:3]))}"
        return Grade(passed=passed, score=1 - len(missing) / len(wanted), why="" if passed else why)

    def _plain(self, text: str) -> str:
        spaced = " ".join(text.split())
        return spaced if self._options.case else spaced.casefold()


class RegexOptions(Options, frozen=True, kw_only=True):
    kind: Literal["regex"]
    whole: Annotated[bool, Meta(description="The pattern must fit the whole answer, not only a part of it.")] = False
    case: Annotated[bool, Meta(description="Capitals make a difference.")] = True


class Regex(Plain):
    """`expected`: a pattern, or a list of patterns of which any must fit."""

    def __init__(self, options: RegexOptions, _place: Place) -> None:
        self._options = options
        self._re2 = re2.Options()
        self._re2.max_mem = MEMORY_MAX
        self._re2.log_errors = False
        self._re2.case_sensitive = options.case

    def misfit(self, expected: Any) -> str | None:
        if texts_misfit(expected) is not None:
            return "takes a pattern, or a list of patterns of which any must fit"
        return next(self._broken(texts_of(expected)), None)

    def _broken(self, patterns: list[str]) -> Iterator[str]:
        for pattern in patterns:
            try:
                re2.compile(pattern, self._re2)
            except re2.error as error:
                yield f"is no pattern of RE2: {shown(pattern)}: {error}"

    def perfect(self, expected: Any) -> str | None:
        """A pattern without any of a pattern's signs is its own answer."""
        first = texts_of(expected)[0]
        return first if first.replace(" ", "").isalnum() else None

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        said = text.strip()
        for pattern in texts_of(expected):
            compiled = re2.compile(pattern, self._re2)
            if (compiled.fullmatch(said) if self._options.whole else compiled.search(said)) is not None:
                return verdict(True, "")
        return verdict(False, f"{shown(text)} does not fit the pattern")
