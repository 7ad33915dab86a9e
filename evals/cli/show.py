"""`tierwise eval show`: what a run found.

Rule: reads a run and prints it. With --json nothing but one JSON object goes to standard output.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from router.settings import load_settings

from ..picking import changed, hashes_now
from ..report.terminal import show as show_run
from ..runs import LATEST, NoRun, load
from ..vocabulary import Run


@click.command()
@click.argument("run_id", metavar="[RUN]", default=LATEST)
@click.option("--pairs", default=3, show_default=True, type=click.IntRange(min=0),
              help="So many cases of each suite on which tiers differ.")  # fmt: skip
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the runs are; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(run_id: str, pairs: int, data_dir: Path | None, as_json: bool) -> None:
    """Show what a run found: the newest one, or the one that is named.

    The verdicts first; then of each suite what each tier passed, with its 95 % interval, what that shows, what a case
    costs and takes, and cases on which tiers differ.

    \b
    Examples:
      tierwise eval show
      tierwise eval show run_20261118_0f3c --pairs 10
      tierwise eval show --json | jq .findings[].winner
    """
    run = named(run_id, data_dir)
    if as_json:
        click.echo(msgspec.json.encode(msgspec.structs.replace(run, tried={})))
    else:
        show_run(run, pairs, Console(highlight=False))
        for warning in changed(run.findings, hashes_now(run)):
            click.secho(f"warning: {warning}", fg="yellow")


def named(run_id: str, data_dir: Path | None) -> Run:
    """The run that the command line names; without one it ends in a line that says which there are."""
    try:
        return load(data_dir or load_settings().data_dir, run_id)
    except NoRun as missing:
        raise click.ClickException(str(missing)) from None
