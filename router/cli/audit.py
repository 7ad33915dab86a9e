"""`tierwise audit`: who changed what the service does, and when.

Rule: reads and prints; the rows are written where a change happens, and nothing can change them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from ..ledger.history import audits
from ..ledger.report import NoLedger
from ..settings import load_settings
from ..vocabulary import Audit
from .usage import Since


@click.command()
@click.option("--since", "since_ms", type=Since(), default="2020-01-01", help="From a span ago (7d) or a UTC day on.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the ledger is; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def audit(since_ms: int, data_dir: Path | None, as_json: bool) -> None:
    """Show every load, reload, promotion, rollback and admin action, oldest first.

    \b
    Examples:
      tierwise audit --since 7d
      tierwise audit --json
    """
    try:
        found = audits(data_dir or load_settings().data_dir, since_ms)
    except NoLedger as error:
        raise click.ClickException(str(error)) from None
    console = Console(highlight=False)
    for row in found:
        if as_json:
            click.echo(msgspec.json.encode(row))
        else:
            _show(console, row)
    if not found and not as_json:
        console.print("Nothing was changed in that time.")


def _show(console: Console, row: Audit) -> None:
    when = datetime.fromtimestamp(row.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    change = f"{row.old_hash or '(none)'} -> {row.new_hash}" if row.old_hash != row.new_hash else row.new_hash
    console.print(Text(f"{when}  {row.action:<13} by {row.who:<9} {change}", style="bold"), soft_wrap=True)
    for line in [*row.detail.splitlines(), *row.diff.splitlines()]:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else ""
        console.print(Text(f"    {_printable(line)}", style=style), soft_wrap=True)


def _printable(line: str) -> str:
    """What a terminal would obey is shown as its escape."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
