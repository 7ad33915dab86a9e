"""Numbers as people and models write them: 1,234.50, 1 234,5, 1.2e5, $40, 3/4, 45 %, 2.5 million.

Rule: pure and exact (fractions, no floats); what could be read in two ways is no number: a date, a time, a range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

_SPACES = " \u00a0\u2009\u202f"
_CURRENCY = r"(?:[$€£¥]|\b(?:USD|EUR|GBP|CHF|JPY)\b)"
_DIGITS = (
    rf"(?:\d{{1,3}}(?:\.\d{{3}})+,\d+"  # 1.234,56
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?"  # 1,234.56
    rf"|\d{{1,3}}(?P<gap>['\u2019_{_SPACES}])\d{{3}}(?:(?P=gap)\d{{3}})*(?!\d)(?:[.,]\d+)?"  # 1 234,56
    r"|\d+,(?:\d{1,2}|\d{4,})(?![\d,])"  # 12,5
    r"|\d+(?:\.\d+)?|\.\d+)"
)
_POWER = r"(?:[eE](?P<e>[+-]?\d{1,4})|\s?[\u00d7x*·]\s?10\s?(?:\^|\*\*)\s?\(?(?P<ten>[-+\u2212]?\d{1,4})\)?)"
_TOKEN = re.compile(
    r"(?P<mixed>(?<![\w.,/])[-\u2212\u2013]?\d{1,9}\s\d{1,9}/\d{1,9}(?![\w/]))"
    r"|(?P<fraction>(?<![\w.,/])[-\u2212\u2013]?\d{1,12}\s?/\s?\d{1,12}(?![\w./-]))"
    r"|(?P<compound>(?<![\w.])\d+(?:(?:(?:[:/\u2013^-]|\*\*)\d+)+|(?:\.\d+){2,}))"
    rf"|(?P<plain>(?<![\w.])(?P<sign>[-\u2212\u2013]\s?)?(?P<money>{_CURRENCY}\s?)?(?P<digits>{_DIGITS}){_POWER}?)",
    re.ASCII,
)
_WORDS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_WORD = re.compile(rf"\s?({'|'.join(_WORDS)})\b", re.IGNORECASE)
_PERCENT = re.compile(r"\s?(?:%|percent\b|per cent\b)", re.IGNORECASE)
_LATEX = (
    (re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}"), r"\1/\2"),
    (re.compile(r"\\(?:boxed|text|mathrm|mathbf|textbf)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\[,;:! ]"), " "),
    (re.compile(r"\\(?=[%$])"), ""),
    (re.compile(r"\\times|\\cdot"), "\u00d7"),
    (re.compile(r"\^\{([-\d]+)\}"), r"^\1"),
    (re.compile(r"\\\(|\\\)|\\\[|\\\]|\$\$"), " "),
)
_BETWEEN_DOLLARS = re.compile(r"\$(?!\s)([^$\n]{1,80})(?<!\s)\$(?!\d)")
DIGITS_MAX = 60  # longer ones are no measure of anything


class Figure(NamedTuple):
    """A number that was found: None where it could be read in two ways. What stands behind it begins at `end`."""

    value: Fraction | None
    start: int
    end: int
    currency: str = ""
    percent: bool = False
    is_fraction: bool = False


def plain_text(text: str) -> str:
    """Without the marks of LaTeX that stand in and around numbers."""
    for pattern, instead in (*_LATEX, _LATEX[1]):  # a \text{} may stand in a \boxed{}
        text = pattern.sub(instead, text)
    return _BETWEEN_DOLLARS.sub(r"\1", text)


def figures(text: str) -> Iterator[Figure]:
    """Every number of the text, from left to right."""
    for match in _TOKEN.finditer(text):
        yield _figure(text, match)


def only_figure(text: str) -> Fraction | None:
    """The number that the whole text is; None when it is something else, or more than that."""
    found = list(figures(text.strip()))
    if len(found) != 1 or found[0].start != 0 or found[0].end != len(text.strip()):
        return None
    return found[0].value


def exactly(number: float) -> Fraction:
    """As it is written, not as the nearest binary number."""
    return Fraction(Decimal(str(number)))


def _figure(text: str, match: re.Match[str]) -> Figure:
    if match["compound"] is not None:
        return Figure(None, match.start(), match.end())
    if match["mixed"] is not None or match["fraction"] is not None:
        return Figure(_fraction(match[0]), match.start(), match.end(), is_fraction=True)
    value, end = _value(match), match.end()
    word = _WORD.match(text, end)
    if word is not None and value is not None:
        value, end = value * 10 ** _WORDS[word[1].lower()], word.end()
    percent = _PERCENT.match(text, end) is not None
    return Figure(value, match.start(), end, (match["money"] or "").strip(), percent)


def _fraction(text: str) -> Fraction | None:
    sign = -1 if text[0] in "-\u2212\u2013" else 1
    numbers = [int(part) for part in re.findall(r"\d+", text)]
    if numbers[-1] == 0:
        return None
    whole = numbers[0] if len(numbers) == 3 else 0
    return sign * (whole + Fraction(numbers[-2], numbers[-1]))


def _value(match: re.Match[str]) -> Fraction | None:
    digits = _point_only(match["digits"])
    if len(digits) > DIGITS_MAX:
        return None
    power = int((match["e"] or match["ten"] or "0").replace("\u2212", "-"))
    if abs(power) > DIGITS_MAX:
        return None
    value = Fraction(digits) * Fraction(10) ** power
    return -value if match["sign"] else value


def _point_only(digits: str) -> str:
    """Without what groups the digits, and with a point before the decimals."""
    plain = re.sub(rf"['\u2019_{_SPACES}]", "", digits)
    grouped, digits = plain != digits, plain  # 1 234,567 has decimals, 1,234,567 has none
    if "," not in digits:
        return digits
    if "." in digits:
        grouping = "," if digits.rindex(".") > digits.rindex(",") else "."
        return digits.replace(grouping, "").replace(",", ".")
    by_threes = not grouped and all(len(part) == 3 for part in digits.split(",")[1:])
    return digits.replace(",", "") if by_threes else digits.replace(",", ".")
