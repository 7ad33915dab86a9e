"""A simulation from its seed to its end: traffic comes, things go wrong, and every promise is held.

Rule: two runs of one seed are the same to the last event; `digest` is over all of them.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from random import Random

import msgspec

from router.relay import DRAINING

from .books import BooksOfProcess, SimBooks
from .client import Client
from .composing import POLICIES, Process, SimEvents, compose, left_over, overspent, rules_of
from .crowd import Crowd
from .known import KNOWN
from .loop import SimClock, run_virtually
from .models import Model
from .promises import Case, broken_promises
from .traffic import Request, Traffic
from .truth import Truth
from .upstream import SimUpstream
from .weather import HOUR_S, Weather

COMPLAINTS_MAX = 5
DAY_MS = 24 * 3600 * 1000
EARLY_S = 1e-6
TOLD_S = 700  # longer than any stream
LAST_S = 60.0  # what goes on when all requests have ended, ends within this


class Found(msgspec.Struct):
    """What came of a simulation."""

    seed: int
    hours: float
    requests: int
    calls: int
    digest: str
    reached: Counter[str]
    complaints: list[str]  # each with the log of its request


class Simulation:
    """One seed."""

    def __init__(self, seed: int, hours: float, loop: asyncio.AbstractEventLoop) -> None:
        self._seed, self._hours, self._loop = seed, hours, loop
        dice = Random(seed)
        self._dice = dice
        self._rules = rules_of(dice.choice(POLICIES))
        self._names = tuple(sorted(self._rules.tier_of_model))
        self._models = {name: Model(name, dice) for name in self._names}
        self._room = dice.choice((20, 100, 500))
        self._weather = Weather(dice, self._names, hours)
        self._traffic = Traffic(dice, hours)
        self._clock = SimClock(loop, Random(dice.random()))
        self.reached: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._digest = hashlib.blake2b(digest_size=16)
        self._lines: defaultdict[str, list[str]] = defaultdict(list)
        self._told: dict[str, list[Mapping[str, object]]] = {}
        self._books = SimBooks(self.complain, self.log, self.reached)
        self._upstream = SimUpstream(self._weather, self._models, Random(dice.random()), self.reached)
        self._upstream.intent_of = self._books.take
        self._upstream.sent = self._sent
        self._calls: Counter[str] = Counter()
        self._made: dict[int, Truth] = {}
        self._underway: dict[asyncio.Task[None], Client] = {}
        self._crowd = Crowd(self._weather)
        self._process = self._start()
        self._main: asyncio.Task[object] | None = None
        self._trouble_task: asyncio.Task[None] | None = None

    async def run(self) -> Found:
        self._loop.set_exception_handler(self._on_exception)
        ends_s = self._hours * HOUR_S
        self._main = asyncio.current_task()
        self._trouble_task = trouble = asyncio.ensure_future(self._trouble())
        while len(self.complaints) < COMPLAINTS_MAX:
            wait_s = self._traffic.until_next_s(self._loop.time())
            if self._loop.time() + wait_s >= ends_s:
                break
            await asyncio.sleep(wait_s)
            self._begin(self._traffic.next(self._loop.time()))
        trouble.cancel()
        await asyncio.gather(trouble, return_exceptions=True)
        await self._until_idle()
        await self._stop_process()
        gc.collect()  # generators that were left behind end now, and not some other time
        await asyncio.sleep(0)
        self._check_the_end()
        return Found(
            self._seed,
            self._hours,
            self._crowd.requests,
            self._upstream.calls,
            self._digest.hexdigest(),
            self.reached,
            self.complaints,
        )

    # ---- what is written down

    def log(self, request_id: str, text: str) -> None:
        line = f"{self._loop.time():12.6f} {request_id} {text}"
        self._digest.update(line.encode())
        self._lines[request_id].append(line)

    def complain(self, request_id: str, text: str) -> None:
        self.log(request_id, f"BROKEN {text}")
        promise = text.partition(":")[0]
        if promise in KNOWN:
            self.reached[f"known:{promise}"] += 1
        elif len(self.complaints) < COMPLAINTS_MAX:
            self.complaints.append("\n".join([f"{request_id}: {text}", *self._lines.get(request_id, ())]))

    def _on_exception(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, object]) -> None:
        error = context.get("exception")
        self.complain("loop", f"{context.get('message')}: {type(error).__name__} {error}")

    # ---- requests

    def _begin(self, request: Request) -> None:
        client = Client(request, self._loop.time())
        self._crowd.came(self._loop.time())
        task = self._loop.create_task(self._ask(client, request, self._process))
        self._underway[task] = client
        task.add_done_callback(self._underway.pop)

    async def _ask(self, client: Client, request: Request, process: Process) -> None:
        self.log(request.request_id, f"asks: {request.workload} stream={request.stream} own={request.own_door}")
        await client.ask(process)
        got = client.got
        self.log(request.request_id, f"got {got.status} {len(got.body)} bytes, left={got.left} {got.cancelled}")
        await self._until_told(request.request_id, client)
        told = tuple(self._told.pop(request.request_id, ()))
        case = Case(
            request=request,
            got=got,
            rules=process.rules,
            told=told,
            calls=self._calls.pop(request.request_id, 0),
            cost_pico=self._books.cost_of(request.request_id),
            roles=self._books.roles_of(request.request_id),
            made=self._made,
        )
        self._note(case)
        if got.cancelled != "kill":
            for complaint in broken_promises(case):
                self.complain(request.request_id, complaint)
        self._lines.pop(request.request_id, None)

    async def _until_told(self, request_id: str, client: Client) -> None:
        """What others read on is told of when it has ended for the last of them."""
        for _ in range(TOLD_S if client.got.status == 200 and not client.got.left else 0):
            if request_id in self._told:
                return
            await asyncio.sleep(1.0)

    def _note(self, case: Case) -> None:
        got, told = case.got, case.told
        served_by = str(told[0]["served_by"]) if told else "none"
        end = got.cancelled or ("left" if got.left else "stream" if case.is_streamed else "whole")
        self.reached[f"end:{end}"] += 1
        self.reached[f"served:{served_by}"] += 1
        self.reached[f"status:{got.status}"] += 1
        for role in case.roles:
            self.reached[f"role:{role}"] += 1
        for fields in told:
            self.reached[f"stop:{str(fields['stop']).partition(',')[0]}"] += 1
        if got.headers.get("x-router-fallback") == "tier":
            self.reached["fallback:tier"] += 1
        if case.stayed and not got.cancelled and self._traffic.in_burst(got.began_s):
            self._crowd.ended(case.request.workload, case.request.deadline_s, answered=served_by == "model")

    def _sent(self, truth: Truth, model: Model) -> None:
        """A call goes out: may it?"""
        row = truth.intent
        self._books.truths[row.attempt_id] = truth
        self._made[truth.number] = truth
        now_s = truth.at_s
        if row.role == "answer":
            self._calls[row.request_id] += 1
            self._crowd.sent(now_s)
        if self._process.gates is not None and now_s < model.told_until_s - EARLY_S:
            promise = "waits_for_money" if model.told_by == "spend_limited" else "waits_as_told"
            early_s = model.told_until_s - now_s
            self.complain(row.request_id, f"{promise}: {model.name} was asked {early_s:.3f} s before its retry-after")

    # ---- what goes wrong around it

    async def _trouble(self) -> None:
        """The service is stopped, dies, cannot write its books, or has its clock set wrong."""
        happens = (self._dies, self._drains, self._jumps, self._shuts_its_books)
        every_s = self._dice.choice((600.0, 1800.0, 7200.0))
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / every_s))
            await self._dice.choice(happens)()

    async def _dies(self) -> None:
        """kill -9: nothing is settled, nobody hears of it, and the next one starts at once."""
        self.reached["house:killed"] += 1
        self._process.books.dead = True
        self._books.lose_process()
        self._process = self._start()
        dead = self._others()
        self._cancel_all("kill")
        for task in dead:
            task.cancel()
        if dead:
            await asyncio.wait(dead)

    async def _drains(self) -> None:
        """A restart: nobody new is let in, and whoever is inside is cut short."""
        self.reached["house:drained"] += 1
        self._process.admission.draining = True
        cut_short = self._cancel_all("drain")
        if cut_short:
            await asyncio.wait(cut_short)
        await self._until_idle()
        await self._stop_process()
        self._process = self._start()

    async def _jumps(self) -> None:
        self.reached["house:clock_jumped"] += 1
        self._clock.jump_ms = self._dice.choice((-DAY_MS, -3_600_000, 0, 3_600_000, DAY_MS))

    async def _shuts_its_books(self) -> None:
        self._books.shut = True
        await asyncio.sleep(5 + 60 * self._dice.random())
        self._books.shut = False

    # ---- processes

    def _start(self) -> Process:
        """A process knows nothing of what the one before it was told."""
        for model in self._models.values():
            model.told_until_s = 0.0
        self._crowd.started(self._loop.time())
        events = SimEvents(self.reached, self._told)
        return compose(self._rules, self._upstream, BooksOfProcess(self._books), events, self._clock, self._room)

    def _cancel_all(self, how: str) -> set[asyncio.Task[None]]:
        tasks = dict(self._underway)
        for task, client in tasks.items():
            client.got.cancelled = how
            task.cancel(msg=DRAINING if how == "drain" else None)
        return set(tasks)

    def _others(self) -> set[asyncio.Task[object]]:
        """What the process began beside its requests."""
        return {task for task in asyncio.all_tasks() if task not in (self._main, self._trouble_task)} - {
            asyncio.current_task()
        }

    async def _until_idle(self) -> None:
        while self._underway:
            await asyncio.gather(*self._underway, return_exceptions=True)

    async def _stop_process(self) -> None:
        await self._process.classifier.close()
        if others := self._others():
            await asyncio.wait(others, timeout=LAST_S)
        for what, count in left_over(self._process).items():
            if count:
                self.complain("house", f"{count} {what} when all requests had ended")
        for words in overspent(self._process):
            self.complain("house", f"is_not_overspent: {words}")
        for row in self._books.open.values():
            self.complain(row.request_id, f"{row.attempt_id} was never settled")

    def _check_the_end(self) -> None:
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self.complain("house", f"{len(left)} tasks are left: {left[0].get_coro()}")
        for words in self._crowd.complaints(self._rules, paced=self._process.gates is not None):
            self.complain("crowd", words)


def simulate(seed: int, hours: float) -> Found:
    """The whole of it, in no time."""

    async def run() -> Found:
        return await Simulation(seed, hours, asyncio.get_running_loop()).run()

    collecting = gc.isenabled()
    gc.disable()
    try:
        return run_virtually(run())
    finally:
        if collecting:
            gc.enable()
