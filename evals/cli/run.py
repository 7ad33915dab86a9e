"""`tierwise eval run`: measures, and ends in a verdict a suite.

Rule: options, edges and what is printed; what is asked and when says measuring.py. With --json nothing but one JSON
object goes to standard output.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from router.clock import SystemClock
from router.errors import StartError
from router.settings import Settings, load_settings
from router.vocabulary import PICO_PER_USD

from ..baseline import Compared
from ..desk import Options
from ..graders import grader_of
from ..measuring import Measuring
from ..progress import confirmed
from ..report.terminal import show, verdict
from ..runs import keep
from ..suitefile import SUITES, load_suites, rendered
from ..vocabulary import Run, Suite
from .failing import STOPPED
from .held import baseline_of, changes_since, graded_again
from .opening import Making, opened

PAIRS_SHOWN = 3


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line said."""

    suites: tuple[Suite, ...]
    options: Options
    baseline: Run | None
    yes: bool
    as_json: bool


@click.command()
@click.argument("names", metavar="[SUITE]...", nargs=-1)
@click.option("--suites", "root", type=click.Path(path_type=Path), default=SUITES, help="Where the suites are.")
@click.option("--policy", type=click.Path(path_type=Path), help="The policy that is measured. TIERWISE_POLICY.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where answers and runs are kept: TIERWISE_DATA_DIR.")
@click.option("--max-usd", type=str, help="The cap of the whole run, instead of each suite's own budget.")
@click.option("--batch", is_flag=True, help="By message batches: half the price, slower, no latencies.")
@click.option("--rehearse", is_flag=True, help="Made-up answers from the bundled stand-in: shows the way, for nothing.")
@click.option("--fresh", is_flag=True, help="Ask anew, even what is known.")
@click.option("--baseline", metavar="RUN", help="Ask what that run asked; leave with 1 where a tier got worse.")
@click.option("--at-once", type=click.IntRange(1, 200), default=10, show_default=True, help="Calls at the same time.")
@click.option("--yes", is_flag=True, help="Do not ask before the first call.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(names: tuple[str, ...], root: Path, baseline: str | None, yes: bool, as_json: bool, **given: Any) -> None:
    """Measure which is the cheapest tier that does, suite by suite: all of them, or those that are named.

    It says first what that may cost, and never spends more than the cap. Answers are kept: a run that was killed goes
    on where it was, and nothing is paid twice. It leaves with 0 when it came to its end, with 1 when a tier got worse
    or it had to stop, with 2 when something is wrong with a suite or a setting.

    \b
    Examples:
      tierwise eval run --rehearse
      tierwise eval run support-tickets --max-usd 2 --batch
      tierwise eval run --baseline latest --fresh --yes --json
    """
    named = {name: given[name] for name in ("policy", "data_dir") if given[name] is not None}
    settings = load_settings(**named)
    suites = load_suites(root, names)
    if not suites:
        raise StartError(f"there are no suites in {root}; `tierwise eval new NAME --from-csv FILE` makes one")
    held = None
    if baseline is not None:
        held = baseline_of(settings.data_dir, baseline, suites, rehearsed=given["rehearse"])
    try:
        asked = Asked(
            suites=suites,
            options=Options(
                max_pico=_pico(given["max_usd"]),
                batch=given["batch"],
                rehearse=given["rehearse"],
                fresh=given["fresh"],
                quiet=as_json,
                concurrency=given["at_once"],
            ),
            baseline=held,
            yes=yes,
            as_json=as_json,
        )
        code = asyncio.run(_run(settings, asked))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise click.ClickException("interrupted; nothing is lost: run it again to go on") from None
    raise click.exceptions.Exit(code)


async def _run(settings: Settings, asked: Asked) -> int:
    console = Console(stderr=True, highlight=False)
    _end_gently()
    making = Making(render=rendered, grader_of=grader_of)
    async with opened(settings, asked.options, asked.suites, making) as desk:
        for note in desk.notes:
            console.print(Text(note), soft_wrap=True)
        measuring = Measuring(desk, SystemClock(), lambda kept: keep(settings.data_dir, kept))
        planned = measuring.plan(asked.suites, looks=asked.baseline is None)
        estimates = measuring.estimates(planned, asked.baseline)
        with desk.shown.paused():
            if not confirmed(console, estimates, desk.purses.cap_pico, yes=asked.yes):
                return 0
        if asked.baseline is None:
            compared: tuple[Compared, ...] = ()
            done = await measuring.verdicts(planned)
        else:
            done, compared = await measuring.again(asked.suites, asked.baseline, graded_again)
    return _told(done, compared, asked)


def _end_gently() -> None:
    """What ends a job in CI ends it as a Ctrl-C does: answers that are on their way are waited for and kept."""
    task = asyncio.current_task()
    assert task is not None, "asyncio.run makes one"
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _told(done: Run, compared: tuple[Compared, ...], asked: Asked) -> int:
    worse = [one for one in compared if one.worse]
    changes = () if asked.baseline is None else changes_since(asked.baseline, asked.suites)
    if asked.as_json:
        data = msgspec.to_builtins(msgspec.structs.replace(done, tried={}))
        told = [{**msgspec.structs.asdict(one), "words": one.words} for one in compared]
        held = {} if asked.baseline is None else {"compared": told, "changes": changes}
        click.echo(msgspec.json.encode({**data, **held}))
    else:
        _print(done, compared, changes, asked)
    return STOPPED if worse or done.stopped else 0


def _print(done: Run, compared: Iterable[Compared], changes: Iterable[str], asked: Asked) -> None:
    console = Console(highlight=False)
    if asked.baseline is None:
        show(done, PAIRS_SHOWN, console)
    for change in changes:
        console.print(Text(change, style="bold yellow"), soft_wrap=True)
    for one in compared:
        console.print(Text(one.words, style="bold red" if one.worse else ""), soft_wrap=True)
    for line in _at_the_end(done, asked):
        console.print(line, soft_wrap=True)


def _at_the_end(done: Run, asked: Asked) -> Iterable[Text]:
    """What is still on the screen when all else has scrolled away."""
    if asked.baseline is None and len(done.findings) > 1:
        yield Text("")
        yield from map(verdict, done.findings)
    if done.stopped:
        yield Text(f"Stopped: {done.stopped}. Run it again to go on; nothing is paid twice.", style="bold yellow")
    elif asked.baseline is None and not done.rehearsed:
        yield Text("Next: tierwise eval pick")


def _pico(usd: object) -> int | None:
    if usd is None:
        return None
    try:
        amount = Decimal(str(usd))
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise StartError(f"--max-usd takes an amount such as 2.50, not {usd}")
    return int(amount * PICO_PER_USD)
