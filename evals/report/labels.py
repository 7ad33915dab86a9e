"""Where a label goes, so that it hides no point, no interval and no other label.

Rule: pure. Of a few places around a point it takes the one that covers least; the first of equals.
"""

from __future__ import annotations

from typing import NamedTuple

CHARACTER = 7.8  # of a bold letter's width, on the average
SMALL_CHARACTER = 6.7
LINE = 14.0
GAP = 12.0


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> float:
        """The area that both have."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def outside(self, area: Box) -> float:
        """How much of it lies out of the area."""
        return (self.right - self.left) * (self.bottom - self.top) - self.covers(area)


def box_of(name: str, under: list[str]) -> tuple[float, float]:
    """Width and height of a bold line with small ones under it."""
    width = max([len(name) * CHARACTER, *(len(words) * SMALL_CHARACTER for words in under)])
    return width, LINE * (1 + len(under))


def place(x: float, y: float, size: tuple[float, float], taken: list[Box], area: Box) -> Box:
    """The best place beside the point at (x, y)."""
    width, height = size
    rights, lefts = x + GAP, x - GAP - width
    levels = (y - LINE, y + 4, y - height - 4, y + 1.6 * LINE, y - height - 1.6 * LINE, y + 4 * LINE)
    places = [Box(left, top, left + width, top + height) for top in levels for left in (rights, lefts)]
    return min(places, key=lambda one: _cost(one, taken, area))


def beside_line(y: float, width: float, taken: list[Box], area: Box) -> Box:
    """The best place for words on a line across the area: at its end or its beginning, under or over it."""
    lefts, tops = (area.right - width - 8, area.left + 4), (y + 2, y - LINE - 2)
    places = [Box(left, top, left + width, top + LINE) for left in lefts for top in tops]
    return min(places, key=lambda one: _cost(one, taken, area))


def _cost(box: Box, taken: list[Box], area: Box) -> tuple[float, float]:
    """What lies outside is cut off: worse than anything that is covered."""
    return round(box.outside(area), 6), sum(box.covers(other) for other in taken)
