"""A table whose figures are never cut or broken: in a narrow terminal its lines are longer than it is wide."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDEST = 1000  # characters


def console_for(table: Table) -> Console:
    unbounded = Console(width=WIDEST)
    needed = Measurement.get(unbounded, unbounded.options, table).maximum
    console = Console(highlight=False)
    console.width = max(needed, console.width)
    return console
