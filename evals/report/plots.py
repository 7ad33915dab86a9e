"""The plots of one suite: pass rate against cost with intervals, and latency.

Rule: draws a Finding; no number is made here but a place on the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, inf, log10

from router.vocabulary import PICO_PER_USD

from ..vocabulary import Finding, TierFinding
from .labels import LINE, Box, beside_line, box_of, place
from .pareto import beaten_by, front, placed
from .svg import dot, drawing, line, path, text
from .words import a_case, dollars, percent, rate, seconds

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 44, 392, 16, 240
AREA = Box(LEFT, TOP - 8, WIDTH, BOTTOM)
ROW = 30
NAME_ROOM = 118  # right of the dearest point, for its label
LATENCY_LEFT, LATENCY_RIGHT = 62, 280
STEPS = (0.05, 0.1, 0.2, 0.25)
RATES_AT_MOST = 6  # lines of the scale
# How many decades of cost there are, and the digits that get a line.
DIGITS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0.75, (1, 1.5, 2, 3, 4, 5, 7)),
    (2, (1, 2, 5)),
    (3, (1, 3)),
    (inf, (1,)),
)


class Scale:
    """From a value to a place; `low` stands at `start`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._span = low, (high - low) or 1.0
        self._start, self._room = start, end - start

    def at(self, value: float) -> float:
        return self._start + (value - self._low) / self._span * self._room

    def value(self, at: float) -> float:
        return self._low + (at - self._start) / self._room * self._span


def cost_and_quality(finding: Finding) -> str:
    """The suite's tiers; empty where fewer than two have a cost and a pass rate."""
    tiers = placed(finding)
    if len(tiers) < 2:
        return ""
    costs = [log10(one.cost_pico / PICO_PER_USD) for one in tiers]
    across = Scale(min(costs), max(costs), LEFT + 22, RIGHT - NAME_ROOM)
    least, step = _least_rate(finding, tiers)
    up = Scale(least, 1.0, BOTTOM, TOP)
    spots = {one.tier: (across.at(log10(one.cost_pico / PICO_PER_USD)), up.at(rate(one))) for one in tiers}
    taken = [_taken(one, spots[one.tier], up) for one in tiers]
    parts = [*_rate_lines(least, step, up), *_cost_lines(across), *_claim(finding, tiers, up, taken)]
    parts.append(path([spots[one.tier] for one in front(tiers)], "front"))
    for one in tiers:
        parts += _point(one, finding, spots[one.tier], up)
    for one in tiers:
        parts += _label(one, finding, spots[one.tier], taken)
    told = "; ".join(f"{one.tier}: {percent(rate(one))} at {a_case(one.cost_pico)} a case" for one in tiers)
    return drawing(WIDTH, HEIGHT, parts, f"{finding.suite}: pass rate against cost. {told}")


def latency(finding: Finding) -> str:
    """Median to 95th percentile of each tier, from nought; empty where none is known."""
    tiers = [one for one in finding.tiers if one.latency_ms]
    if not tiers:
        return ""
    longest = max(one.latency_p95_ms or one.latency_ms for one in tiers)
    across = Scale(0, longest, LATENCY_LEFT, LATENCY_RIGHT)
    height = len(tiers) * ROW + 6
    parts = [line(LATENCY_LEFT, 4, LATENCY_LEFT, height - 4, "axis")]
    for number, one in enumerate(tiers):
        y = number * ROW + 18
        middle, end = across.at(one.latency_ms), across.at(one.latency_p95_ms or one.latency_ms)
        parts += [
            text(LATENCY_LEFT - 8, y + 4, one.tier, "strong", "end"),
            line(LATENCY_LEFT, y, middle, y, "median"),
            line(middle, y, end, y, "tail"),
            line(end, y - 5, end, y + 5, "tail"),
            dot(middle, y, 4.5, "point"),
            text(end + 7, y + 4, f"{seconds(one.latency_ms)}, p95 {seconds(one.latency_p95_ms)}", "small"),
        ]
    told = "; ".join(f"{one.tier}: {seconds(one.latency_ms)}, p95 {seconds(one.latency_p95_ms)}" for one in tiers)
    return drawing(WIDTH, height, parts, f"{finding.suite}: latency. {told}")


