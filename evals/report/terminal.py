"""A run in the terminal: the verdicts first, a line each; then each suite's tiers, its slices, and where tiers differ.

Rule: prints findings; nothing is tested here. What a model wrote is cut and printed as text, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.cli.wide import console_for

from ..vocabulary import Finding, Pair, Run, State, TierFinding
from .reasons import reason
from .words import a_case, bound, day, dollars, interval, percent, rate, saved, seconds, stands

STYLES = {State.CLEARS: "green", State.FAILS: "red", State.UNDECIDED: "yellow", State.OPEN: "yellow"}
TEXT_LINES = 8  # of an answer
NOTE = "Note: "  # as finding.py begins a warning


def show(run: Run, pairs_shown: int, console: Console) -> None:
    """The whole run."""
    about = f"Run {run.run_id} of {day(run.at_ms)}, policy {run.policy} ({run.policy_hash}), asked of {run.upstream}."
    console.print(Text(about), soft_wrap=True)
    for warning in warnings(run):
        console.print(Text(warning, style="bold yellow"), soft_wrap=True)
    console.print()
    for finding in run.findings:
        console.print(verdict(finding), soft_wrap=True)
    for finding in run.findings:
        _suite(finding, pairs_shown, console)


def warnings(run: Run) -> Iterable[str]:
    if run.rehearsed:
        yield "A rehearsal: all answers were made up, and nothing is picked from it."
    if not run.finished:
        yield f"Not finished: {run.stopped or 'it was ended'}. What was answered is paid; the same command goes on."
    if not run.findings:
        yield "No verdicts: it was held against a baseline, or stopped before its first suite."


def verdict(finding: Finding) -> Text:
    """A suite's verdict in one line."""
    sign, style = ("✓", "green") if finding.winner else ("✗", "red") if finding.decided else ("?", "yellow")
    judged = " (graded by a model)" if finding.judged else ""
    return Text.assemble(
        (f"{sign} ", style),
        (finding.task, "bold"),
        f", {finding.suite}{judged}: {reason(finding, finding.winner)}",
    )


def tier_table(finding: Finding) -> Table:
    """Each tier's figures, cheapest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("tier")
    for heading in ("passed", "rate", "95%"):
        table.add_column(heading, justify="right")
    table.add_column("shown")
    table.add_column("claim")
    for heading in ("a case", "median", "p95", "more cases"):
        table.add_column(heading, justify="right")
    for one in finding.tiers:
        table.add_row(*_cells(one, finding), style="bold" if one.tier == finding.winner else None)
    return table


def slice_table(finding: Finding) -> Table:
    tiers = [one.tier for one in finding.tiers if one.cases]
    table = Table("tag", box=None, padding=(0, 2, 0, 0))
    for tier in tiers:
        table.add_column(tier, justify="right")
    for part in finding.slices:
        counts = (part.tiers.get(tier) for tier in tiers)
        table.add_row(
            Text(part.tag), *("-" if not one else f"{one[0]}/{one[1]} {one[0] / one[1]:.0%}" for one in counts)
        )
    return table


def _suite(finding: Finding, pairs_shown: int, console: Console) -> None:
    console.print()
    console.print(Text(f"{finding.suite}: a tier does when it {finding.claim.words}.", style="bold"), soft_wrap=True)
    table = tier_table(finding)
    console_for(table).print(table)
    for one in finding.tiers:
        if one.words:
            console.print(Text(f"{one.tier}: {one.words}", style="dim"), soft_wrap=True)
    if finding.judged or NOTE in finding.words:  # what the verdict's own line has no room for
        console.print(Text(finding.words, style="yellow"), soft_wrap=True)
    console.print(Text(_spent(finding), style="dim"), soft_wrap=True)
    if finding.slices:
        console.print(slice_table(finding))
    for pair in finding.pairs[:pairs_shown]:
        _pair(pair, console)
    rest = len(finding.pairs) - pairs_shown
    if rest > 0:
        more = f"Cases on which tiers differ, {rest} more: tierwise eval show --pairs {len(finding.pairs)}"
        console.print(Text(more, style="dim"), soft_wrap=True)


def _cells(one: TierFinding, finding: Finding) -> tuple[Text, ...]:
    known = one.cases > 0
    passed = f"{one.passed}/{one.cases}" if known else "-"
    more = f"{one.more_cases:,}" if one.more_cases and one.state in (State.UNDECIDED, State.OPEN) else "-"
    figures = (passed, percent(rate(one)) if known else "-", interval(one), bound(one, finding))
    costs = (a_case(one.cost_pico), seconds(one.latency_ms), seconds(one.latency_p95_ms), more)
    state = Text(stands(one), style=STYLES.get(one.state, "dim"))
    return (Text(one.tier), *map(Text, figures), state, *map(Text, costs))


def _spent(finding: Finding) -> str:
    asked = f"{finding.calls:,} answers of {finding.calls_fixed:,} without looks"
    open_still = any(one.state is State.OPEN for one in finding.tiers)  # what was not asked yet is not spared
    return (
        f"{asked}{' so far' if open_still else f' ({saved(finding):.0%} spared)'};"
        f" {dollars(finding.spent_pico)} paid in this run, {dollars(finding.worth_pico)} for all at live prices."
    )


def _pair(pair: Pair, console: Console) -> None:
    """Side by side, each cut to its column."""
    title = plain(f"{pair.case}: {pair.why}" if pair.why else pair.case)
    table = Table(title=Text(title), title_justify="left", expand=True)
    texts = {"expected": pair.expected, f"✓ {pair.better}": pair.better_text, f"✗ {pair.worse}": pair.worse_text}
    for heading in texts:
        table.add_column(heading, ratio=1, overflow="fold")
    width = max(10, console.width // len(texts) - 4)
    table.add_row(*(Text(cut(answer, width)) for answer in texts.values()))
    console.print(table)
    if pair.repeats:
        console.print(Text(f"Asked again, {pair.better}/{pair.worse}: {', '.join(pair.repeats)}.", style="dim"))


def cut(answer: str, width: int) -> str:
    """A few lines of it."""
    lines = [part for line in plain(answer).strip().splitlines() for part in wrap(line, width) or [""]]
    shown = lines[:TEXT_LINES]
    return "\n".join([*shown, "..."] if len(lines) > TEXT_LINES else shown)


def plain(text: str) -> str:
    """Without what would move the cursor, or do worse to a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
