"""What a policy makes of the measurements of routes.yaml: the figures, and where each task goes by them.

Rule: prints what decide/evidence.py says; nothing is decided here.
"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ..decide.evidence import Evidence, evidence, pick
from ..decide.policy import Rulebook

FIGURES = ("model", "cases", "passed", "measured", "suite", "suite_hash", "state", "judged", "cost_usd", "latency_ms")


def measured_data(rules: Rulebook) -> dict[str, object]:
    """By task: the tier that the measurements lead to, why, and the figures of each tier."""
    return {task: _task(task, found, rules) for task in rules.routes if (found := evidence(task, rules))}


def measured_table(rules: Rulebook) -> Table:
    """A row for each tier that was measured on a task."""
    title = "\nMeasured, with 95 % confidence at least"
    table = Table("task", "tier", title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("passed", "at least", "USD a case", "median", "graded"):
        table.add_column(heading, justify="right")
    for heading in ("on", "suite", "its claim"):
        table.add_column(heading)
    for task in rules.routes:
        for number, one in enumerate(evidence(task, rules)):
            table.add_row("" if number else task, *_cells(one))
    return table


def measured_words(rules: Rulebook) -> list[str]:
    """Where the measurements lead, a line for each task."""
    cap = rules.policy.classifier.cap_tier
    picks = (pick(task, cap, rules) for task in rules.routes)
    return [f"{one.reason}." for one in picks if one is not None]


def _task(task: str, found: list[Evidence], rules: Rulebook) -> dict[str, object]:
    picked = pick(task, None, rules)
    return {
        "pick": None if picked is None else picked.tier,
        "reason": "" if picked is None else picked.reason,
        "tiers": {one.weighed.tier: _figures(one) for one in found},
    }


def _figures(one: Evidence) -> dict[str, object]:
    weighed, estimate = one.weighed, one.estimate
    told: dict[str, object] = {name: getattr(one, name) for name in FIGURES}
    told |= {"rate": weighed.rate, "at_least": weighed.at_least, "clears": weighed.clears}
    told |= {"sampled_cases": one.sampled_cases, "sampled_passed": one.sampled_passed, "estimate": estimate.rate}
    return told


def _cells(one: Evidence) -> tuple[Text, ...]:
    sampled = f"{one.sampled_passed}/{one.sampled_cases}" if one.sampled_cases else "-"
    latency = "-" if one.latency_ms is None else f"{one.latency_ms / 1000:.1f} s"
    claim = f"{one.state or '-'}{', judged' if one.judged else ''}"
    passed, at_least = (f"{one.passed}/{one.cases}", f"{one.weighed.at_least:.1%}") if one.cases else ("-", "-")
    figures = (passed, at_least, one.cost_usd or "-", latency, sampled, one.measured, one.suite or "-", claim)
    return tuple(Text(text) for text in (one.weighed.tier, *figures))
