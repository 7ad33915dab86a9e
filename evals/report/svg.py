"""The few shapes that the plots are made of, as plain SVG text.

Rule: every text is escaped here; colours are classes, so that the page's style gives light and dark.
"""

from __future__ import annotations

from html import escape


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{kind}"/>'


def path(points: list[tuple[float, float]], kind: str) -> str:
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="{kind}"/>'


def drawing(width: int, height: int, parts: list[str], told: str, kind: str = "plot") -> str:
    """`told` is what a reader who does not see it is told."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(told, quote=True)}">'
        f"<title>{escape(told)}</title>{''.join(parts)}</svg>"
    )
