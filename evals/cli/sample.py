"""`tierwise eval sample`: past requests that were kept, graded; some of them run once more on another tier.

Rule: options, edges and what is printed; who is drawn and what counts says sampling.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.cli.usage import Since
from router.decide.policy import Rulebook
from router.ledger.history import count_decisions, decisions
from router.ledger.prompts import kept_prompts
from router.ledger.report import NoLedger
from router.policyfile import load
from router.settings import Settings, environment, load_settings
from router.vocabulary import PICO_PER_USD

from ..answers import forget_past
from ..asking import CallFailed
from ..desk import Options
from ..graders import grader_of
from ..labels import AGREES, CONTRACT, FAILED, NOT_TAKEN, Graded, Label, add_labels, counted, read_labels
from ..places import Places
from ..ports import Halted
from ..question import PAST, NotTaken
from ..report.words import dollars
from ..sampling import Shadow, as_message, body_for, by_agreement, by_contract, not_answered, shadows
from ..stats.intervals import wilson
from ..suitefile import rendered
from ..vocabulary import Answered
from .opening import Making, opened

AT_ONCE = 10


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    since_ms: int = 0
    task: str | None = None
    limit: int = 2_000
    shadow: bool = True
    quiet: bool = True

    def covers(self, at_ms: int, task: str) -> bool:
        return at_ms >= self.since_ms and self.task in (None, task)


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one `eval sample`."""

    kept: int
    drawn: int
    labels: list[Label]
    share: float = 0.0  # of the requests that may be run once more, as the policy says
    failed: int = 0
    why: str = ""  # of the first that failed
    spent_pico: int = 0
    stopped: str = ""


@click.command()
@click.option(
    "--since", "since_ms", type=Since(), default="30d", show_default=True, help="From a span ago or a UTC day."
)
@click.option("--task", help="Only requests of this task.")
@click.option("--limit", type=click.IntRange(min=1), default=2_000, show_default=True, help="The newest so many.")
@click.option("--shadow/--no-shadow", default=True, help="Whether any is run once more on another tier.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the ledger is; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sample(since_ms: int, task: str | None, limit: int, shadow: bool, data_dir: Path | None, as_json: bool) -> None:
    """Grade requests that the policy keeps (`sampling.keep`), by what their task promises, and by a second tier.

    As many as `sampling.shadow` allows are run once more on another tier, for at most `sampling.shadow_usd`; nobody is
    served with that. What was learnt goes into routes.yaml with the next `tierwise eval pick`.

    \b
    Examples:
      tierwise eval sample
      tierwise eval sample --task extract --since 7d --no-shadow --json
    """
    settings = load_settings(**({} if data_dir is None else {"data_dir": data_dir}))
    wanted = Wanted(since_ms=since_ms, task=task, limit=limit, shadow=shadow, quiet=as_json)
    try:
        outcome = asyncio.run(graded(settings, wanted))
    except NoLedger as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(_as_data(outcome, settings)))
    else:
        _show(outcome, settings)


async def graded(settings: Settings, wanted: Wanted) -> Outcome:
    """Raises NoLedger where nothing was kept, StartError where nobody can be asked."""
    rules = load(settings.policy, settings.models, settings.prices, environment=environment())
    kept = list(islice(kept_prompts(settings.data_dir, wanted.since_ms, wanted.task), wanted.limit))
    before = [one for one in read_labels(settings.data_dir) if wanted.covers(one.at_ms, one.task)]
    drawn = shadows(kept, _requests(settings, wanted), before, rules) if wanted.shadow else ()
    labels = [label for one in kept if (label := by_contract(one, rules)) is not None]
    add_labels(settings.data_dir, labels)
    outcome = Outcome(kept=len(kept), drawn=len(drawn), labels=labels, share=rules.policy.sampling.shadow)
    if drawn:
        await _run_again(settings, drawn, outcome, quiet=wanted.quiet)
    # What a kill left behind was paid for, and is used where its request is drawn again; nothing of it stays.
    forget_past(Places(data_dir=settings.data_dir))
    return outcome


