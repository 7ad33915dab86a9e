"""From load to figures: windows that count, windows that are void, and the ratios between legs.

Rule: a window with one failed request is void and is repeated; what stays void is an error, never a figure.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from tests.bench.legs import DELTAS, Leg
from tests.bench.load import Target, Window
from tests.bench.process import Server

CONNECTIONS = 16
TRIES = 3
Drive = Callable[[Target, int, int], Window]


@dataclass(frozen=True)
class Pace:
    """How long each stretch takes, in seconds."""

    warm_up: int = 1
    window: int = 8
    single: int = 3


QUICK = Pace(warm_up=0, window=1, single=1)


@dataclass(frozen=True)
class Figures:
    """One leg. Times at 16 connections, but for `single_*`: one connection, nothing in its way."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    single_per_s: float
    single_p50_ms: float
    single_p99_ms: float
    cpu_us: float | None
    peak_mib: float | None
    void_windows: int


class Void(Exception):
    """No window without a failure."""


def measure(leg: Leg, server: Server, target: Target, pace: Pace, drive: Drive) -> Figures:
    """Asks once and looks at the answer, warms up, then measures at 16 connections and at one."""
    expected_bytes = check(leg, target)
    if pace.warm_up:
        drive(target, CONNECTIONS, pace.warm_up)
    window, cpu_us, void = _window(server, target, expected_bytes, drive, pace.window)
    single, void_single = _clean(lambda: drive(target, 1, pace.single), expected_bytes)
    return Figures(
        requests=window.requests,
        per_s=round(window.per_s, 1),
        p50_ms=round(window.p50_ms, 3),
        p99_ms=round(window.p99_ms, 3),
        single_per_s=round(single.per_s, 1),
        single_p50_ms=round(single.p50_ms, 3),
        single_p99_ms=round(single.p99_ms, 3),
        cpu_us=cpu_us,
        peak_mib=_rounded(server.peak_mib()),
        void_windows=void + void_single,
    )


def check(leg: Leg, target: Target) -> int:
    """One request by hand: the answer is what the leg is about. Returns its body's size."""
    address = urlsplit(target.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    headers = {"content-type": "application/json", "x-api-key": "bench", "anthropic-version": "2023-06-01"}
    try:
        connection.request("POST", address.path, target.body.encode(), headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    deltas = body.count(b"event: content_block_delta")
    if answer.status != 200 or (leg.stream and (deltas < DELTAS or b"message_stop" not in body)):
        raise Void(f"{leg.name}: status {answer.status}, {deltas} deltas: {body[:500].decode(errors='replace')}")
    return len(body)


def _window(
    server: Server, target: Target, expected_bytes: int, drive: Drive, seconds: int
) -> tuple[Window, float | None, int]:
    """The window at 16 connections, with the processor time that the server took for it."""
    spent: list[float | None] = []

    def watched() -> Window:
        before = server.cpu_s()
        window = drive(target, CONNECTIONS, seconds)
        after = server.cpu_s()
        spent.append(None if before is None or after is None else after - before)
        return window

    window, void = _clean(watched, expected_bytes)
    cpu_s = spent[-1]
    return window, None if cpu_s is None else round(cpu_s / window.requests * 1e6, 1), void


def _clean(run: Callable[[], Window], expected_bytes: int) -> tuple[Window, int]:
    """The first window in which nothing failed, and how many were void before it."""
    for void in range(TRIES):
        window = run()
        if is_whole(window, expected_bytes):
            return window, void
    raise Void(f"{TRIES} windows in a row had failed requests; the last: {asdict(window)}")


def is_whole(window: Window, expected_bytes: int) -> bool:
    """Nothing failed, and the answers were as long as the one that was looked at: none was cut short."""
    return window.failed == 0 and window.requests > 0 and window.bytes >= 0.95 * expected_bytes * window.requests


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def ratios(figures: dict[str, Figures]) -> dict[str, float]:
    """The service beside its limits. Requests a second: higher is better; CPU: lower is better."""
    found = {}
    for ours in ("plain", "routed"):
        for theirs in ("sdk", "sdk_aiohttp", "echo"):
            mine, other = figures[ours], figures[theirs]
            found[f"{ours}_per_s_to_{theirs}"] = round(mine.per_s / other.per_s, 3)
            if mine.cpu_us and other.cpu_us:
                found[f"{ours}_cpu_to_{theirs}"] = round(mine.cpu_us / other.cpu_us, 3)
    return found
