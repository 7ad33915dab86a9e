"""What is wrong with a file, in words that help: where, the line itself, what is allowed, the nearest right name.

Rule: problems are collected, never raised one by one; a person who fixes a file sees everything at once
(or the first hundred).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import PolicyError

SHOWN_MAX = 110  # columns of a source line that are shown
FOUND_MAX = 100  # whoever has more errors than this fixes these first; it also bounds the work on a hostile file


class Spot(NamedTuple):
    """A place in a file, counted from 0, and how many columns the caret underlines."""

    line: int
    column: int
    width: int = 1
    extended: bool = False  # it stands in the policy that this one extends


class Page(NamedTuple):
    """A file as it was read: its name for messages and its lines."""

    name: str
    lines: Sequence[str] = ()
    base: Page | None = None  # the policy that this one extends

    def at(self, spot: Spot) -> Page:
        """The page that the spot is on."""
        return self.base if spot.extended and self.base is not None else self


class Report:
    """Everything found in the files of one policy, in the order of the files and their lines."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[Spot, str, bool]]] = {}
        self._pages: dict[str, Page] = {}

        self._errors_left = FOUND_MAX
        self._warnings_left = FOUND_MAX

    def error(self, page: Page, spot: Spot, message: str) -> None:
        """Keeps the error; raises PolicyError when there are too many to go on."""
        self._add(page, spot, message, True)
        self._errors_left -= 1
        if self._errors_left == 0:
            self.raise_errors()

    def warn(self, page: Page, spot: Spot, message: str) -> None:
        if self._warnings_left > 0:
            self._add(page, spot, message, False)
            self._warnings_left -= 1

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(
            f"{self._where(name, spot)}: {message}{_excerpt(self._pages[name], spot)}"
            for name, spot, message in self._sorted(errors=True)
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f"{self._where(name, spot)}: {message}" for name, spot, message in self._sorted(errors=False))

    def raise_errors(self) -> None:
        if errors := self.errors:
            raise PolicyError(errors)

    def _add(self, page: Page, spot: Spot, message: str, is_error: bool) -> None:
        page = page.at(spot)
        self._pages[page.name] = page
        self._found.setdefault(page.name, []).append((spot, message, is_error))

    def _sorted(self, *, errors: bool) -> Iterable[tuple[str, Spot, str]]:
        for name, found in self._found.items():
            for spot, message, is_error in sorted(found, key=lambda entry: entry[0]):
                if is_error == errors:
                    yield name, spot, message

    def _where(self, name: str, spot: Spot) -> str:
        return f"{name}:{spot.line + 1}:{spot.column + 1}" if self._pages[name].lines else name


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean x?)`, or nothing when no known name is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f" (did you mean `{by_lower[close[0]]}`?)" if close else ""


def listed(names: Iterable[object]) -> str:
    """Names for a message: a, b, c."""
    return ", ".join(str(name) for name in names) or "nothing"


def quoted(text: str, length_max: int = 60) -> str:
    """A value of the file for a message: one line, not too long."""
    shown = _printable(text[:length_max])
    return f"`{shown}`" if len(text) <= length_max else f"`{shown}...`"


def _excerpt(page: Page, spot: Spot) -> str:
    """The line with a caret below it; a window of the line when it is very long."""
    if spot.line >= len(page.lines):
        return ""
    line = page.lines[spot.line]
    start = max(0, spot.column - SHOWN_MAX // 2) if len(line) > SHOWN_MAX else 0
    shown = _printable(line[start : start + SHOWN_MAX])
    at = spot.column - start
    carets = "^" * max(1, min(spot.width, len(shown) - at))
    number = f"{spot.line + 1:>5}"
    return f"\n{number} | {shown}\n{'':>5} | {' ' * at}{carets}"


def _printable(text: str) -> str:
    """One column a character: no tabs, no control characters, nothing that moves a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in text)
