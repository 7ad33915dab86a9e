"""`python -m tests.bench.faults`: what callers see while the API fails; one JSON object as the last line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

from tests.bench.process import pin

from . import rival
from .figures import Figures
from .report import line, show
from .run import Unready, measure
from .scenarios import CALM, QUICK, SCENARIOS, Load, Scenario
from .systems import LOAD_CORE, System, litellm, tierwise

HELD_P99_MS = 1000.0  # a system holds a rate when, without faults, its p99 is below this
PROBE_S = 10.0
RATE_LEAST = 10.0
DESCRIPTORS = 20_000
ALL = ",".join(one.name for one in SCENARIOS)
Found = dict[str, dict[str, Figures]]


def main() -> int:
    chosen = _arguments()
    load = QUICK if chosen.quick else Load()
    load = replace(load, rate=chosen.rate or load.rate, seconds=chosen.seconds or load.seconds)
    scenarios = [one for one in SCENARIOS if one.name in chosen.only]
    began = time.monotonic()
    _allow_descriptors()
    pinned = pin(0, LOAD_CORE)
    _say(f"{load.rate:.0f} requests a second for {load.seconds:.0f} s each, on schedule; seed {chosen.seed}")
    try:
        held = None if chosen.without_litellm else _rates(load, chosen.seed)
        found = _measured(scenarios, load, chosen.seed, held)
    except Unready as unready:
        print(f"bench-faults: {unready}", file=sys.stderr)
        return 1
    show(found)
    report = {
        "machine": {
            "python": platform.python_version(), "system": platform.system(), "cpu": platform.machine(),
            "cores": os.cpu_count(), "pinned": pinned,
        },
        "versions": {"tierwise": version("tierwise"), "litellm": None if held is None else rival.VERSION},
        "load": {**asdict(load), "seed": chosen.seed},
        "litellm": held,
        "scenarios": {name: {one: asdict(figures) for one, figures in row.items()} for name, row in found.items()},
        "took_s": round(time.monotonic() - began, 1),
    }  # fmt: skip
    print(json.dumps(report))
    return 0


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="make bench-faults", description=__doc__)
    arguments.add_argument("--seconds", type=float, help="of load, for each scenario and system (60)")
    arguments.add_argument("--rate", type=float, help="requests a second (200)")
    arguments.add_argument("--seed", type=int, default=7, help="of the faults and the order of the questions")
    arguments.add_argument("--only", type=_names, default=_names(ALL), help=f"some of {ALL}")
    arguments.add_argument("--without-litellm", action="store_true", help="measure the service alone")
    arguments.add_argument("--quick", action="store_true", help="a second or two each: does it run, not how well")
    return arguments.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in ALL.split(",")]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]}; there are {ALL}")
    return names


def _allow_descriptors() -> None:
    """Who asks a system that does not keep up has thousands of requests open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _rates(load: Load, seed: int) -> dict[str, Any]:
    """The highest rate that LiteLLM holds while nothing goes wrong, halved until it does."""
    rival.installed()
    tried: dict[str, float] = {}
    rate = load.rate
    while rate >= RATE_LEAST:
        one = measure(litellm(), CALM, replace(load, rate=rate, seconds=min(PROBE_S, load.seconds)), seed)
        tried[f"{rate:g}"] = one.p99_ms
        _say(line("calm", "litellm", one))
        if one.p99_ms < HELD_P99_MS and one.answered_share == 1:
            break
        rate /= 2
    return {"held_rate": rate, "calm_p99_ms_by_rate": tried}


def _measured(scenarios: list[Scenario], load: Load, seed: int, held: dict[str, Any] | None) -> Found:
    calm = replace(load, seconds=min(PROBE_S, load.seconds))
    found: Found = {"calm": {"tierwise": _one(tierwise(), CALM, calm, seed)}}
    for scenario in scenarios:
        runs = _runs(scenario, load, held)
        found[scenario.name] = {system.name: _one(system, scenario, at, seed) for system, at in runs}
    return found


def _runs(scenario: Scenario, load: Load, held: dict[str, Any] | None) -> Iterator[tuple[System, Load]]:
    """Who is measured. Three tries at 30 % can answer 97.3 % at most, so that one is measured with six as well."""
    yield tierwise(), load
    if scenario.name == "overloaded30":
        yield tierwise(attempts=6), load
    if held is None:
        return
    yield litellm(), load
    if held["held_rate"] < load.rate:
        yield litellm(f"litellm at {held['held_rate']:g}/s"), replace(load, rate=held["held_rate"])


def _one(system: System, scenario: Scenario, load: Load, seed: int) -> Figures:
    figures = measure(system, scenario, load, seed)
    _say(line(scenario.name, system.name, figures))
    return figures


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
