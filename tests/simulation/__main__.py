"""Replays simulations: `python -m tests.simulation --seed 7 --hours 2`, or many with `--seeds 100`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from .run import Found, simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--hours", type=float, default=2.0, help="of simulated time, each")
    parser.add_argument("--reached", action="store_true", help="show how often everything happened")
    options = parser.parse_args()
    reached: Counter[str] = Counter()
    failed, requests = 0, 0
    began_s = time.monotonic()
    for seed in range(options.seed, options.seed + options.seeds):
        found = simulate(seed, options.hours)
        reached += found.reached
        requests += found.requests
        failed += bool(found.complaints)
        show(found)
    took_s = time.monotonic() - began_s
    if options.reached:
        print("\n".join(f"{count:9d}  {name}" for name, count in sorted(reached.items())))
    print(f"{requests} requests, {options.seeds * options.hours:g} simulated hours in {took_s:.1f} s, {failed} failed")
    return 1 if failed else 0


def show(found: Found) -> None:
    """One line a seed, and everything about what went wrong."""
    print(f"seed {found.seed}: {found.requests} requests, {found.calls} calls, digest {found.digest}")
    for complaint in found.complaints:
        print(f"\n{complaint}\n")


if __name__ == "__main__":
    sys.exit(main())
