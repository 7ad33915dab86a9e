"""When the traffic of the last minutes calls for a person.

Rule: no clock of its own; the time is an argument. An alarm is raised once when its threshold is crossed, and
again only after it has cleared.
"""

from __future__ import annotations

from collections import deque

import msgspec

from .budget import usd
from .policy import Alerts

BUCKETS = 30  # of a window: what is older than the window leaves in steps of a thirtieth
HOUR_MS = 3_600_000
PICO_PER_USD = 1_000_000_000_000


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    kind: str  # failed_share | degraded_share | usd_per_hour
    words: str


class _Bucket(msgspec.Struct):
    since_ms: int
    requests: int = 0
    failed: int = 0
    degraded: int = 0
    pico: int = 0


class Watch:
    """What was served lately, in steps."""

    def __init__(self) -> None:
        self._window: deque[_Bucket] = deque()
        self._hour: deque[_Bucket] = deque()
        self._raised: set[str] = set()

    def add(self, at_ms: int, alerts: Alerts, *, failed: bool, degraded: bool, cost_pico: int) -> None:
        for buckets, span_ms in ((self._window, round(alerts.window_s * 1000)), (self._hour, HOUR_MS)):
            bucket = _current(buckets, at_ms, span_ms)
            bucket.requests += 1
            bucket.failed += failed
            bucket.degraded += degraded
            bucket.pico += cost_pico

    def raised(self, at_ms: int, alerts: Alerts) -> tuple[Alarm, ...]:
        """The alarms that were not raised before."""
        found = [alarm for alarm in self._over(at_ms, alerts) if alarm is not None]
        new = tuple(alarm for alarm in found if alarm.kind not in self._raised)
        self._raised = {alarm.kind for alarm in found}
        return new

    def _over(self, at_ms: int, alerts: Alerts) -> list[Alarm | None]:
        span_ms = round(alerts.window_s * 1000)
        _forget(self._window, at_ms - span_ms)
        _forget(self._hour, at_ms - HOUR_MS)
        requests = sum(bucket.requests for bucket in self._window)
        enough = requests >= alerts.min_requests
        failed = sum(bucket.failed for bucket in self._window)
        degraded = sum(bucket.degraded for bucket in self._window)
        return [
            _share("failed_share", "ended without an answer", (failed, requests), alerts.failed_share, alerts)
            if enough
            else None,
            _share("degraded_share", "got a stand-in's answer", (degraded, requests), alerts.degraded_share, alerts)
            if enough
            else None,
            _spent(sum(bucket.pico for bucket in self._hour), alerts),
        ]


def _share(kind: str, what: str, counts: tuple[int, int], most: float | None, alerts: Alerts) -> Alarm | None:
    bad, requests = counts
    if most is None or bad <= most * requests:
        return None
    words = f"{bad} of {requests} requests of the last {alerts.window_s:g} s {what}: more than {most:.1%}"
    return Alarm(kind=kind, words=words)


def _spent(pico: int, alerts: Alerts) -> Alarm | None:
    most = alerts.usd_per_hour
    if most is None or pico <= int(most * PICO_PER_USD):
        return None
    return Alarm(kind="usd_per_hour", words=f"{usd(pico)} USD were spent in the last hour: more than {most}")


def _current(buckets: deque[_Bucket], at_ms: int, span_ms: int) -> _Bucket:
    step_ms = max(1, span_ms // BUCKETS)
    since_ms = at_ms - at_ms % step_ms
    if not buckets or buckets[-1].since_ms < since_ms:
        buckets.append(_Bucket(since_ms))
        _forget(buckets, at_ms - span_ms)
    return buckets[-1]


def _forget(buckets: deque[_Bucket], before_ms: int) -> None:
    while buckets and buckets[0].since_ms <= before_ms:
        buckets.popleft()
