"""The page's part on the ledger's month: what the same requests cost under each choice.

Rule: draws a Traffic.
"""

from __future__ import annotations

from html import escape

from .svg import drawing, text
from .traffic import CAVEAT, Choice, Traffic
from .words import dollars

WIDTH, ROW, LABEL = 460, 30, 136
FIGURES = 122  # right of the longest bar
REASONS_SHOWN = 5


def month_section(traffic: Traffic | None) -> list[str]:
    """Nothing where there is no ledger."""
    if traffic is None or not traffic.counted:
        return []
    return [
        "<h2>A month of the ledger's traffic under each choice</h2>",
        f'<p class="muted small">{_about(traffic)} {CAVEAT}</p>',
        f"<figure>{_bars(traffic)}</figure>",
        _table(traffic),
        _unknown(traffic),
    ]


def change(choice: Choice, paid: Choice) -> str:
    return "-" if choice is paid or not paid.pico else f"{(choice.pico - paid.pico) / paid.pico:+.0%}"


def mix(choice: Choice) -> str:
    """Which share of the requests goes to which tier."""
    whole = sum(choice.tiers.values())
    return ", ".join(f"{tier} {count / whole:.0%}" for tier, count in choice.tiers.items()) if whole else "-"


def _about(traffic: Traffic) -> str:
    return (
        f"{traffic.counted:,} requests of the last 30 days, the first and the last of them {traffic.days:.1f} days"
        " apart, each under each choice."
    )


def _kind(choice: Choice, traffic: Traffic) -> str:
    if choice is traffic.choices[0]:
        return "bar paid"
    return "bar pick" if choice.name.startswith("with") else "bar"


def _bars(traffic: Traffic) -> str:
    most = max(choice.pico for choice in traffic.choices) or 1
    parts = []
    for number, choice in enumerate(traffic.choices):
        y = number * ROW
        length = max(1.0, (WIDTH - LABEL - FIGURES) * choice.pico / most)
        kind = _kind(choice, traffic)
        parts.append(text(LABEL - 8, y + 19, choice.name, "strong" if kind == "bar pick" else "", "end"))
        parts.append(f'<rect x="{LABEL}" y="{y + 5}" width="{length:.1f}" height="19" rx="2" class="{kind}"/>')
        told = dollars(choice.pico)
        if number:
            told = f"{told} ({change(choice, traffic.choices[0])})"
        parts.append(text(LABEL + length + 7, y + 19, told))
    said = "; ".join(f"{choice.name}: {dollars(choice.pico)}" for choice in traffic.choices)
    return drawing(WIDTH, len(traffic.choices) * ROW, parts, f"What the same requests cost. {said}", "month")


def _table(traffic: Traffic) -> str:
    rows = "".join(
        f"<tr><td>{escape(choice.name)}</td><td class='n'>{dollars(choice.pico)}</td>"
        f"<td class='n'>{change(choice, traffic.choices[0])}</td><td>{escape(mix(choice))}</td></tr>"
        for choice in traffic.choices
    )
    head = "<th>choice</th><th class='n'>USD</th><th class='n'>change</th><th>requests by tier</th>"
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _unknown(traffic: Traffic) -> str:
    if not traffic.unknown:
        return ""
    left = traffic.requests - traffic.counted
    whys = "; ".join(f"{count:,} {why}" for why, count in list(traffic.unknown.items())[:REASONS_SHOWN])
    return f'<p class="muted small">{left:,} requests do not count: {escape(whys)}.</p>'
