"""`tierwise eval pick`: the change that a run makes to routes.yaml, as a diff with its reasons.

Rule: reads, shows, and writes only with --write. With --json nothing but one JSON object goes to standard output.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec
from rich.console import Console

from router.clock import SystemClock
from router.decide.budget import usd
from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.policyfile import load
from router.settings import environment, load_settings
from router.vocabulary.noun import Noun

from ..labels import counted, read_labels
from ..picking import (
    HEAD,
    Effect,
    NotPicked,
    Picks,
    Samples,
    Wanted,
    comments_lost,
    diff,
    effects,
    hashes_now,
    merged,
    narrower,
    opening,
    picks,
    present,
    routes_path,
    text_of,
    with_routes,
    write,
)
from ..report.traffic import Traffic, month
from ..report.traffic_section import change, mix
from ..report.words import day, dollars
from ..runs import LATEST, NoRun, all_runs, latest_verdict
from ..vocabulary import Run
from .show import named

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


class Change(Noun, frozen=True, kw_only=True):
    """What a run would make of a routes.yaml, and what that means."""

    path: Path
    found: Picks
    after: str
    diff: str
    effects: tuple[Effect, ...]
    warnings: tuple[str, ...]
    graded: tuple[str, ...]  # requests of production that are added, a line each
    picked: Rulebook
    rules: Rulebook


@click.command()
@click.argument("run_id", metavar="[RUN]", default=LATEST)
@click.option("--policy", type=click.Path(path_type=Path), help="Whose routes.yaml; else that of the present policy.")
@click.option("--write", "to_write", is_flag=True, help="Write it. Without this nothing is changed.")
@click.option("--with-judged", is_flag=True, help="Take suites too that a model graded.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the runs are; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def pick(run_id: str, policy: Path | None, to_write: bool, with_judged: bool, data_dir: Path | None,
         as_json: bool) -> None:  # fmt: skip
    """Show what a run changes in routes.yaml, why, and what the policy then does; --write changes it.

    Without RUN it takes the newest run that came to its end with verdicts. Only suites that were measured to the end
    are taken, never a rehearsal. Graded requests (`tierwise eval sample`) are added. Leaves with 1 when nothing can be
    picked.

    \b
    Examples:
      tierwise eval pick
      tierwise eval pick run_20261118_0f3c --write
      tierwise eval pick --policy policies/next.yaml --json
    """
    settings = load_settings()
    where = policy or settings.policy
    place = data_dir or settings.data_dir
    graded = counted(read_labels(place))
    run = _run(run_id, place, graded)
    try:
        rules = load(where, settings.models, settings.prices, environment=environment())
        found = Picks(run_id="requests", tasks=()) if run is None else picks(run, rules, _wanted(run, with_judged))
        change_ = _change(found, where, rules, graded)
    except NotPicked as refused:
        raise click.ClickException(f"{refused}{_instead(run, place)}") from None
    except PolicyError as error:
        raise click.ClickException(str(error)) from None
    with Console(stderr=True).status("Reading the ledger ..."):
        traffic = month(place, rules, change_.picked, SystemClock().now_ms())
    written = to_write and bool(change_.diff)
    if written:
        _write(change_)
    if as_json:
        click.echo(msgspec.json.encode(_as_data(change_, traffic, written)))
    else:
        _from(run, run_id)
        _show(change_, traffic, to_write)


def _run(run_id: str, data_dir: Path, graded: Samples) -> Run | None:
    """None: nothing was measured, and graded requests are all there is."""
    if run_id != LATEST:
        return named(run_id, data_dir)
    try:
        return latest_verdict(data_dir)
    except NoRun as missing:
        if graded:
            return None
        raise click.ClickException(f"{missing}{_others(data_dir)}") from None


def _others(data_dir: Path) -> str:
    """Runs that `latest` passes over, so that nobody wonders where theirs went."""
    newest = next(iter(all_runs(data_dir)), None)
    if newest is None:
        return ""
    what = "was a rehearsal" if newest.rehearsed else "found no verdict" if newest.finished else "did not finish"
    return f". The newest, {newest.run_id}, {what}; name it to see what can be picked from it"


def _wanted(run: Run, with_judged: bool) -> Wanted:
    return Wanted(with_judged=with_judged, suite_hashes=hashes_now(run))


def _instead(refused: Run | None, data_dir: Path) -> str:
    """The newest run that was no rehearsal, where one was named."""
    if refused is None or not refused.rehearsed:
        return ""
    try:
        return f". The newest that was none: tierwise eval pick {latest_verdict(data_dir).run_id}"
    except NoRun:
        return ""


def _change(found: Picks, policy: Path, rules: Rulebook, graded: Samples) -> Change:
    """Raises PolicyError."""
    path, old = routes_path(policy), present(policy)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    new = merged(old, found, rules, graded)
    picked = with_routes(rules, new)
    after = text_of(new, opening(before) or HEAD)
    lost = comments_lost(before)
    warned = [*found.warnings, *narrower(old, found)]
    if lost:
        warned.append(f"{path}: {lost} lines of comment below the top are dropped")
    return Change(
        path=path,
        found=found,
        after=after,
        diff=diff(before, after, _name(path), found.run_id),
        effects=effects(found, rules, picked),
        warnings=tuple(warned),
        graded=tuple(_graded(graded)),
        picked=picked,
        rules=rules,
    )


def _graded(graded: Samples) -> Iterable[str]:
    for task, tiers in graded.items():
        counts = ", ".join(f"{tier} {one.passed}/{one.cases}" for tier, one in tiers.items())
        yield f"{task}: graded requests are added, {counts}"


def _name(path: Path) -> str:
    """As short as it can be said from here."""
    here = Path.cwd()
    whole = path.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)


def _write(one: Change) -> None:
    try:
        write(one.path, one.after)
    except OSError as error:
        raise click.ClickException(f"{one.path} cannot be written: {error.strerror or error}") from None


def _as_data(one: Change, traffic: Traffic | None, written: bool) -> dict[str, object]:
    return {
        "run": one.found.run_id,
        "file": str(one.path),
        "changes": bool(one.diff),
        "written": written,
        "picks": [
            {"task": pick.task, "winner": pick.winner, "reason": pick.reason, "suites": pick.verdict.suites}
            for pick in one.found.tasks
        ],
        "left_out": one.found.left_out,
        "warnings": one.warnings,
        "effects": [msgspec.to_builtins(effect) for effect in one.effects],
        "diff": one.diff,
        "month": None if traffic is None else _month(traffic),
    }


def _month(traffic: Traffic) -> dict[str, object]:
    return {
        "requests": traffic.requests,
        "counted": traffic.counted,
        "days": round(traffic.days, 2),
        "usd": {choice.name: usd(choice.pico) for choice in traffic.choices},
    }


def _from(run: Run | None, asked: str) -> None:
    if run is None:
        click.echo("From graded requests alone: nothing was measured yet.")
    elif asked == LATEST:
        click.echo(f"From {run.run_id} of {day(run.at_ms)}, the newest run that came to its end with verdicts.")


def _show(one: Change, traffic: Traffic | None, to_write: bool) -> None:
    for pick in one.found.tasks:
        click.secho(pick.reason, bold=True)
    for line in one.graded:
        click.echo(line)
    for left in one.found.left_out:
        click.echo(f"left out: {left}")
    for warning in one.warnings:
        click.secho(f"warning: {warning}", fg="yellow")
    click.echo()
    for line in one.diff.splitlines():
        click.secho(line, fg=COLOURS.get(line[:1]), bold=line.startswith(("---", "+++")))
    _show_effects(one)
    _show_month(traffic)
    click.echo()
    if not one.diff:
        click.echo(f"{_name(one.path)} says this already.")
    elif to_write:
        click.echo(f"Written: {_name(one.path)}. A running service takes it up by itself.")
    else:
        click.echo("Nothing was written; --write does that.")


def _show_effects(one: Change) -> None:
    if not one.effects:
        return
    wanted = one.rules.policy.routes
    held = "the evals' word" if wanted.by == "verdict" else f"its own bar of {wanted.bar:.0%}"
    click.secho(f"\nWhat {_name(Path(one.rules.source))} does with it (routes.by: {wanted.by}, {held}):", bold=True)
    for effect in one.effects:
        before, after = (tier or "by difficulty" for tier in (effect.before, effect.after))
        moved = f"stays {after}" if before == after else f"{before} -> {after}"
        click.echo(f"  {effect.task}: {moved}. {effect.reason.removeprefix(effect.task + ': ')}.")
        if effect.why_not_named:
            click.secho(f"    The evals named {effect.named}, but {effect.why_not_named}.", fg="yellow")


def _show_month(traffic: Traffic | None) -> None:
    if traffic is None or not traffic.counted:
        return
    click.secho(f"\nThe ledger's last 30 days, {traffic.counted:,} of {traffic.requests:,} requests:", bold=True)
    for choice in traffic.choices:
        told = f"{choice.name:<22} {dollars(choice.pico):>10} {change(choice, traffic.choices[0]):>6}"
        click.echo(f"  {told}  {mix(choice)}")
