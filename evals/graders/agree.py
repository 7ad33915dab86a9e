"""The answer says what the reference says, by the very check with which production holds two answers side by side.

Rule: no comparing here; router/decide/agreement.py decides what is the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from router.decide.agreement import texts_agree

from ..vocabulary import Answered, Case, Grade
from .exact import texts_misfit, texts_of
from .figures import only_figure
from .form import Options, Place, Plain, shown, verdict
from .wording import json_of


class AgreeOptions(Options, frozen=True, kw_only=True):
    kind: Literal["agree"]
    compare: Annotated[
        Literal["auto", "json", "number", "text"],
        Meta(description="As `agree.compare` of a task; `auto` goes by what the reference is."),
    ] = "auto"


class Agree(Plain):
    """`expected`: the reference, or a list of references of which any will do."""

    def __init__(self, options: AgreeOptions, _place: Place) -> None:
        self._compare = options.compare

    def misfit(self, expected: Any) -> str | None:
        return texts_misfit(expected)

    def perfect(self, expected: Any) -> str | None:
        return texts_of(expected)[0]

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        right = any(texts_agree(self._how(one), one, text) for one in texts_of(expected))
        return verdict(right, f"{shown(text)} does not say {shown(texts_of(expected)[0])}")

    def _how(self, reference: str) -> str:
        if self._compare != "auto":
            return self._compare
        if isinstance(json_of(reference.strip()), dict | list):
            return "json"
        return "number" if only_figure(reference) is not None else "text"