def _requests(settings: Settings, wanted: Wanted) -> int:
    """Of which the policy gives a share."""
    if wanted.task is None:
        return count_decisions(settings.data_dir, wanted.since_ms)
    return sum(past.task == wanted.task for past, _ in decisions(settings.data_dir, wanted.since_ms))


async def _run_again(settings: Settings, drawn: Sequence[Shadow], outcome: Outcome, *, quiet: bool) -> None:
    """Each answer is labelled as it comes: a kill loses none that was paid for."""
    rules = load(settings.policy, settings.models, settings.prices, environment=environment())
    options = Options(max_pico=int(rules.policy.sampling.shadow_usd * PICO_PER_USD), quiet=quiet)
    making = Making(render=rendered, grader_of=grader_of)
    async with opened(settings, options, (), making) as desk:
        desk.shown.begin("requests once more", len(drawn))
        asker = desk.asker(PAST)
        for start in range(0, len(drawn), AT_ONCE):
            asked = drawn[start : start + AT_ONCE]
            calls = [asker.ask_request(one.tier, one.sampled.task, body_for(one.sampled)) for one in asked]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            add_labels(settings.data_dir, _labels(asked, ends, outcome, rules))
            for answered in (end for end in ends if isinstance(end, Answered)):
                asker.forget(answered)
            _raise_unknown(ends)
            if outcome.stopped:
                break
            for _ in asked:
                desk.shown.case(known=False)
        outcome.spent_pico = desk.spent_pico


def _labels(
    asked: Sequence[Shadow], ends: Sequence[Answered | BaseException], outcome: Outcome, rules: Rulebook
) -> list[Label]:
    """One request that nobody answers is passed over, and not drawn again; when the money is spent, that is the end."""
    found = []
    for one, end in zip(asked, ends, strict=True):
        if isinstance(end, Answered):
            found.append(by_agreement(one, as_message(end), end.model, rules))
            outcome.labels.append(found[-1])
        elif isinstance(end, CallFailed | NotTaken):
            found.append(not_answered(one, NOT_TAKEN if isinstance(end, NotTaken) else FAILED, rules))
            outcome.failed += 1
            outcome.why = outcome.why or str(end)
        elif isinstance(end, Halted):
            outcome.stopped = str(end)
    return found


def _raise_unknown(ends: Sequence[Answered | BaseException]) -> None:
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, Halted):
            raise end


def _as_data(outcome: Outcome, settings: Settings) -> dict[str, object]:
    labels = read_labels(settings.data_dir)
    told = {name: getattr(outcome, name) for name in ("kept", "drawn", "failed", "why", "spent_pico", "stopped")}
    return {**told, "labelled": len(outcome.labels), AGREES: counted(labels), CONTRACT: counted(labels, CONTRACT)}


def _show(outcome: Outcome, settings: Settings) -> None:
    labels = read_labels(settings.data_dir)
    found = (counted(labels), counted(labels, CONTRACT))
    console = Console(highlight=False)
    console.print(Text(_in_words(outcome)), soft_wrap=True)
    places = {(task, tier) for one in found for task, tiers in one.items() for tier in tiers}
    if not places:
        return
    table = Table("task", "tier", "agrees with the top tier", "keeps what the task promises")
    for task, tier in sorted(places):
        table.add_row(task, tier, *(_share(one.get(task, {}).get(tier)) for one in found))
    console.print(table)


def _in_words(outcome: Outcome) -> str:
    words = f"{outcome.kept:,} kept requests, {len(outcome.labels):,} labels"
    if not outcome.share:
        return f"{words}. None was run on another tier: the policy's `sampling.shadow` is 0."
    again = f"{words}; {outcome.drawn:,} drawn to be run once more, for {dollars(outcome.spent_pico)}."
    failed = f" {outcome.failed} of them were not answered ({outcome.why})." if outcome.failed else ""
    return again + failed + (f" Stopped: {outcome.stopped}." if outcome.stopped else "")


def _share(found: Graded | None) -> str:
    if found is None:
        return "-"
    low, high = wilson(found.passed, found.cases)
    return f"{found.passed}/{found.cases} ({low:.0%} to {high:.0%})"
