"""One system under one scenario: warmed, put under faults and load, counted at both ends.

Rule: the client judges every answer, and the stand-in counts every call; nobody is asked how well they did.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tests.bench.process import Server

from .client import Client, open_loop
from .figures import Asked, Calls, Figures, figures
from .judge import Verdict, judge
from .questions import Question
from .scenarios import Load, Scenario
from .systems import Running, System, under_faults

WARM_UPS = 20  # a proxy's first requests load what it has put off
WARM_RATE = 50.0
FRESH_FROM = 1_000_000  # questions that nobody has asked before
WARM_FROM = 2_000_000


class Unready(Exception):
    """A system that does not answer while nothing is wrong."""


def measure(system: System, scenario: Scenario, load: Load, seed: int) -> Figures:
    with under_faults(system, scenario, load) as running:
        return asyncio.run(_Run(system, scenario, load, seed).measure(running))


class _Run:
    """One scenario's state while it is under way."""

    def __init__(self, system: System, scenario: Scenario, load: Load, seed: int) -> None:
        self._system = system
        self._scenario = scenario
        self._load = load
        self._dice = random.Random(f"{seed} {scenario.name}")
        self._told_before: set[str] = set()  # ids of messages: who says one again, says it from a cache
        self._asked: list[Asked] = []

    async def measure(self, running: Running) -> Figures:
        client = Client(running.server.url, self._load.patience_s)
        try:
            await self._warm(client)
            script = self._scenario.faults(self._dice, self._load)
            await asyncio.to_thread(control, running.standin, "POST", "faults", script)
            await asyncio.to_thread(control, running.standin, "DELETE", "seen")
            async with self._counting(running) as counting:
                await self._put_under_load(client)
            return figures(self._asked, counting.calls(), self._load)
        finally:
            client.close()

    async def _warm(self, client: Client) -> None:
        """What a system loads late is loaded; what is to be known is known, in the form in which it will be asked."""
        known = range(self._load.known if self._scenario.keeps_replies else 0)
        numbers = [*range(WARM_FROM, WARM_FROM + WARM_UPS), *known]
        failed: list[Verdict] = []

        async def ask(index: int, _due: float) -> None:
            verdict = await self._ask(client, Question(numbers[index]))
            self._told_before.add(verdict.message_id)
            if verdict.kind != "whole" or verdict.served_by != "model":
                failed.append(verdict)

        await open_loop(len(numbers), WARM_RATE, ask)
        if len(failed) > len(numbers) // 20:
            raise Unready(f"{self._system.name}: {len(failed)} of {len(numbers)} failed without faults: {failed[0]}")

    async def _put_under_load(self, client: Client) -> None:
        questions = self._questions()
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def ask(index: int, due: float) -> None:
            sent = loop.time()
            verdict = await self._ask(client, questions[index])
            self._asked.append(Asked(due - began, sent - due, loop.time() - due, questions[index], verdict))

        await open_loop(len(questions), self._load.rate, ask)

    def _questions(self) -> Sequence[Question]:
        """In each place the same form in every run; known where the dice say so, else never heard before."""
        known = self._load.known - self._load.known % 10
        return [
            Question(self._dice.randrange(known // 10) * 10 + index % 10)
            if known and self._dice.random() < self._scenario.known_share
            else Question(FRESH_FROM + index)
            for index in range(self._load.requests)
        ]

    async def _ask(self, client: Client, question: Question) -> Verdict:
        raw = await client.post(*self._system.request(question, self._load))
        verdict = judge(raw, question.answer, question.stream)
        again = verdict.message_id in self._told_before
        model = raw.headers.get("x-litellm-model-name") or verdict.model  # it hides who answered in its answers
        return replace(verdict, model=model, served_by=verdict.served_by or ("cache" if again else "model"))

    @contextlib.asynccontextmanager
    async def _counting(self, running: Running) -> AsyncIterator[_Counting]:
        down_s = None if self._scenario.down_after is None else self._scenario.down_after * self._load.seconds
        counting = _Counting(running.standin, down_s)
        task = asyncio.create_task(counting.run(self._load.seconds))
        try:
            yield counting
        finally:
            await task
            if down_s is None:
                await counting.mark()  # calls may be made after the last request was sent


class _Counting:
    """Reads the stand-in's count once a second; takes the stand-in down when its time has come."""

    def __init__(self, standin: Server, down_s: float | None) -> None:
        self._standin = standin
        self._down_s = down_s
        self._began = asyncio.get_running_loop().time()
        self._marks: list[tuple[float, int]] = []

    async def run(self, seconds: float) -> None:
        until_s = seconds if self._down_s is None else self._down_s
        for second in range(int(until_s) + 1):
            await self._sleep_until(second)
            await self.mark()
        if self._down_s is not None:
            await self._sleep_until(self._down_s)
            await self.mark()
            self._standin.process.terminate()
            await asyncio.to_thread(self._standin.process.wait)

    async def mark(self) -> None:
        seen = await asyncio.to_thread(control, self._standin, "GET", "seen")
        passed_s = asyncio.get_running_loop().time() - self._began
        self._marks.append((passed_s, int(seen["counts"].get("/v1/messages", 0))))

    async def _sleep_until(self, second: float) -> None:
        await asyncio.sleep(max(0.0, self._began + second - asyncio.get_running_loop().time()))

    def calls(self) -> Calls:
        return Calls(tuple(self._marks), self._down_s if self._down_s is not None else float("inf"))


def control(standin: Server, method: str, what: str, fields: object = None) -> Any:
    """Tells the stand-in what to do wrong, or asks what it has seen."""
    address = urlsplit(standin.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(method, f"/_standin/{what}", None if fields is None else json.dumps(fields))
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Unready(f"the stand-in refused {method} {what}: {body[:300]!r}")
    return json.loads(body or b"null")
