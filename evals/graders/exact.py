"""The answer is the expected text, or one of several."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from msgspec import Meta

from ..vocabulary import Answered, Case, Grade
from .form import Options, Place, Plain, shown, verdict
from .wording import AROUND, marked, without_accents

Ignored = Literal["space", "case", "punctuation", "accents"]


class ExactOptions(Options, frozen=True, kw_only=True):
    kind: Literal["exact"]
    ignore: Annotated[
        tuple[Ignored, ...],
        Meta(description="What makes no difference: space, case, punctuation (also quotes around it), accents."),
    ] = ("space",)
    after_answer: Annotated[
        bool, Meta(description="Only what stands behind the last `Answer:` counts, where there is one.")
    ] = False


class Exact(Plain):
    """`expected`: a text, or a list of texts of which any is right."""

    def __init__(self, options: ExactOptions, _place: Place) -> None:
        self._options = options

    def misfit(self, expected: Any) -> str | None:
        return texts_misfit(expected)

    def perfect(self, expected: Any) -> str | None:
        right = texts_of(expected)[0]
        return f"Answer: {right}" if self._options.after_answer else right

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        said = (marked(text) if self._options.after_answer else None) or text
        right = {self._plain(one) for one in texts_of(expected)}
        return verdict(self._plain(said) in right, f"{shown(said)} is not {shown(texts_of(expected)[0])}")

    def _plain(self, text: str) -> str:
        ignore = self._options.ignore
        text = unicodedata.normalize("NFC", text)
        if "accents" in ignore:
            text = without_accents(text)
        if "case" in ignore:
            text = text.casefold()
        if "punctuation" in ignore:
            text = re.sub(r"[^\w\s]", "", text.strip(AROUND))
        return " ".join(text.split()) if "space" in ignore else text.strip("\n")


def texts_of(expected: Any) -> list[str]:
    return [expected] if isinstance(expected, str) else list(expected)


def texts_misfit(expected: Any) -> str | None:
    """What many graders expect: a text that says something, or a list of such texts."""
    listed = isinstance(expected, list) and bool(expected)
    values = expected if listed else [expected]
    if all(isinstance(value, str) and value.strip() for value in values):
        return None
    return "takes a text, or a list of texts of which any is right"
