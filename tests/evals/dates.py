"""Days as texts write them, and days as texts count them: what the cases of entity-extraction are held against.

Rule: by the calendar alone. Nothing here knows a case.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta

MONTHS = (
    "january jan januar janvier enero januari janeiro gennaio",
    "february feb februar février febrero",
    "march mar märz mars marzo maart",
    "april apr avril abril",
    "may mai mayo mei",
    "june jun juni juin junio",
    "july jul juli juillet julio luglio",
    "august aug août agosto",
    "september sep septembre septiembre",
    "october oct oktober octobre octubre",
    "november nov novembre noviembre",
    "december dec dezember décembre diciembre",
)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def is_written(day: date, text: str, month_first: bool = False) -> bool:
    """Is the day there in figures or with its month in letters? A year that follows must be the right one."""
    months = "|".join(MONTHS[day.month - 1].split())
    year = rf"(?:,? (?:de )?{day.year}\b|(?!,? (?:de )?\d{{4}}\b))"
    shapes = (
        rf"\b0?{day.day}\.? (?:de )?(?:{months})\b{year}",
        rf"\b(?:{months}) {day.day}\b{year}",
        rf"\b{day:%m}/{day:%d}/{day.year}\b" if month_first else rf"\b{day:%d}[./]{day:%m}[./]{day.year}\b",
        rf"\b{day.isoformat()}\b",
    )
    return any(re.search(shape, text, re.IGNORECASE) for shape in shapes)


def counted(day: date, how: str, much: str) -> date:
    """`how` is plus, working, next, last, third, week, month-start or month-end; `much` a number or a weekday."""
    return _WAYS[how](day, much)


def _working(day: date, much: str) -> date:
    left = int(much)
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < WEEKDAYS.index("Sat")
    return day


def _next(day: date, weekday: str) -> date:
    """The first such weekday after the day."""
    return day + timedelta(days=(WEEKDAYS.index(weekday) - day.weekday() - 1) % 7 + 1)


def _last(day: date, weekday: str) -> date:
    """The last such weekday before the day."""
    return day - timedelta(days=(day.weekday() - WEEKDAYS.index(weekday) - 1) % 7 + 1)


def _third(day: date, weekday: str) -> date:
    """Of the day's month."""
    return _next(day.replace(day=1) - timedelta(days=1), weekday) + timedelta(days=14)


def _month_start(day: date, much: str) -> date:
    months = day.year * 12 + day.month - 1 + int(much)
    return date(months // 12, months % 12 + 1, 1)


def _month_end(day: date, much: str) -> date:
    first = _month_start(day, much)
    return first.replace(day=monthrange(first.year, first.month)[1])


_WAYS: Mapping[str, Callable[[date, str], date]] = {
    "plus": lambda day, much: day + timedelta(days=int(much)),
    "working": _working,
    "next": _next,
    "last": _last,
    "third": _third,
    "week": lambda day, much: date.fromisocalendar(day.year, int(much), 1),
    "month-start": _month_start,
    "month-end": _month_end,
}
