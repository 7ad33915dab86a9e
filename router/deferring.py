"""Requests that are put off: put down before the caller is told, run beside the others, answered exactly once.

Rule: trunk. A job is run under a lease; its answer counts only from the one run that still holds it. What a killed
run had begun is begun again: the generation may happen twice and is metered twice, the answer is stored once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from .decide.hooks import job_wait_s
from .decide.policy import Rulebook
from .errors import CODES, RequestError, error_body
from .ports import Clock, Events
from .putting import ask_of, check_webhook, job_of, whole
from .serving import Served
from .vocabulary import Ask, Caller, Job, JobState

POLL_S = 1.0  # at most so late is a job begun whose time has come
BEAT_S = 10.0  # less than half of the stores' lease
SWEEP_S = 300.0
# Ends of a run after which another may do better. An answer that the API itself gave is judged by its status.
AGAIN = frozenset({429, 502, 503, 504, 529})


class JobStore(Protocol):
    """Durable. Each call raises RequestError(router_ledger_unavailable) when it could not be done."""

    async def add(self, job: Job) -> bool: ...  # False: there is no room
    async def get(self, job_id: str, tenant: str) -> Job | None: ...  # without the request's body
    async def claim(self, owner: str, limit: int) -> list[Job]: ...  # now running, under this owner's lease
    async def beat(self, owner: str) -> frozenset[str]: ...  # the ids of the jobs whose leases it still holds, renewed
    async def later(self, job: Job, wait_ms: int) -> bool: ...  # queued again; False: the lease is lost
    async def finish(self, job: Job) -> bool: ...  # as it ended; False: the lease is lost
    async def cancel(self, job_id: str, tenant: str) -> Job | None: ...  # as it is then; one that ended stays so
    async def sweep(self, keep_ms: int) -> int: ...  # forgets what ended longer ago


class Handles(Protocol):
    async def __call__(self, ask: Ask, caller: Caller) -> Served: ...


class Deferring:
    """Of one process. `rules` is the policy in force; `secret` signs what webhooks are told, "" where there is none.

    While `draining` nothing new is begun.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        rules: Callable[[], Rulebook],
        secret: Callable[[], str],
        clock: Clock,
        events: Events,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._draining = draining
        self._store = store
        self._rules = rules
        self._secret = secret
        self._clock = clock
        self._events = events
        self._owner = clock.new_id("run")
        self._running: dict[str, tuple[Job, asyncio.Task[None]]] = {}
        self._due = asyncio.Event()  # something may be there to begin
        self._beat_s = self._swept_s = clock.monotonic()

    def check(self, ask: Ask) -> None:
        """Raises RequestError where the request names a webhook that may not be told."""
        if ask.words.webhook is not None:
            check_webhook(ask.words.webhook, self._rules(), self._secret())

    async def defer(self, ask: Ask, caller: Caller) -> Job:
        """Puts the request down; it is durable on return. Raises RequestError."""
        if ask.words.fallback == "off" or caller.job:
            raise RequestError("router_all_tiers_down", "no model answered, and nothing may stand in for an answer")
        self.check(ask)
        job = job_of(ask, caller, self._rules(), job_id=self._clock.new_id("job"), at_ms=self._clock.now_ms())
        if not await self._store.add(job):
            raise RequestError("router_jobs_full", "too many requests are put off already", retry_after_s=60)
        self._events.count("jobs", "queued")
        self._due.set()
        return job

    async def status(self, job_id: str, caller: Caller) -> Job:
        """Raises RequestError(router_job_unknown), the same for another tenant's."""
        return _known(await self._store.get(job_id, caller.tenant))

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """Ends a job that has no answer yet, and the call that is made for it. Raises as `status` does."""
        job = _known(await self._store.cancel(job_id, caller.tenant))
        if job.state is JobState.CANCELLED and job_id in self._running:
            self._running[job_id][1].cancel()
        return job

    async def keep(self, handle: Handles) -> None:
        """Runs what is due, until it is cancelled; what it breaks off then is queued again."""
        try:
            while True:
                await self._turn(handle)
                await self._rest()
        finally:
            await self._let_go()

    async def idle(self) -> None:
        """Until nothing runs."""
        while self._running:
            await asyncio.wait({task for _, task in self._running.values()})

    async def _turn(self, handle: Handles) -> None:
        try:
            await self._keep_leases()
            room = 0 if self._draining() else self._rules().policy.jobs.at_once - len(self._running)
            claimed = await self._store.claim(self._owner, room) if room > 0 else []
            if self._draining():  # meanwhile: the next process has more time for it
                for job in claimed:
                    await self._store.later(job, 0)
                return
        except RequestError:
            self._events.count("jobs", "store_failed")
            return
        for job in claimed:
            self._begin(job, handle)

    def _begin(self, job: Job, handle: Handles) -> None:
        task = asyncio.ensure_future(self._run(job, handle))
        lost = self._running.get(job.job_id)
        if lost is not None:  # an earlier run of it here, whose lease ran out
            lost[1].cancel()
        self._running[job.job_id] = (job, task)
        task.add_done_callback(lambda ended: self._ended(job.job_id, ended))

    def _ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        if job_id in self._running and self._running[job_id][1] is task:
            del self._running[job_id]
        self._due.set()

    async def _rest(self) -> None:
        """Until something may be due."""
        polling = asyncio.ensure_future(self._clock.sleep(POLL_S))
        waiting = asyncio.ensure_future(self._due.wait())
        try:
            await asyncio.wait({polling, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            polling.cancel()
            waiting.cancel()
        self._due.clear()

    async def _keep_leases(self) -> None:
        """Renews them, and ends what runs here no longer by right: it was cancelled, or somebody else has it."""
        now_s = self._clock.monotonic()
        if self._running and now_s - self._beat_s >= BEAT_S:
            held, before = await self._store.beat(self._owner), dict(self._running)
            self._beat_s = now_s
            for job_id, (_, task) in before.items():
                if job_id not in held:
                    task.cancel()
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            await self._store.sweep(round(self._rules().policy.jobs.keep_s * 1000))

    async def _run(self, job: Job, handle: Handles) -> None:
        """One run, to its end: an answer, a failure, or another try later."""
        error = self._too_old(job)
        if error is None:
            try:
                await self._finish(await self._answered(job, handle))
                return
            except RequestError as refused:
                error = refused
            except Exception as fault:  # noqa: BLE001 - the door of jobs: a fault of ours ends one job, not all
                self._events.say("job_failed", job=job.job_id, request_id=job.request_id, kind=type(fault).__name__)
                error = RequestError("router_internal", "this is our fault; the service's log has the request id")
        wait_s = job_wait_s(job.tries, self._clock.dice(), error.retry_after_s or 0.0)
        if self._may_wait(job, error, wait_s):
            self._events.count("jobs", "again")
            await self._surely(lambda: self._store.later(job, round(wait_s * 1000)))
        else:
            await self._finish(_failed(job, error))

    async def _answered(self, job: Job, handle: Handles) -> Job:
        """The job with its answer. Raises RequestError."""
        served = await handle(ask_of(job), Caller(tenant=job.tenant, request_id=job.request_id, job=True))
        body = await whole(served)
        if served.status >= 400:  # /v1/messages: the API's own error, as it came
            error = _as_it_came(served)
            if CODES[error.code].status in AGAIN and self._may_wait(job, error, 0.0):
                raise error
        good = served.status < 400
        return msgspec.structs.replace(
            job,
            state=JobState.DONE if good else JobState.FAILED,
            status=served.status,
            answer_headers=served.headers,
            answer=body,
            error="" if good else "upstream",
        )

    def _too_old(self, job: Job) -> RequestError | None:
        """A job that waited too long, for its turn or for a process to run it."""
        if self._age_s(job) <= self._rules().policy.jobs.give_up_s:
            return None
        return RequestError("router_deadline", "no answer before the policy's jobs.give_up_s")

    def _may_wait(self, job: Job, error: RequestError, wait_s: float) -> bool:
        give_up_s = self._rules().policy.jobs.give_up_s
        return CODES[error.code].status in AGAIN and self._age_s(job) + wait_s <= give_up_s

    def _age_s(self, job: Job) -> float:
        return (self._clock.now_ms() - job.at_ms) / 1000

    async def _finish(self, ended: Job) -> None:
        """The answer was paid for: it is offered to the store until that takes it, or the lease is lost."""
        if await self._surely(lambda: self._store.finish(ended)):
            self._events.count("jobs", ended.state.value)

    async def _surely(self, write: Callable[[], Awaitable[bool]]) -> bool:
        tries = 0
        while True:
            try:
                return await write()
            except RequestError:
                self._events.count("jobs", "store_failed")
            tries += 1
            await self._clock.sleep(job_wait_s(tries, self._clock.dice()))

    async def _let_go(self) -> None:
        """What runs is broken off and queued again, for the next process or for another one."""
        broken = [job for job, task in self._running.values() if not task.done()]
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in broken:
            try:
                await self._store.later(job, 0)  # refused by itself where the job has come to an end meanwhile
            except RequestError:
                return  # the lease runs out by itself


def _known(job: Job | None) -> Job:
    if job is None:
        raise RequestError("router_job_unknown", "there is no such job, or it is not kept any more")
    return job


def _failed(job: Job, error: RequestError) -> Job:
    headers = (("content-type", "application/json"),)
    return msgspec.structs.replace(
        job,
        state=JobState.FAILED,
        status=error.status,
        answer_headers=headers,
        answer=error_body(error, job.request_id),
        error=error.code,
    )


def _as_it_came(served: Served) -> RequestError:
    """The API's error in our words, by its status alone."""
    told = dict(served.headers).get("retry-after", "")
    code = {429: "router_rate_limited", 529: "router_tier_overloaded", 504: "router_upstream_slow"}.get(served.status)
    if code is None:
        code = "router_all_tiers_down" if served.status >= 500 else "router_bad_request"
    return RequestError(code, "the API did not answer", retry_after_s=int(told) if told.isdecimal() else None)
