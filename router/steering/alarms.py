"""When a person is called: a line in the log, a counter, the health page, and the policy's webhook.

Rule: an alarm never costs a request anything: it is queued, and what the queue cannot hold is counted.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..decide.alarm import Watch
from ..decide.policy import Alerts
from ..ports import Clock, Events, Watched

QUEUE_MAX = 100


class Tells(Protocol):
    async def tell(self, alarm: dict[str, object]) -> bool: ...
    async def close(self) -> None: ...


class Alarms:
    """Of one process."""

    def __init__(self, *, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._watch = Watch()
        self._alerts = Alerts()
        self._webhook: Tells | None = None
        self._retired: list[Tells] = []  # of earlier policies, to be closed
        self._queue: asyncio.Queue[dict[str, object]] = asyncio.Queue(QUEUE_MAX)

    def follow(self, alerts: Alerts, webhook: Tells | None) -> None:
        """From now on by this policy."""
        self._alerts = alerts
        if webhook is not self._webhook:
            before, self._webhook = self._webhook, webhook
            self._retired += [before] if before is not None else []

    def watch(self, served: Watched) -> None:
        now_ms = self._clock.now_ms()
        alerts = self._alerts
        self._watch.add(now_ms, alerts, failed=served.failed, degraded=served.degraded, cost_pico=served.cost_pico)
        for alarm in self._watch.raised(now_ms, self._alerts):
            self.raise_(alarm.kind, alarm.words)

    def raise_(self, kind: str, words: str) -> None:
        self._events.count("alerts", kind)
        self._events.say("alert", kind=kind, words=words)
        if self._webhook is None:
            return
        try:
            self._queue.put_nowait({"type": "alert", "kind": kind, "words": words, "at_ms": self._clock.now_ms()})
        except asyncio.QueueFull:
            self._events.count("alerts", "not_told")

    async def tell(self) -> None:
        """Runs beside the service: takes alarms to the webhook, one after the other."""
        while True:
            alarm = await self._queue.get()
            if self._webhook is not None and not await self._webhook.tell(alarm):
                self._events.count("alerts", "not_told")
            while self._retired:
                await self._retired.pop().close()

    async def close(self) -> None:
        for webhook in [*self._retired, *([self._webhook] if self._webhook is not None else [])]:
            await webhook.close()