def _least_rate(finding: Finding, tiers: Sequence[TierFinding]) -> tuple[float, float]:
    """Where the scale of rates begins, and its step: all intervals and the bar are on it."""
    lowest = min(one.low for one in tiers)
    if finding.claim.kind == "bar":
        lowest = min(lowest, finding.claim.value)
    for step in STEPS:
        least = max(0.0, floor((lowest - 0.01) / step) * step)
        if (1.0 - least) / step <= RATES_AT_MOST:
            return least, step
    return 0.0, STEPS[-1]


def _rate_lines(least: float, step: float, up: Scale) -> Iterator[str]:
    for number in range(round((1.0 - least) / step) + 1):
        share = least + number * step
        yield line(LEFT, up.at(share), RIGHT, up.at(share), "grid")
        yield text(LEFT - 6, up.at(share) + 4, f"{share:.0%}", "small", "end")


def _cost_lines(across: Scale) -> Iterator[str]:
    """1, 2 and 5 of each power of ten; fewer where that is too many."""
    low, high = across.value(LEFT), across.value(RIGHT)
    span = high - low
    wanted = next(digits for decades, digits in DIGITS if span < decades)
    for power in range(floor(low), ceil(high) + 1):
        for digit in wanted:
            cost = log10(digit) + power
            if low <= cost <= high:
                x = across.at(cost)
                yield line(x, TOP, x, BOTTOM, "grid")
                yield text(x, BOTTOM + 16, dollars(round(digit * 10.0**power * PICO_PER_USD)), "small", "middle")
    yield text((LEFT + RIGHT) / 2, BOTTOM + 36, "cost of a case, on a scale of multiples", "small", "middle")


def _claim(finding: Finding, tiers: Sequence[TierFinding], up: Scale, taken: list[Box]) -> Iterator[str]:
    """The bar; or how far below the top tier is still near enough."""
    if finding.claim.kind == "bar":
        share, words = finding.claim.value, f"bar {finding.claim.value:.0%}"
    else:
        top = next((one for one in tiers if one.tier == finding.tiers[-1].tier), None)
        if top is None:
            return
        share, words = rate(top) - finding.claim.value, f"{100 * finding.claim.value:g} points below {top.tier}"
    y = up.at(share)
    if TOP <= y <= BOTTOM:
        box = beside_line(y, box_of("", [words])[0], taken, AREA)
        taken.append(box)
        yield line(LEFT, y, RIGHT, y, "claim")
        yield text(box.left, box.bottom - 3, words, "small claimed label")


def _point(one: TierFinding, finding: Finding, spot: tuple[float, float], up: Scale) -> Iterator[str]:
    x, y = spot
    low, high = up.at(one.low), up.at(one.high)
    yield line(x, low, x, high, "interval")
    yield line(x - 5, low, x + 5, low, "interval")
    yield line(x - 5, high, x + 5, high, "interval")
    beaten = beaten_by(one, placed(finding)) is not None
    if one.tier == finding.winner:
        yield dot(x, y, 10, "winner")
    yield dot(x, y, 5.5, "point beaten" if beaten else "point")


def _taken(one: TierFinding, spot: tuple[float, float], up: Scale) -> Box:
    """The interval and the point: nothing is written over them."""
    return Box(spot[0] - 7, up.at(one.high) - 3, spot[0] + 7, up.at(one.low) + 3)


def _label(one: TierFinding, finding: Finding, spot: tuple[float, float], taken: list[Box]) -> Iterator[str]:
    """Name and figures beside the point."""
    beaten = beaten_by(one, placed(finding))
    name = f"{one.tier}{' ★' if one.tier == finding.winner else ''}"
    under = [f"{percent(rate(one))}, {a_case(one.cost_pico)}"]
    if beaten is not None:
        under.append(f"beaten by {beaten.tier}")
    box = place(*spot, box_of(name, under), taken, AREA)
    taken.append(box)
    yield text(box.left, box.top + 11, name, "strong label")
    for number, words in enumerate(under, 1):
        yield text(box.left, box.top + 11 + number * LINE, words, "small label")
