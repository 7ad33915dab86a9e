"""Are two results of queries the same rows?

Rule: pure. The order counts only where it was asked for; names of columns never do, their number and order do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isclose
from typing import Any

from .form import shown

Row = Sequence[Any]
DIGITS = 9  # of a number with decimals: beyond them it hangs on the order of adding
NEAR = 1e-6
PAIRED_MAX = 500  # rows that are compared one by one


def difference(wanted: Sequence[Row], found: Sequence[Row], *, ordered: bool) -> str:
    """What sets them apart, in words; "" when they are the same."""
    widths = {len(row) for row in wanted}
    width = next(iter(widths), None)
    if width is not None and found and len(found[0]) != width:
        return f"{len(found[0])} columns, not {width}"
    if len(found) != len(wanted):
        return f"{len(found)} rows, not {len(wanted)}"
    if _in_order(wanted, found):
        return ""
    same_rows = _same_bag(wanted, found)
    if same_rows and not ordered:
        return ""
    if same_rows:
        return "the right rows in another order"
    strange = next((row for row in found if not any(_same_row(row, one) for one in wanted)), None)
    return "some rows repeat where they should not" if strange is None else f"has the row {shown(list(strange))}"


def _in_order(wanted: Sequence[Row], found: Sequence[Row]) -> bool:
    return all(map(_same_row, wanted, found))


def _same_bag(wanted: Sequence[Row], found: Sequence[Row]) -> bool:
    if Counter(map(_key, wanted)) == Counter(map(_key, found)):
        return True
    if len(wanted) > PAIRED_MAX:
        return False
    left = list(found)  # two numbers may lie on either side of where they are rounded
    for row in wanted:
        partner = next((number for number, one in enumerate(left) if _same_row(row, one)), None)
        if partner is None:
            return False
        del left[partner]
    return True


def _same_row(one: Row, other: Row) -> bool:
    return len(one) == len(other) and all(map(_same, one, other))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=NEAR, abs_tol=NEAR)
    return bool(one == other)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for value in row)
