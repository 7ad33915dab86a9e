"""What every noun is made of.

Rule: money is an integer number of pico-dollars, in which every price times every modifier is exact.
"""

from __future__ import annotations

import msgspec

PICO_PER_USD = 1_000_000_000_000


class Noun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frozen record; evolve it with `msgspec.structs.replace`.

    Frozen, it is in no ring of references, so the garbage collector need not look at it.
    """
