"""The answer is one of a few labels, however it is dressed: quoted, in a sentence, as {"answer": ...}.

Rule: an answer that could mean two labels means none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta

from router.policyfile.report import nearest

from ..vocabulary import Answered, Case, Grade
from .form import Flaw, Options, Place, Plain, shown, verdict
from .wording import folded, json_in, marked

KEYS = ("answer", "label", "category", "class", "result")
BEFORE_MAX = 60  # characters before a label in which a `not` would deny it
_NOT = re.compile(r"(?:\bnot|\bno|n't|n\u2019t|\bnever|\binstead of|\brather than)\b(?:(?!\bbut\b)[^.;,]){0,40}$")


class LabelOptions(Options, frozen=True, kw_only=True):
    kind: Literal["label"]
    labels: Annotated[tuple[str, ...], Meta(description="Every label that an answer may be.")]


class Label(Plain):
    """`expected`: one of the labels."""

    def __init__(self, options: LabelOptions, _place: Place) -> None:
        self._labels = options.labels
        self._by_plain = {read_alike(label): label for label in options.labels}
        # The longest first: `refund` must not be found inside `refund request`.
        names = sorted((name for name in self._by_plain if name), key=len, reverse=True)
        self._named = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None

    def flaws(self) -> Iterator[Flaw]:
        if len(self._labels) < 2:
            yield Flaw(("labels",), "takes two labels or more")
        seen: dict[str, str] = {}
        for number, label in enumerate(self._labels):
            plain = read_alike(label)
            if not plain:
                yield Flaw(("labels", number), "a label must have a letter or a digit")
            elif plain in seen:
                yield Flaw(("labels", number), f"is read like `{seen[plain]}`; labels must differ by more than form")
            seen.setdefault(plain, label)

    def misfit(self, expected: Any) -> str | None:
        if isinstance(expected, str) and expected in self._labels:
            return None
        hint = nearest(expected, self._labels) if isinstance(expected, str) else ""
        return f"is none of the {len(self._labels)} labels: {shown(expected)}{hint}"

    def perfect(self, expected: Any) -> str | None:
        return str(expected)

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        found = self.read(text)
        if not found:
            return verdict(False, f"{shown(text)} names none of the labels" if text.strip() else "the answer is empty")
        if len(found) > 1:
            return verdict(False, f"it could be {' or '.join(found)}")
        return verdict(found[0] == expected, f"{found[0]}, not {expected}")

    def read(self, text: str) -> list[str]:
        """The label that the answer is; many when it cannot be told, none when there is none."""
        value = json_in(text)
        if isinstance(value, dict | list | str):
            inside = [label for said in _said(value) if (label := self._whole(said))]
            if inside or isinstance(value, str):
                return _distinct(inside)
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines:
            return []
        mark = marked(text)
        if mark is not None and (label := self._whole(mark)):
            return [label]
        # A label that has a line for itself, at the end or at the beginning, is the answer; the rest explains it.
        alone = _distinct(label for line in (lines[-1], lines[0]) if (label := self._line(line)))
        return alone or _distinct(self._mentioned(text))

    def _line(self, line: str) -> str | None:
        """`Category: refund` is a line of its own too."""
        return self._whole(line) or self._whole(line.rpartition(":")[2])

    def _whole(self, text: str) -> str | None:
        return self._by_plain.get(read_alike(text))

    def _mentioned(self, text: str) -> Iterator[str]:
        """The labels that are named and not denied."""
        plain = _spaced(text)
        for match in self._named.finditer(plain) if self._named else ():
            if not _NOT.search(plain[max(0, match.start() - BEFORE_MAX) : match.start()]):
                yield self._by_plain[match[0]]


def read_alike(text: str) -> str:
    """Two labels of which this is the same are one to the grader."""
    return folded(_spaced(text))


def _spaced(text: str) -> str:
    """Underscores and hyphens are read as spaces."""
    return " ".join(re.sub(r"[_\-\u2010\u2011]+", " ", text).casefold().split())


def _said(value: Any) -> list[str]:
    """The texts of a JSON answer: under a name that means the answer, or the only ones there are."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    named = [value[key] for key in KEYS if isinstance(value.get(key), str)]
    return named[:1] or [one for one in value.values() if isinstance(one, str)]


def _distinct(labels: Any) -> list[str]:
    return list(dict.fromkeys(labels))
