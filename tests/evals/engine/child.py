"""A run in a process of its own, for a test that kills it: `child.py URL DATA CASES [batch]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from evals.cli.opening import opened
from evals.desk import Options

from .scene import MAKING, settings_for, suite


async def main(url: str, data: str, cases: int, batch: bool) -> None:
    sums = suite(cases)
    options = Options(quiet=True, concurrency=4, batch=batch)
    async with opened(settings_for(url, Path(data)), options, [sums], MAKING) as desk:
        if batch:
            await desk.engine.run(sums, "haiku", sums.cases)
        for upto in range(cases // 4, cases + 1, cases // 4):
            await desk.engine.run(sums, "haiku", sums.cases[:upto])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), "batch" in sys.argv))
