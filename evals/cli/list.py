"""`tierwise eval list`: the suites, what they claim, and what a run of each may cost at most.

Rule: reads and prints.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.cli.wide import console_for
from router.vocabulary import PICO_PER_USD

from ..suitefile import SUITES, load_suites
from ..vocabulary import Suite

RIGHT = frozenset({"cases", "costs at most"})


@click.command("list")
@click.option("--suites", "root", type=click.Path(path_type=Path), default=SUITES, help="The folder with the suites.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_suites(root: Path, as_json: bool) -> None:
    """The suites: their cases, their grader, what they claim, and what a run of each costs at most.

    \b
    Examples:
      tierwise eval list
      tierwise eval list --suites ours/suites --json
    """
    suites = load_suites(root)
    if as_json:
        click.echo(msgspec.json.encode({"suites": [_as_data(suite) for suite in suites]}))
        return
    if not suites:
        click.echo(f"There are no suites in {root}. `tierwise eval new NAME --from-csv FILE` makes one.")
        return
    table = _table(suites)
    console_for(table).print(table)
    console = Console(highlight=False)
    for suite in suites:
        if suite.description:
            console.print(Text(f"{suite.name}: {suite.description}"))
    total = sum(suite.budget_pico for suite in suites) / PICO_PER_USD
    console.print(Text(f"All of them together cost at most ${total:,.2f}."))


def _table(suites: tuple[Suite, ...]) -> Table:
    table = Table()
    for name in ("suite", "task", "cases", "grader", "a tier does when it", "costs at most"):
        table.add_column(name, justify="right" if name in RIGHT else "left")
    for suite in suites:
        cells = (suite.name, suite.task, f"{len(suite.cases):,}", suite.grader.kind, suite.claim.words)
        table.add_row(*map(Text, cells), f"${suite.budget_pico / PICO_PER_USD:,.2f}")
    return table


def _as_data(suite: Suite) -> dict[str, object]:
    return {
        "name": suite.name,
        "task": suite.task,
        "description": suite.description,
        "cases": len(suite.cases),
        "grader": suite.grader.kind,
        "judged": suite.grader.judged,
        "claim": {"kind": suite.claim.kind, "value": suite.claim.value},
        "budget_usd": suite.budget_pico / PICO_PER_USD,
        "tiers": suite.tiers,
        "hash": suite.hash,
        "folder": str(suite.folder),
    }
