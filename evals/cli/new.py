"""`tierwise eval new`: a suite from examples, ready to be read through.

Rule: reads examples and prints what was made; the writing lives in evals/scaffold.py. No text of an example is printed.
"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from router.errors import PolicyError
from router.ledger.prompts import kept_prompts
from router.ledger.report import NoLedger
from router.policyfile import load
from router.settings import environment, load_settings

from ..csv_rows import examples_of
from ..kept_rows import Kept, examples_of_kept
from ..scaffold import Choices, Example, Scaffolded, scaffold
from ..suitefile import SUITES

WAYS = "say where the examples come from: --from-csv FILE or --from-ledger"


@click.command()
@click.argument("name")
@click.option("--from-csv", "table", type=click.Path(path_type=Path),
              help="Columns: input (or other fields), expected; id, cluster and tags if you like.")  # fmt: skip
@click.option("--from-ledger", is_flag=True, help="From the requests that the policy keeps (`sampling.keep`).")
@click.option("--task", help="The policy's task of the suite; with --from-ledger only its requests.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="So many examples at most.")
@click.option("--suites", "root", type=click.Path(path_type=Path), default=SUITES, help="The folder with the suites.")
def new(name: str, table: Path | None, from_ledger: bool, task: str | None, limit: int, root: Path) -> None:
    """Make the suite NAME from examples. Nothing that is there is written over.

    The grader is guessed from the expected values, and says so. Requests of the past have no expected value: those are
    yours to write.

    \b
    Examples:
      tierwise eval new refunds --from-csv refunds.csv --task classify
      tierwise eval new invoices --from-ledger --task extract --limit 120
    """
    if (table is None) == (not from_ledger):
        raise click.UsageError(WAYS)
    if table is not None:
        examples, system = _first(examples_of(table), limit), ""
    else:
        kept = _kept(task, limit)
        examples, system, task = kept.examples, kept.system, task or kept.task
    made = scaffold(root, name, examples, Choices(task=task, system=system, judge=_judge()))
    _show(name, made, root)


def _first(examples: tuple[Example, ...], limit: int) -> tuple[Example, ...]:
    if len(examples) > limit:
        _tell(f"Left out: the {len(examples) - limit:,} rows after the first {limit:,} (--limit takes more).")
    return examples[:limit]


def _kept(task: str | None, limit: int) -> Kept:
    try:
        kept = examples_of_kept(kept_prompts(load_settings().data_dir, task=task), limit)
    except NoLedger as error:
        raise click.ClickException(str(error)) from None
    left_out = (
        (kept.unfit, "have several turns, tools, or more than text"),
        (kept.other_system, "have another system prompt; a suite has one"),
        (kept.repeated, "ask the same as another"),
    )
    for count, why in left_out:
        if count:
            _tell(f"Left out: {count:,} requests that {why}.")
    return kept


def _tell(line: str) -> None:
    Console(stderr=True, highlight=False).print(Text(line), soft_wrap=True)


def _judge() -> str:
    """The highest tier that the policy sends anything to by itself."""
    settings = load_settings()
    try:
        rules = load(settings.policy, settings.models, settings.prices, environment=environment())
    except PolicyError as error:
        raise click.ClickException(f"the policy is wrong, see `tierwise check`: {error.problems[0]}") from None
    return [tier for tier in rules.tier_order if not rules.policy.tiers[tier].only_by_name][-1]


def _show(name: str, made: Scaffolded, root: Path) -> None:
    click.echo(f"Made {made.folder}: {made.cases} cases, grader {made.kind} (guessed: {made.why}).")
    if made.unfilled:
        click.echo(f"{made.unfilled} cases have no expected value: write what a right answer says.")
    where = "" if root == SUITES else f" --suites {root}"
    click.echo(f"Read {made.folder / 'suite.yaml'} through, then: tierwise eval check {name}{where}")
