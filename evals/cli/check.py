"""`tierwise eval check`: are the suites right, do they fit the policy, and do they grade what they say?

Rule: reads and prints; the checks live in evals/suitefile/ and evals/proving.py. Nothing is asked of anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.policyfile import load
from router.settings import environment, load_settings
from router.vocabulary.noun import Noun

from ..errors import SuiteError
from ..graders import RUNS_CODE
from ..proving import prove
from ..sandbox.running import doors_of
from ..suitefile import SUITES, advise, folders_of, human_labels, load_suites
from ..vocabulary import Suite


class Checked(Noun, frozen=True, kw_only=True):
    """What was found of the suites."""

    suites: tuple[Suite, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@click.command()
@click.argument("names", metavar="[SUITE]...", nargs=-1)
@click.option("--suites", "root", type=click.Path(path_type=Path), default=SUITES, help="The folder with the suites.")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Held against this policy; else the one that is served."
)
@click.option("--quick", is_flag=True, help="Do not try the graders on the expected answers.")
@click.option("--strict", is_flag=True, help="Leave with 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(names: tuple[str, ...], root: Path, policy: Path | None, quick: bool, strict: bool, as_json: bool) -> None:
    """Check suites: their files, their fit with the policy, and that each expected answer passes its own grader.

    Every problem is shown with its file and line. Leaves with 1 when something is wrong.

    \b
    Examples:
      tierwise eval check
      tierwise eval check support-tickets --quick
    """
    rules = _rules(policy)
    found = Checked()
    for name in names or tuple(folders_of(root)):
        found = _with(found, _checked(root, name, rules, quick=quick))
    if as_json:
        click.echo(msgspec.json.encode(_as_data(found)))
    else:
        _show(found)
    raise SystemExit(1 if found.problems or (strict and found.warnings) else 0)


def _rules(policy: Path | None) -> Rulebook:
    settings = load_settings()
    try:
        return load(policy or settings.policy, settings.models, settings.prices, environment=environment())
    except PolicyError as error:
        raise click.ClickException(f"the policy is wrong, see `tierwise check`: {error.problems[0]}") from None


def _checked(root: Path, name: str, rules: Rulebook, *, quick: bool) -> Checked:
    """One suite: first what would keep it from being read, then what would make it wrong."""
    try:
        (suite,) = load_suites(root, [name])
        human_labels(suite)
    except SuiteError as error:
        return Checked(problems=error.problems)
    report = advise(suite, rules)
    problems, warnings = report.errors, report.warnings
    if not quick:
        with Console(stderr=True).status(f"Trying the grader of {name} on its {len(suite.cases)} cases ..."):
            proved, doors = asyncio.run(_proved(suite))
        problems, warnings = (*problems, *proved), (*warnings, *doors)
    return Checked(suites=(suite,), problems=problems, warnings=warnings)


async def _proved(suite: Suite) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What does not hold, and what the sandbox cannot shut here."""
    open_doors = await doors_of() if suite.grader.kind in RUNS_CODE else ()
    warnings = tuple(f"{suite.name}: {why}" for why in open_doors)
    return await prove(suite), warnings


def _with(one: Checked, other: Checked) -> Checked:
    return Checked(
        suites=one.suites + other.suites,
        problems=one.problems + other.problems,
        warnings=one.warnings + other.warnings,
    )


def _as_data(found: Checked) -> dict[str, object]:
    suites = [{"name": suite.name, "cases": len(suite.cases), "hash": suite.hash} for suite in found.suites]
    return {"ok": not found.problems, "suites": suites, "problems": found.problems, "warnings": found.warnings}


def _show(found: Checked) -> None:
    for suite in found.suites:
        click.echo(f"{suite.name}: {len(suite.cases)} cases, grader {suite.grader.kind}")
    if not found.suites and not found.problems:
        click.echo("There are no suites here. `tierwise eval new NAME --from-csv FILE` makes one.")
    for title, lines in (("Warning", found.warnings), ("Wrong", found.problems)):
        for line in lines:
            click.echo(f"{title}: {line}", err=title == "Wrong")
    click.echo(f"{_counted(found.problems, 'problem')}, {_counted(found.warnings, 'warning')}")


def _counted(things: Sequence[str], name: str) -> str:
    return f"{len(things) or 'no'} {name}{'' if len(things) == 1 else 's'}"
