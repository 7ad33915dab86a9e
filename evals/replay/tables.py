"""What a replay found, as tables for people and as data for machines.

Rule: no number is made here. Next to the router stands what it must beat: lots, length, and the plain table of tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router.vocabulary.noun import Noun

from .contest import Contest
from .gating import Held, Unseen
from .metrics import NAMES, Spread
from .ranking import LABELS, Ranked, Summary

HEADINGS = ("APGR", "CPT50", "CPT80", "cost@95", "cost@98", "lift at 50 %")


class Result(Noun, frozen=True, kw_only=True):
    """Of one contest."""

    contest: Contest
    ranked: Ranked | None  # None: the strong model is no better there
    gates: tuple[Held, ...] = ()
    unseen: tuple[Unseen, ...] = ()


def shown(results: Sequence[Result], left_out: Sequence[str]) -> RenderableType:
    parts: list[RenderableType] = []
    for result in results:
        parts += _of_contest(result)
    parts += [Text(f"left out: {words}") for words in left_out]
    return Group(*parts)


def as_data(results: Sequence[Result], left_out: Sequence[str]) -> dict[str, Any]:
    """One JSON object. `apgr` sums it up: by labels the mean over contests, over draws and over splits."""
    counted = [result.ranked for result in results if result.ranked is not None and not result.contest.part]
    return {
        "apgr": {
            name: {
                "draws": _mean(one.draws[name] for one in counted),
                "splits": _mean(one.splits[name] for one in counted),
            }
            for name in LABELS
        },
        "contests": [_contest(result) for result in results],
        "gate": _gates(results),
        "left_out": list(left_out),
    }


def _of_contest(result: Result) -> Iterator[RenderableType]:
    ranked = result.ranked
    if ranked is None:
        yield Text(f"\n{result.contest.name}: the strong model is no better on the held-out rows", style="bold")
        return
    weak, strong = ranked.quality
    yield Text(f"\n{result.contest.name}: {ranked.held_out:,} held out, {ranked.tasks} tasks, quality {weak:.3f} -> "
               f"{strong:.3f}", style="bold")  # fmt: skip
    table = Table("labels", "router", *HEADINGS)
    for name in LABELS:
        table.add_row(name, "ours, official split", *_cells(ranked.draws[name]), style="bold")
        table.add_row(name, "ours, over splits", *_cells(ranked.splits[name]))
        table.add_row(name, "task table", *_cells(ranked.table[name]), style="dim")
    for name, summary in ranked.controls.items():
        table.add_row("", name, *_cells(summary), style="dim")
    yield table
    if result.gates:
        yield _gate_table(result.gates)
    for one in result.unseen:
        yield Text(f"  {one.task} left out of the fit ({one.lanes} lanes open): of {one.asked:,} asked, skipped "
                   f"{one.skipped_named} under its name, {one.skipped_unnamed} unnamed, {one.skipped_misnamed} under "
                   f"another's name")  # fmt: skip


def _gate_table(gates: Sequence[Held]) -> Table:
    table = Table("gate: labels", "alpha", "answered", "wrong", "bound broken", "resamples")
    for one in gates:
        table.add_row(str(one.labels), f"{one.alpha:g}", f"{one.coverage:.1%}", f"{one.wrong:.1%}",
                      f"{one.violations:.0%}", str(one.resamples))  # fmt: skip
    return table


def _cells(summary: Summary) -> list[str]:
    return [_cell(summary[name], points=name == "lift_pp") for name in NAMES]


def _cell(spread: Spread | None, *, points: bool) -> str:
    if spread is None:
        return "-"
    form = "{:+.1f}" if points else "{:.2f}"
    mean = f"{spread.mean:+.1f}" if points else f"{spread.mean:.3f}"
    return mean if spread.low == spread.high else f"{mean} [{form.format(spread.low)} {form.format(spread.high)}]"


def _contest(result: Result) -> dict[str, Any]:
    contest = result.contest
    data = {"name": contest.name, "set": contest.file, "source": contest.pair.source or None, "weak": contest.pair.weak,
            "strong": contest.pair.strong, "rows": len(contest.rows), "part": contest.part}  # fmt: skip
    ranked = None if result.ranked is None else _rounded(msgspec.to_builtins(result.ranked))
    gates = {"held": _rounded(msgspec.to_builtins(result.gates)), "unseen": msgspec.to_builtins(result.unseen)}
    return {**data, "ranked": ranked, "gate": gates}


def _gates(results: Sequence[Result]) -> dict[str, Any]:
    """The promise at a glance: how often the bound was broken, and what a task that was never seen got."""
    held = [one for result in results for one in result.gates]
    settings = sorted({(one.labels, one.alpha) for one in held})
    unseen = [one for result in results for one in result.unseen]
    return {
        "held": [
            {
                "labels": labels,
                "alpha": alpha,
                "coverage": _mean_of([one.coverage for one in held if (one.labels, one.alpha) == (labels, alpha)]),
                "violations": _mean_of([one.violations for one in held if (one.labels, one.alpha) == (labels, alpha)]),
                "worst": max(one.violations for one in held if (one.labels, one.alpha) == (labels, alpha)),
            }
            for labels, alpha in settings
        ],
        "unseen": {
            "tasks": len(unseen),
            "asked": sum(one.asked for one in unseen),
            "skipped_named": sum(one.skipped_named for one in unseen),
            "skipped_unnamed": sum(one.skipped_unnamed for one in unseen),
            "skipped_misnamed": sum(one.skipped_misnamed for one in unseen),
        },
    }


def _mean(summaries: Iterator[Summary]) -> float | None:
    return _mean_of([spread.mean for one in summaries if (spread := one["apgr"]) is not None])


def _mean_of(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return round(data, 4)
    if isinstance(data, Mapping):
        return {name: _rounded(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return data
