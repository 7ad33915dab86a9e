"""`tierwise similar`: from which likeness on may the answer to nearly the same question be given?

Rule: reads and prints; the fitting lives in router/decide/likeness_fit.py. With --json nothing but one JSON object
goes to standard output.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..decide.likeness_fit import Fitted, Wanted, fit, questions_needed
from ..errors import SettingsError
from ..ledger.observed import observations
from ..ledger.report import NoLedger
from ..settings import load_settings
from .usage import Since
from .wide import console_for

HOW = "Set replies.similar.mode to `observe` in the policy; then each question and its answer are noted, by digests."


@click.command()
@click.option("--max-false", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.01, show_default=True,
              help="Of the answers given, so large a share may be wrong.")  # fmt: skip
@click.option("--alike", type=click.FloatRange(0, 1), default=0.5, show_default=True,
              help="Answers in words that are less alike than this are two answers.")  # fmt: skip
@click.option("--within", "within_s", type=click.FloatRange(min=1), default=86_400.0, show_default=True,
              help="An answer is not given again after so many seconds.")  # fmt: skip
@click.option("--since", "since_ms", type=Since(), default="2020-01-01", help="From a span ago (7d) or a UTC day on.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the ledger is; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def similar(max_false: float, alike: float, within_s: float, since_ms: int, data_dir: Path | None,
            as_json: bool) -> None:  # fmt: skip
    """Fit the threshold of `replies.similar` from what was observed. Works while the service runs.

    For each question it looks for the one before it that is most alike: had its answer been given, would it have been
    another one? The share of wrong ones is shown for each threshold with its interval (95 % for all together). It
    leaves with 1 where there is no ledger, or where no threshold can be named yet.

    \b
    Examples:
      tierwise similar
      tierwise similar --max-false 0.005 --since 7d --json
    """
    try:
        notes = observations(data_dir or load_settings().data_dir, since_ms)
    except (SettingsError, NoLedger) as error:
        raise click.ClickException(str(error)) from None
    with Console(stderr=True).status(f"Comparing {len(notes):,} questions ..."):
        found = fit(notes, Wanted(max_false=max_false, alike_answers=alike, within_s=within_s))
    if as_json:
        click.echo(msgspec.json.encode(_as_data(found)))
    else:
        _show(found)
    if found.threshold is None:
        raise click.exceptions.Exit(1)


def _as_data(found: Fitted) -> dict[str, object]:
    rows = [{**msgspec.structs.asdict(row), "hit_rate": _share(row.hits, found.questions)} for row in found.rows]
    told = {name: getattr(found, name) for name in ("questions", "threshold", "more_pairs", "words")}
    return {**told, "more_questions": questions_needed(found), "rows": rows}


def _show(found: Fitted) -> None:
    table = Table()
    for name in ("threshold", "questions hit", "share", "compared", "wrong", "share of wrong ones"):
        table.add_column(name, justify="right")
    for row in found.rows:
        between = f"{row.low:.2%} to {row.high:.2%}" if row.pairs else "not known"
        share = f"{_share(row.hits, found.questions):.1%}"
        cells = (f"{row.threshold:.2f}", f"{row.hits:,}", share, f"{row.pairs:,}", f"{row.false:,}", between)
        table.add_row(*cells, style="bold" if row.threshold == found.threshold else None)
    console = console_for(table)
    console.print(table)
    for line in _in_words(found):
        console.print(Text(line), soft_wrap=True)


def _in_words(found: Fitted) -> list[str]:
    said = [f"{found.questions:,} questions: {found.words}."]
    if not found.questions:
        return [*said, HOW]
    equal = found.rows[-1]
    if equal.false:
        said.append(
            f"Of {equal.pairs:,} pairs with the very same letters {equal.false:,} had another answer: so much the"
            " model itself varies, or --alike asks too much."
        )
    more = questions_needed(found)
    if more is not None:
        said.append(f"At the present rate that takes about {more:,} questions more.")
    if found.threshold is not None:
        said.append(f"In the policy: replies: {{similar: {{mode: use, threshold: {found.threshold:.2f}}}}}")
    return said


def _share(hits: int, questions: int) -> float:
    return hits / questions if questions else 0.0
