"""Tells the webhooks of jobs: signed, tried again for a day, and known to the receiver by an id that stays the same.

Rule: trunk. What must be told was written down together with the answer, so a restart forgets none of it; it may
be told twice, and `x-tierwise-delivery` says so. Neither address nor answer is in any log.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Protocol

from .decide.hooks import refusal, telling_wait_s
from .decide.policy import Rulebook
from .errors import RequestError
from .ports import Clock, Events
from .vocabulary import Job, Telling
from .wire.jobs import told_of_job

POLL_S = 2.0
AT_ONCE = 8
HOLD_S = 60.0  # for so long nobody else tells what is being told: longer than any telling takes
GONE = 410  # the receiver does not want to be told, ever


class Outbox(Protocol):
    """Durable. Each call raises RequestError(router_ledger_unavailable) when it could not be done."""

    async def due(self, limit: int, hold_ms: int) -> list[Job]:
        """With their tries counted, and not due for so long; few of each tenant, so that more may be due."""

    async def told(self, job_id: str, telling: Telling, wait_ms: int) -> None: ...  # PENDING: again after the wait


class Posts(Protocol):
    async def post(self, url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int:
        """The status of the answer, or 0 where there is none. Never raises for what the network does."""


class Delivering:
    """Of one process."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        posts: Posts,
        rules: Callable[[], Rulebook],
        secret: Callable[[], str],
        clock: Clock,
        events: Events,
    ) -> None:
        self._outbox = outbox
        self._posts = posts
        self._rules = rules
        self._secret = secret
        self._clock = clock
        self._events = events

    async def keep(self) -> None:
        """Tells what is due, until it is cancelled."""
        while True:
            try:
                told = await self.deliver()
            except RequestError:
                self._events.count("webhooks", "store_failed")
                told = 0
            if not told:
                await self._clock.sleep(POLL_S)

    async def deliver(self) -> int:
        """One round; how many were due. Raises RequestError."""
        due = await self._outbox.due(AT_ONCE, round(HOLD_S * 1000))
        await asyncio.gather(*(self._tell(job) for job in due))
        return len(due)

    async def _tell(self, job: Job) -> None:
        """Checked again now: the policy may have changed since the job was put down."""
        status = 0
        secret = self._secret()
        refused = not secret or refusal(job.webhook, self._rules().policy.jobs.webhook_hosts) is not None
        if not refused:
            body = told_of_job(job, delivery_of(job))
            status = await self._posts.post(job.webhook, body, self._headers(job, body, secret))
        telling, wait_s = self._after(job, status, refused)
        self._events.count("webhooks", "again" if telling is Telling.PENDING else telling.value)
        await self._outbox.told(job.job_id, telling, round(wait_s * 1000))

    def _after(self, job: Job, status: int, refused: bool) -> tuple[Telling, float]:
        if 200 <= status < 300:
            return Telling.TOLD, 0.0
        age_s = (self._clock.now_ms() - job.answered_ms) / 1000
        wait_s = telling_wait_s(job.telling_tries, self._clock.dice(), age_s)
        if refused or status == GONE or wait_s is None:
            return Telling.GIVEN_UP, 0.0
        return Telling.PENDING, wait_s

    def _headers(self, job: Job, body: bytes, secret: str) -> tuple[tuple[str, str], ...]:
        at_s = str(self._clock.now_ms() // 1000)
        return (
            ("content-type", "application/json"),
            ("user-agent", "Tierwise"),
            ("x-tierwise-delivery", delivery_of(job)),
            ("x-tierwise-timestamp", at_s),
            ("x-tierwise-signature", f"v1={signature(secret, at_s, body)}"),
        )


def delivery_of(job: Job) -> str:
    """The same each time that this job is told of."""
    return f"dlv_{job.job_id.removeprefix('job_')}"


def signature(secret: str, at_s: str, body: bytes) -> str:
    """HMAC-SHA256 over the time and the body, in hexadecimal digits."""
    return hmac.new(secret.encode(), at_s.encode() + b"." + body, hashlib.sha256).hexdigest()
