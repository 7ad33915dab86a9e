"""`python -m tests.bench`: measures every leg, prints a table and the ratios, and one JSON object as the last line."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict

from tests.bench.legs import LEGS, LOAD_CORE, Leg, under_load
from tests.bench.load import drive, driver
from tests.bench.measure import CONNECTIONS, QUICK, Figures, Pace, Void, measure, ratios
from tests.bench.process import pin

HEADINGS = ("requests/s", "p50 ms", "p99 ms", "c=1 p50", "c=1 p99", "CPU us/req", "peak MiB", "void")


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a second a window: does it run, not how fast")
    pace = QUICK if arguments.parse_args().quick else Pace()
    pinned = pin(0, LOAD_CORE)
    if driver() != "wrk":
        print("wrk is not installed (on Debian: apt-get install wrk); a slower driver takes its place.")
    print(f"{CONNECTIONS} connections, windows of {pace.window} s, load by {driver()}", end="")
    print(", the server alone on core 0" if pinned else ", nothing pinned: expect noise")
    print(f"\n{'':12}" + "".join(f"{heading:>12}" for heading in HEADINGS), flush=True)
    began = time.monotonic()
    try:
        figures = {leg.name: _measured(leg, pace) for leg in LEGS}
    except Void as void:
        print(f"bench: {void}", file=sys.stderr)
        return 1
    _print_ratios(ratios(figures))
    report = {
        "machine": {"python": platform.python_version(), "system": platform.system(), "cpu": platform.machine()},
        "load": {"driver": driver(), "connections": CONNECTIONS, "pinned": pinned, **asdict(pace)},
        "legs": {name: asdict(one) for name, one in figures.items()},
        "ratios": ratios(figures),
        "took_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(report))
    return 0


def _measured(leg: Leg, pace: Pace) -> Figures:
    with under_load(leg) as (server, target):
        one = measure(leg, server, target, pace, drive)
    row = (one.per_s, one.p50_ms, one.p99_ms, one.single_p50_ms, one.single_p99_ms, one.cpu_us, one.peak_mib)
    print(
        f"{leg.name:12}" + "".join(f"{_shown(value):>12}" for value in row) + f"{one.void_windows:>12}  {leg.what}",
        flush=True,
    )
    return one


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _print_ratios(found: dict[str, float]) -> None:
    print("\nRatios in this run (requests a second: more is better; CPU a request: less is better)")
    for name, value in found.items():
        print(f"  {name.replace('_', ' '):32}{value:>8.2f}")
    print()


if __name__ == "__main__":
    raise SystemExit(main())
