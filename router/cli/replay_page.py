"""The replay as one HTML page: tiles, plots and the table of moves, without a script or anything from outside.

Rule: draws what it is given. Every text is escaped; a plot is plain SVG, so that the page opens anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape

from ..decide.replay import DAY_MS, Replay

THEN, NOW = "#8a94a6", "#0f766e"
WIDTH, ROW, LABEL = 720, 46, 110
MOVES_SHOWN = 100
CAVEATS = (
    "Costs are the tokens that were used, at the exact price of the model that would have been asked; what a"
    " request would have used there is not known. Retries and second opinions (`agree`) count as they were where the"
    " model stays: whether two answers would have agreed is not replayed. The classifier's own calls are not in the"
    " figures."
)
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2430;margin:2rem auto;max-width:800px;padding:0 1rem}
h1{font-size:1.4rem;margin-bottom:.2rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
.tiles{display:flex;gap:1rem;flex-wrap:wrap;margin:1.2rem 0}
.tile{border:1px solid #dde3ea;border-radius:8px;padding:.7rem 1rem;min-width:130px}
.tile b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.muted{color:#5b6675}.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 1em}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #e6ebf0;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#1c2430}
"""


def page(replay: Replay, told: dict[str, object], since_ms: int) -> str:
    """The whole page."""
    since = datetime.fromtimestamp(since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    unknown, refused = replay.unknown.total(), replay.refused.total()
    before, after = replay.before.pico, replay.after.pico
    change = f"{(after - before) / before:+.1%}" if before else "none"
    tiles = {
        "requests": f"{replay.requests:,}",
        "move": f"{replay.moved:,}",
        "cost then, USD": _money(before),
        "cost now, USD": _money(after),
        "change": change,
        "unknown": f"{unknown:,}",
        "refused": f"{refused:,}",
    }
    key = f'<i style="background:{THEN}"></i>as it was<i style="background:{NOW}"></i>under this policy'
    pace = f"decided at {told['decisions_per_second'] or 0:,} a second without any network"
    about = f"policy {escape(replay.rules.hash)}, requests since {since}, {pace}"
    parts = [
        f"<h1>Replay of {escape(replay.rules.source)}</h1>",
        f'<p class="muted">{about}</p>',
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{value}</b>{name}</div>' for name, value in tiles.items()),
        "</div>",
        f'<p class="key">Each pair:{key}</p>',
        "<h2>Requests by tier</h2>",
        _bars(_by_tier(replay), lambda count: f"{count:,}"),
        "<h2>Cost by tier, USD</h2>",
        _bars(_cost_by_tier(replay), _money),
        "<h2>Cost by day, USD</h2>",
        _bars(_cost_by_day(replay), _money),
        "<h2>Who moves, and why</h2>",
        _moves(replay),
        _counted("Unknown", replay.unknown.most_common()),
        _counted("Refused", replay.refused.most_common()),
        f'<p class="muted">{CAVEATS}</p>',
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Replay</title><style>{STYLE}</style><body>{body}</body></html>\n"
    )


def _by_tier(replay: Replay) -> list[tuple[str, int, int]]:
    return [(tier, replay.before.by_tier[tier], replay.after.by_tier[tier]) for tier in _tiers(replay)]


def _cost_by_tier(replay: Replay) -> list[tuple[str, int, int]]:
    before, after = replay.before.pico_by_tier, replay.after.pico_by_tier
    return [(tier, before[tier], after[tier]) for tier in _tiers(replay)]


def _cost_by_day(replay: Replay) -> list[tuple[str, int, int]]:
    before, after = replay.before.pico_by_day, replay.after.pico_by_day
    return [(_day(day), before[day], after[day]) for day in sorted({*before, *after})]


def _tiers(replay: Replay) -> list[str]:
    seen = {**replay.before.by_tier, **replay.after.by_tier}
    own = [tier for tier in replay.rules.tier_order if tier in seen]
    return own + sorted(set(seen) - set(own))


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m-%d")


def _money(pico: int) -> str:
    """Dollars with as many places as are worth reading."""
    amount = pico / 1e12
    return f"{amount:,.2f}" if amount >= 1 or pico == 0 else f"{amount:.6f}".rstrip("0")


def _bars(rows: list[tuple[str, int, int]], say: Callable[[int], str]) -> str:
    """A pair of bars for each row, as it was and as it would be."""
    top = max([1, *(max(before, after) for _, before, after in rows)])
    room = WIDTH - LABEL - 110
    drawn = []
    for number, (name, *pair) in enumerate(rows):
        y = number * ROW
        drawn.append(f'<text x="{LABEL - 10}" y="{y + 27}" text-anchor="end">{escape(name)}</text>')
        for offset, value, colour in ((4, pair[0], THEN), (23, pair[1], NOW)):
            length = max(1, round(room * value / top)) if value else 0
            drawn.append(f'<rect x="{LABEL}" y="{y + offset}" width="{length}" height="16" rx="2" fill="{colour}"/>')
            drawn.append(f'<text x="{LABEL + length + 6}" y="{y + offset + 12}">{escape(say(value))}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {max(1, len(rows)) * ROW}" role="img">{"".join(drawn)}</svg>'


def _moves(replay: Replay) -> str:
    ordered = sorted(replay.moves.items(), key=lambda move: -move[1].requests)[:MOVES_SHOWN]
    rows = "".join(
        f"<tr><td>{escape(before)} &rarr; {escape(after)}</td><td>{escape(reason)}</td>"
        f'<td class="n">{move.requests:,}</td><td class="n">{_money(move.before_pico)}</td>'
        f'<td class="n">{_money(move.after_pico)}</td></tr>'
        for (before, after, reason), move in ordered
    )
    head = '<th>move</th><th>why</th><th class="n">requests</th><th class="n">USD then</th><th class="n">USD now</th>'
    return f"<table><tr>{head}</tr>{rows}</table>" if rows else "<p>Nobody moves.</p>"


def _counted(title: str, counted: Iterable[tuple[str, int]]) -> str:
    rows = "".join(f'<tr><td>{escape(reason)}</td><td class="n">{count:,}</td></tr>' for reason, count in counted)
    return f"<h2>{title}</h2><table>{rows}</table>" if rows else ""
