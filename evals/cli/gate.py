"""`tierwise gate`: the small local model that answers instead of the classifier: fit one, show the one there is.

Rule: options, files and what is printed; what is learnt and what may be claimed says evals/learn. With --json nothing
but one JSON object goes to standard output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from router.cli.usage import Since
from router.cli.wide import console_for
from router.clock import SystemClock
from router.decide.gate_file import Gate, Known, Lane, read_gate, write_gate
from router.decide.policy import Rulebook
from router.errors import PolicyError, SettingsError
from router.gating import GATE
from router.ledger.history import decisions
from router.ledger.prompts import kept_prompts
from router.ledger.report import NoLedger
from router.policyfile import load
from router.settings import Settings, environment, load_settings

from ..durable import write_whole
from ..labels import read_labels
from ..learn.bound import Asked
from ..learn.drafting import Wanted
from ..learn.fitting import NotEnough, fit_gate
from ..learn.solving import on_one_thread
from ..learn.sources import Found, of_agreement, of_runs, of_verdicts
from ..runs import NoRun, all_runs
from ..runs import load as load_run
from ..sampling import reachable
from ..suitefile import SUITES, SuiteError, load_suite
from ..vocabulary import Suite
from .failing import Failing

LOOK_BACK_MS = 30 * 86_400_000
KEPT_MAX = 20_000  # requests, the newest


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of the last thirty days that needed a verdict."""

    answered: int = 0
    left: int = 0  # to the classifier

    @property
    def words(self) -> str:
        asked = self.answered + self.left
        if not asked:
            return "The ledger has no request of the last 30 days that needed a verdict."
        return (
            f"Of {asked:,} requests of the last 30 days that needed a verdict it answered {self.answered:,}"
            f" ({self.answered / asked:.0%}). What the classifier would have said to some of them counts"
            " tierwise_gate_audits_total, in /metrics."
        )


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    run_id: str | None
    ledger: bool
    since_ms: int
    recognise: bool
    alpha: float | None
    min_cases: int | None
    suites: Path
    out: Path | None
    data_dir: Path | None
    as_json: bool


@click.group(cls=Failing)
def gate() -> None:
    """A small local model that answers instead of the classifier, where it was shown that it may.

    \b
    Examples:
      tierwise gate fit
      tierwise gate show
    """


@gate.command()
@click.option("--run", "run_id", help="Learn from this run only; else from the newest of each suite.")
@click.option("--ledger", is_flag=True, help="Learn from kept requests too: the classifier's verdicts on them, and"
              " those that two tiers answered.")  # fmt: skip
@click.option("--since", "since_ms", type=Since(), default="30d", show_default=True, help="Of kept requests.")
@click.option("--recognise", is_flag=True, help="With --ledger: also answer requests that nobody named a task for.")
@click.option("--alpha", type=click.FloatRange(0.01, 0.5), help="At most so large a share of its answers may be wrong."
              " Left out, as the policy says.")  # fmt: skip
@click.option("--min-cases", type=click.IntRange(10), help="A bound rests on at least so many cases. Left out, as the"
              " policy says.")  # fmt: skip
