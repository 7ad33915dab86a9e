"""`tierwise usage`: what was spent, by model, feature, user, task, day or tenant.

Rule: reads and prints; the adding up lives in router/ledger/report.py. With --json nothing but one JSON
object goes to standard output, and money in it is an exact decimal string.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from ..clock import SystemClock
from ..decide.budget import usd
from ..errors import SettingsError
from ..ledger.report import DIMENSIONS, Dimension, NoLedger, Spending, Sums, spending
from ..ledger.savings import Group, Saved, savings
from ..settings import load_settings
from . import cache_usage
from .wide import console_for

UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


class Since(click.ParamType[int]):
    """`7d`, `36h` or a day: as milliseconds since the epoch."""

    name = "since"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if found := re.fullmatch(r"(\d{1,6})([mhdw])", text):
            return max(0, SystemClock().now_ms() - int(found[1]) * UNIT_MS[found[2]])
        try:
            return round(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            self.fail(f"{text!r} is neither a span such as 90m, 36h, 7d or 2w nor a day such as 2026-11-01", param, ctx)


@click.command()
@click.option("--by", type=click.Choice(DIMENSIONS), default="model", show_default=True, help="What to group by.")
@click.option("--since", "since_ms", type=Since(), default="2020-01-01", help="From a span ago (7d) or a UTC day on.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the ledger is; else TIERWISE_DATA_DIR.")
@click.option("--cache", "of_cache", is_flag=True, help="What the prompt cache cost and saved, and why not more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def usage(by: Dimension, since_ms: int, data_dir: Path | None, of_cache: bool, as_json: bool) -> None:
    """Show what was spent. Works while the service runs, and is exact at that moment.

    Without a ledger it leaves with 1 (and with --json prints zeros all the same).

    \b
    Examples:
      tierwise usage --by feature --since 7d
      tierwise usage --by day --since 2026-11-01 --json
      tierwise usage --cache --since 1d
    """
    try:
        place = data_dir or load_settings().data_dir
        if of_cache:
            _tell_cache(savings(place, since_ms), as_json)
            return
        found = spending(place, by, since_ms)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    except NoLedger as error:
        if as_json:
            nothing = cache_usage.as_data({}) if of_cache else _as_data(Spending(total=Sums(), by=by, groups={}))
            click.echo(msgspec.json.encode(nothing))
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(_as_data(found)))
    else:
        _show(found)


def _tell_cache(groups: dict[Group, Saved], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(cache_usage.as_data(groups)))
    else:
        cache_usage.show(groups, _printable)


def _as_data(found: Spending) -> dict[str, object]:
    rows = [{"key": key, **_known(sums), "unknown": _unknown(sums)} for key, sums in _in_order(found)]
    return {
        "total": _known(found.total),
        "unknown": _unknown(found.total),
        "groups": {"by": found.by, "rows": rows},
    }


def _known(sums: Sums) -> dict[str, object]:
    return {
        "attempts": sums.attempts,
        "cost_usd": usd(sums.cost_pico),
        "exact": sums.exact,
        "estimated": sums.estimated,
        "void": sums.void,
        **sums.tokens,
    }


def _unknown(sums: Sums) -> dict[str, object]:
    return {"attempts": sums.unknown, "in_flight": sums.in_flight, "cost_usd_at_most": usd(sums.unknown_pico)}


def _in_order(found: Spending) -> list[tuple[str | None, Sums]]:
    """The dearest first; days as they came."""
    if found.by == "day":
        return sorted(found.groups.items(), key=lambda group: group[0] or "")
    return sorted(found.groups.items(), key=lambda group: (-group[1].cost_pico, group[0] or ""))


def _show(found: Spending) -> None:
    table = Table(show_footer=True)
    cells = [(_printable(key), *_cells(sums)) for key, sums in _in_order(found)]
    names = (found.by, "calls", "USD", "input", "cache read", "cache write", "output", "unknown, at most USD")
    for name, total in zip(names, ("total", *_cells(found.total)), strict=True):
        table.add_column(name, footer=total, justify="left" if name == found.by else "right")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console = console_for(table)
    console.print(table)
    for line in _in_words(found.total):
        console.print(Text(line), soft_wrap=True)


def _cells(sums: Sums) -> tuple[str, ...]:
    tokens = sums.tokens
    writes = tokens["cache_write_5m_tokens"] + tokens["cache_write_1h_tokens"]
    counts = (tokens["input_tokens"], tokens["cache_read_tokens"], writes, tokens["output_tokens"])
    return (
        f"{sums.attempts:,}",
        usd(sums.cost_pico),
        *(f"{count:,}" for count in counts),
        f"{sums.unknown:,}: {usd(sums.unknown_pico)}" if sums.unknown else "",
    )


def _in_words(total: Sums) -> list[str]:
    if total.exact:
        return ["Exact: the API gave the figures of every call."]
    lines = []
    if total.estimated:
        lines.append(f"{total.estimated:,} of the calls are estimates: cut short, or a figure or a price was missing.")
    if total.unknown:
        lines.append(
            f"{total.unknown:,} more were not seen to end ({total.in_flight:,} may still be running): "
            f"they cost at most {usd(total.unknown_pico)} USD, which is not in the total."
        )
    return lines


def _printable(key: str | None) -> str:
    """A name on one line; what a terminal would obey is shown as its escape."""
    if key is None:
        return "(none)"
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in key)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
