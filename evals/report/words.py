"""Figures as people read them: dollars, seconds, shares and days, each with as many places as are worth reading.

Rule: pure; a figure that is not known is a dash, never a zero.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor, log10

from router.vocabulary import PICO_PER_USD

from ..vocabulary import Finding, State, TierFinding

UNKNOWN = "-"
SIGNS = {
    State.CLEARS: "✓",
    State.FAILS: "✗",
    State.UNDECIDED: "?",
    State.OPEN: "…",
    State.UNTRIED: "·",
}


def dollars(pico: int) -> str:
    """Two digits that count below a dollar, cents above it."""
    amount = pico / PICO_PER_USD
    if pico == 0:
        return "$0"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    places = 1 - floor(log10(abs(amount)))
    whole, _, part = f"{amount:.{places}f}".partition(".")
    return f"${whole}.{part.rstrip('0'):0<2}"


def a_case(pico: int) -> str:
    """What a case costs: nothing is ever free, so a zero is what nobody knows."""
    return dollars(pico) if pico else UNKNOWN


def seconds(milliseconds: int) -> str:
    """0 is what nobody measured, such as the time of an answer that came in a batch."""
    if milliseconds <= 0:
        return UNKNOWN
    whole = milliseconds / 1000
    return f"{whole:.2f} s" if whole < 1 else f"{whole:.1f} s"


def percent(share: float) -> str:
    return f"{share:.1%}"


def points(difference: float) -> str:
    """A difference of two shares, with its sign."""
    return f"{100 * difference:+.1f} points"


def day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def rate(one: TierFinding) -> float:
    return one.passed / one.cases if one.cases else 0.0


def interval(one: TierFinding) -> str:
    return f"{100 * one.low:.0f}-{100 * one.high:.0f}%" if one.cases else UNKNOWN


def bound(one: TierFinding, finding: Finding) -> str:
    """What may be claimed of the tier, in the terms of the suite's claim."""
    if finding.claim.kind == "margin":
        below = one.below_top
        return UNKNOWN if below is None else f"at most {100 * below:.1f} points below {finding.tiers[-1].tier}"
    return f"at least {percent(one.at_least)}" if one.cases else UNKNOWN


def stands(one: TierFinding) -> str:
    """Sign and word of what is known of a tier's claim."""
    return f"{SIGNS[one.state]} {one.state.value}"


def saved(finding: Finding) -> float:
    """The share of calls that the looks spared."""
    return 1 - finding.calls / finding.calls_fixed if finding.calls_fixed else 0.0


def tier_of(finding: Finding, name: str | None) -> TierFinding | None:
    return next((one for one in finding.tiers if one.tier == name), None)