@click.option("--suites", type=click.Path(path_type=Path), default=SUITES, help="The folder with the suites.")
@click.option("--out", type=click.Path(path_type=Path), help="Where it is written; else where the policy looks for it.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where runs and ledger are; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fit(**options: object) -> None:
    """Fit the gate from what evals and the classifier said so far.

    Two in five labels are learnt from; the others say, for each task, up to which risk the gate may answer so that no
    more than alpha of its answers are wrong, with 90 % confidence. Where that cannot be shown, it says what is
    missing. It leaves with 1, and writes nothing, where it could be shown for no task.

    \b
    Examples:
      tierwise gate fit
      tierwise gate fit --ledger --alpha 0.15
      tierwise gate fit --run run_20261118_0f3c --out /tmp/gate.json --json
    """
    given = Options(**options)  # type: ignore[arg-type]  # click gives each by its name
    settings, rules = _opened(given.data_dir)
    asked = Asked(
        alpha=given.alpha or rules.policy.gate.alpha, min_cases=given.min_cases or rules.policy.gate.min_cases
    )
    try:
        found = labels_of(given, settings, rules)
        wanted = Wanted(asked=asked, recognise=given.recognise, at_ms=SystemClock().now_ms(), fitted_on=_words(found))
        with on_one_thread():
            fitted = fit_gate(found.labels, wanted)
    except (NoRun, NoLedger, SuiteError) as error:
        raise click.ClickException(str(error)) from None
    except NotEnough as error:
        raise click.ClickException("\n".join((str(error), *_left_out(found.notes)))) from None
    path = given.out or place_of(settings, rules)
    opens = any(_lanes(known) for known in fitted.tasks)
    if opens:
        _write(path, fitted)
    _tell(fitted, path if opens else None, found.notes, as_json=given.as_json)
    if not opens:
        raise click.exceptions.Exit(1)


@gate.command()
@click.option("--file", "path", type=click.Path(path_type=Path), help="Another file than the policy's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(path: Path | None, as_json: bool) -> None:
    """Show the gate: when and on what it was fitted, and what it may answer with which bound.

    \b
    Examples:
      tierwise gate show
      tierwise gate show --file /tmp/gate.json --json
    """
    settings, rules = _opened(None)
    path = path or place_of(settings, rules)
    try:
        found = read_gate(path.read_bytes())
    except FileNotFoundError:
        raise click.ClickException(f"there is no gate at {path}; fit one with `tierwise gate fit`") from None
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path}: {error}") from None
    _tell(found, path, (), as_json=as_json, served=served(settings.data_dir, SystemClock().now_ms() - LOOK_BACK_MS))


def served(data_dir: Path, since_ms: int) -> Served:
    """How much of the traffic the gate answered, as the ledger has it."""
    counted = Counter[str]()
    try:
        for decided, _ in decisions(data_dir, since_ms):
            if decided.verdict is not None:
                counted[decided.verdict.source] += 1
    except NoLedger:
        return Served()
    return Served(answered=counted[GATE], left=counted["classifier"] + counted["memory"] + counted["unavailable"])


def labels_of(given: Options, settings: Settings, rules: Rulebook) -> Found:
    """Raises NoRun, NoLedger, SuiteError."""
    found = Found()
    runs = [load_run(settings.data_dir, given.run_id)] if given.run_id else all_runs(settings.data_dir)
    if runs:
        found += of_runs(runs, _suites(given.suites))
    elif not given.ledger:
        load_run(settings.data_dir)  # says that there is none, and how to make one
    if given.ledger:
        kept = list(islice(kept_prompts(settings.data_dir, given.since_ms), KEPT_MAX))
        found += of_verdicts(kept)
        found += of_agreement(kept, read_labels(settings.data_dir), reachable(rules))
    return found


def place_of(settings: Settings, rules: Rulebook) -> Path:
    """Where the policy looks for it."""
    return Path(settings.policy).parent / rules.policy.gate.file


def _opened(data_dir: Path | None) -> tuple[Settings, Rulebook]:
    try:
        settings = load_settings(**({} if data_dir is None else {"data_dir": data_dir}))
        return settings, load(settings.policy, settings.models, settings.prices, environment=environment())
    except (SettingsError, PolicyError) as error:
        raise click.ClickException(str(error)) from None


def _suites(root: Path) -> Callable[[str], Suite | None]:
    def suite_of(name: str) -> Suite | None:
        folder = root / name
        return load_suite(folder) if folder.parent == root and folder.is_dir() else None

    return suite_of


def _words(found: Found) -> str:
    graded = sum(label.graded for label in found.labels)
    return f"{graded:,} graded cases and {len(found.labels) - graded:,} verdicts of the classifier"


def _write(path: Path, fitted: Gate) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write_gate(fitted))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error}") from None


def _tell(fitted: Gate, path: Path | None, notes: tuple[str, ...], *, as_json: bool,
          served: Served | None = None) -> None:  # fmt: skip
    if as_json:
        click.echo(msgspec.json.encode({**_as_data(fitted), "written": None if path is None else str(path),
                                        "notes": notes, "served": served}))  # fmt: skip
        return
    table = Table()
    for heading in ("task", "learnt from", "labels", "wrong", "lane", "answers", "wrong at most", "rests on"):
        table.add_column(heading, justify="left" if heading in ("task", "learnt from", "lane") else "right")
    for known in fitted.tasks:
        for cells in _rows(known):
            table.add_row(*cells)
    console = console_for(table)
    console.print(table)
    for line in (*_lines(fitted, path), *_left_out(notes), *([] if served is None else [served.words])):
        console.print(Text(line), soft_wrap=True)


def _rows(known: Known) -> list[tuple[str, ...]]:
    first = (known.name, known.source, f"{known.labels:,}", f"{known.bad / known.labels:.0%}")
    lanes: dict[str, Lane | None] = {**_lanes(known)} or {"-": None}
    return [(*(first if at == 0 else ("",) * len(first)), name, *_cells(lane))
            for at, (name, lane) in enumerate(lanes.items())]  # fmt: skip


def _cells(lane: Lane | None) -> tuple[str, str, str]:
    if lane is None:
        return "-", "-", "-"
    return f"{lane.coverage:.0%}", f"{lane.bound:.1%}", f"{lane.bad:,} of {lane.cases:,}"


def _lines(fitted: Gate, path: Path | None) -> list[str]:
    at = Text(f"Fitted on {fitted.fitted_on}.").plain
    bound = f"alpha {fitted.alpha:g}, {fitted.confidence:.0%} confidence, at least {fitted.min_cases} cases a bound."
    said = [f"{known.name}: {known.said}" for known in fitted.tasks if known.named is None or known.named.together]
    where = "Nothing was written: the gate could not answer anything." if path is None else f"It is in {path}."
    return [f"{at} {bound}", *said, where]


def _left_out(notes: tuple[str, ...]) -> list[str]:
    return [f"left out: {note}" for note in notes]


def _lanes(known: Known) -> dict[str, Lane]:
    both = {"named": known.named, "recognised": known.recognised}
    return {name: lane for name, lane in both.items() if lane is not None}


def _as_data(fitted: Gate) -> dict[str, Any]:
    told = ("fitted_at_ms", "fitted_on", "alpha", "confidence", "min_cases", "chars_max")
    per_task = ("name", "source", "cheap", "strong", "model", "labels", "bad", "said", "named", "recognised")
    tasks = [{name: msgspec.to_builtins(getattr(known, name)) for name in per_task} for known in fitted.tasks]
    return {**{name: getattr(fitted, name) for name in told}, "tasks": tasks}
