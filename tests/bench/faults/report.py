"""What the bench prints: a table for people.

Rule: it shows what was measured and decides nothing; the JSON in the last line has everything.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from .figures import Figures

COLUMNS = (
    "scenario", "system", "per s", "answered", "model", "cache", "stale", "canned", "errors", "late", "p50 ms",
    "p99 ms", "2nd half", "open at", "calls", "passed off", "silent",
)  # fmt: skip
WIDTH = 180


def show(found: Mapping[str, Mapping[str, Figures]]) -> None:
    table = Table(*COLUMNS, title="Under faults")
    for column in table.columns[:2]:
        column.no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    for scenario, systems in found.items():
        for place, (system, one) in enumerate(systems.items()):
            table.add_row("" if place else scenario, system, *_cells(one))
        table.add_section()
    Console(width=WIDTH).print(table)


def line(scenario: str, system: str, one: Figures) -> str:
    """One line as soon as it is known."""
    return (
        f"{scenario:14}{system:24}{one.rate:5.0f}/s  answered {one.answered_share:8.3%}"
        f" (model {one.by_model_share:8.3%})  errors {one.errors:6}"
        f"  p50 {one.p50_ms:9.1f} ms  p99 {one.p99_ms:9.1f} ms  calls {one.calls_per_request:5.2f}"
        f"  passed off {one.passed_off}  silent {one.silent}"
    )


def _cells(one: Figures) -> list[str]:
    served = [f"{one.served_by[kind]:,}" for kind in ("model", "cache", "stale", "canned")]
    opened = "-" if one.breaker_open_s is None else f"{one.breaker_open_s:.0f}"
    return [
        f"{one.rate:.0f}",
        f"{one.answered_share:.2%}",
        *served,
        f"{one.errors:,}",
        f"{one.late:,}",
        f"{one.p50_ms:,.1f}",
        f"{one.p99_ms:,.1f}",
        f"{one.p99_last_half_ms:,.1f}",
        opened,
        f"{one.calls_per_request:.2f}",
        str(one.passed_off),
        str(one.silent),
    ]
