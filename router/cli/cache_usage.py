"""`tierwise usage --cache`: what the prompt cache cost, what it saved, and what stood in its way.

Rule: prints; the adding up lives in router/ledger/savings.py.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from ..decide.budget import usd
from ..ledger.savings import Group, Saved, total
from .wide import console_for

WORDS = {
    "first": "sent for the first time",
    "expired": "come back after their entry had ended",
    "prefix_changed": "with another head than the call before",
    "model_changed": "warm on another model",
    "dropped": "whose entry should have been there and was not",
    "too_short": "too short to be cached",
    "not_marked": "not expected to come back often enough",
    "never_repeated": "written and never read",
}
OFTEN = 3  # calls: a new version of a prompt is one
HEADS_SHOWN = 4  # of one feature on one model; the rest are added up
COLUMNS = ("feature", "model", "prefix", "calls", "read", "written", "read of all", "writes USD", "saved USD", "pays")


def as_data(groups: dict[Group, Saved]) -> dict[str, object]:
    return {
        "total": {**_figures(total(groups)), "misses": _all_misses(groups)},
        "groups": [
            {"feature": group.feature, "model": group.model, "prefix": group.prefix, **_figures(saved)}
            for group, saved in groups.items()
        ],
    }


def show(groups: dict[Group, Saved], printable: Callable[[str | None], str]) -> None:
    whole = total(groups)
    table = Table(show_footer=True)
    footers = ("total", "", "", *_cells(whole))
    for name, footer in zip(COLUMNS, footers, strict=True):
        table.add_column(name, footer=footer, justify="left" if name in COLUMNS[:3] else "right")
    for (feature, model), own in _by_feature(groups).items():
        heads = list(own.items())
        for group, saved in heads[:HEADS_SHOWN]:
            table.add_row(printable(feature), model, group.prefix[:8] or "(none)", *_cells(saved))
        rest = dict(heads[HEADS_SHOWN:])
        if rest:
            table.add_row(printable(feature), model, f"{len(rest):,} more", *_cells(total(rest)))
    console = console_for(table)
    console.print(table)
    for line in _in_words(groups, whole, printable):
        console.print(Text(line), soft_wrap=True)


def _by_feature(groups: dict[Group, Saved]) -> dict[tuple[str | None, str], dict[Group, Saved]]:
    found: dict[tuple[str | None, str], dict[Group, Saved]] = {}
    for group, saved in groups.items():
        found.setdefault((group.feature, group.model), {})[group] = saved
    return found


def _cells(saved: Saved) -> tuple[str, ...]:
    return (
        f"{saved.calls:,}",
        f"{saved.read_tokens:,}",
        f"{saved.write_tokens:,}",
        f"{saved.hit_rate:.1%}",
        usd(saved.write_pico),
        usd(saved.saved_pico),
        _pays(saved),
    )


def _figures(saved: Saved) -> dict[str, object]:
    return {
        "calls": saved.calls,
        "hits": saved.hits,
        "writes": saved.writes,
        "input_tokens": saved.input_tokens,
        "cache_read_tokens": saved.read_tokens,
        "cache_write_5m_tokens": saved.write_5m_tokens,
        "cache_write_1h_tokens": saved.write_1h_tokens,
        "hit_rate": round(saved.hit_rate, 4),
        "cost_usd": usd(saved.cost_pico),
        "uncached_usd": usd(saved.plain_pico),
        "writes_usd": usd(saved.write_pico),
        "saved_usd": usd(saved.saved_pico),
        "reads_per_write": _ratio(saved),
        "pays": saved.saved_pico > 0,
        "misses": _misses(saved),
        "lost_tokens": saved.lost_tokens,
        "varies_at": saved.varies_at,
    }


def _misses(saved: Saved) -> dict[str, int]:
    never = {"never_repeated": saved.writes} if saved.writes and not saved.hits else {}
    return {**saved.causes, **never}


def _all_misses(groups: dict[Group, Saved]) -> dict[str, int]:
    never = sum(saved.writes for saved in groups.values() if not saved.hits)
    return {**total(groups).causes, **({"never_repeated": never} if never else {})}


def _ratio(saved: Saved) -> float | None:
    return round(saved.read_tokens / saved.write_tokens, 2) if saved.write_tokens else None


def _pays(saved: Saved) -> str:
    """Each written token was read so often, and whether that was enough."""
    ratio = _ratio(saved)
    if ratio is None:
        return "-" if not saved.read_tokens else "yes"
    return f"{'yes' if saved.saved_pico > 0 else 'no'}, {ratio:g} reads"


def _in_words(groups: dict[Group, Saved], whole: Saved, printable: Callable[[str | None], str]) -> list[str]:
    lines = []
    if whole.plain_pico:
        share = whole.saved_pico / whole.plain_pico
        lines.append(f"Without caching all this would have cost {usd(whole.plain_pico)} USD: {share:.1%} was saved.")
    if _all_misses(groups):
        lines.append("Calls that read nothing, or less than they could:")
        causes = sorted(_all_misses(groups).items(), key=lambda item: -item[1])
        lines += [f"  {calls:>8,} {WORDS.get(cause, cause)}" for cause, calls in causes]
    for (feature, model), own in _by_feature(groups).items():
        saved = total(own)
        tokens, calls = saved.lost_tokens.get("prefix_changed", 0), saved.causes.get("prefix_changed", 0)
        places = sorted({one.varies_at for one in own.values() if one.varies_at})
        if places and calls >= OFTEN:
            lines.append(
                f"{printable(feature)} on {model}: {', '.join(places)} is another one from call to call; "
                f"{calls:,} calls lost up to {tokens:,} tokens by it. Move what varies to the end (docs/caching.md)."
            )
    return lines
