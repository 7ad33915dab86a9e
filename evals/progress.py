"""How far it is, and what it has cost: a line on a terminal, nothing anywhere else.

Rule: on standard error, so that standard output stays for the result. Not a terminal, or `--json`: silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.prompt import Confirm
from rich.table import Table

from .report.words import dollars
from .spending import Estimate, Purse


class Shown:
    """Implements engine.Told. One bar at a time; it holds no figure of its own but what it was told."""

    def __init__(self, console: Console, purses: Sequence[Purse], *, quiet: bool) -> None:
        self._console = console
        self._purses = purses
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[known]}"),
            TextColumn("{task.fields[spent]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._known = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, what: str, cases: int) -> None:
        """A look, or repeats; `what` names the suite, the tier and the look."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._known = 0
        self._task = self._progress.add_task(what, total=cases, known="", spent=self._spent())

    def case(self, *, known: bool) -> None:
        if self._task is None:
            return
        self._known += known
        told = f"{self._known} known" if self._known else ""
        self._progress.update(self._task, advance=1, known=told, spent=self._spent())

    def say(self, words: str) -> None:
        """What is waited for; above the bar, and only on a terminal."""
        if not self._progress.disable:
            self._progress.console.print(words, style="dim", highlight=False)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For a question to the person at the terminal."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def _spent(self) -> str:
        spent, cap = (sum(getattr(purse, name) for purse in self._purses) for name in ("spent_pico", "cap_pico"))
        return f"{dollars(spent)} of {dollars(cap)}"


def table(estimates: Sequence[Estimate], cap_pico: int) -> Table:
    """What it will probably cost, and at most, before the first call."""
    shown = Table(title="Before the first call", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("suite", "tier", "calls", "known", "probably", "at most"):
        shown.add_column(name, justify="left" if name in ("suite", "tier") else "right")
    for one in estimates:
        probably = f"{dollars(one.expected_pico)}{' (a guess)' if one.guessed and one.calls else ''}"
        shown.add_row(one.suite, one.tier, str(one.calls), str(one.known), probably, dollars(one.worst_pico))
    probably_pico, worst_pico = sum(one.expected_pico for one in estimates), sum(one.worst_pico for one in estimates)
    calls, known = str(sum(one.calls for one in estimates)), str(sum(one.known for one in estimates))
    at_most = dollars(min(cap_pico, worst_pico))
    shown.add_row("all of it", "", calls, known, dollars(probably_pico), f"{at_most} (cap {dollars(cap_pico)})")
    return shown


def confirmed(
    console: Console, estimates: Sequence[Estimate], cap_pico: int, *, yes: bool, stream: TextIO | None = None
) -> bool:
    """Shows what it will cost and asks, on a terminal; elsewhere the cap must do, and with --yes it does.

    `stream` is where the answer is read from; None: standard input.
    """
    if not any(one.calls for one in estimates):
        return True
    console.print(table(estimates, cap_pico))
    if yes or not console.is_terminal:
        return True
    return Confirm.ask("Looks may end it earlier. Begin?", console=console, default=True, stream=stream)
