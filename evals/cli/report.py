"""`tierwise eval report`: a run as one HTML page.

Rule: reads a run and the ledger, and writes one file.
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from router.clock import SystemClock
from router.errors import PolicyError
from router.policyfile import load
from router.settings import environment, load_settings

from ..labels import counted, read_labels
from ..picking import NotPicked, Wanted, merged, picks, present, with_routes
from ..report.page import page
from ..report.traffic import Traffic, month
from ..runs import LATEST
from ..vocabulary import Run
from .show import named


@click.command()
@click.argument("run_id", metavar="[RUN]", default=LATEST)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
@click.option("--policy", type=click.Path(path_type=Path), help="The policy of the month's cost; else the present one.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where runs and ledger are; else TIERWISE_DATA_DIR.")
def report(run_id: str, html: Path, policy: Path | None, data_dir: Path | None) -> None:
    """Write a run as one page that needs nothing else: verdicts, plots, tables, and a month of the ledger's traffic.

    Where there is a ledger, the page says what its last 30 days would cost under each choice.

    \b
    Examples:
      tierwise eval report --html evals.html
      tierwise eval report run_20261118_0f3c --html /tmp/evals.html
    """
    run = named(run_id, data_dir)
    with Console(stderr=True).status("Reading the ledger ..."):
        traffic = _month(run, policy, data_dir)
    try:
        html.write_text(page(run, traffic), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{html} cannot be written: {error.strerror or error}") from None
    click.echo(f"{html}: {html.stat().st_size / 1024:,.0f} kB, opens in any browser.")


def _month(run: Run, policy: Path | None, data_dir: Path | None) -> Traffic | None:
    """Nothing where the policy cannot be read: the page is about the run."""
    settings = load_settings()
    where = policy or settings.policy
    try:
        rules = load(where, settings.models, settings.prices, environment=environment())
        old = present(where)
    except PolicyError as error:
        click.echo(f"without the month of traffic, because the policy is wrong: {error}", err=True)
        return None
    place = data_dir or settings.data_dir
    try:
        picked = with_routes(rules, merged(old, picks(run, rules, Wanted()), rules, counted(read_labels(place))))
    except NotPicked:
        picked = None
    return month(place, rules, picked, SystemClock().now_ms())
