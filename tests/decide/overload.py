"""A crude model of a model that queues: what is given up on is still worked on, and billed.

Rule: seeded and in virtual time. The client is held to the same breaker and retry budget as the service.
"""

from __future__ import annotations

import heapq
import random
from collections import deque

import msgspec

from router.decide.breaker import Circuit, Entered, Sign
from router.decide.policy.failing import Breaker, RetryBudget
from router.decide.retrying import RetryTokens

REQUESTS_PER_S, CALLS_PER_S, DIP_CALLS_PER_S = 80, 100, 20
DIP_S = (60.0, 90.0)
RUN_S, TIMEOUT_S = 300.0, 10.0
UNANSWERED_COST = 2.0


class Plan(msgspec.Struct, frozen=True):
    tries: int
    budget: bool = False
    breaker: bool = False


class Figures(msgspec.Struct, frozen=True):
    served: float
    billed_per_answer: float


class Call(msgspec.Struct, eq=False):
    number: int  # of the request's calls
    entered: Entered | None
    over: bool = False


class Client:
    """Sends, gives up after the timeout, and tries again as its plan allows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._breaker, self._retries = Breaker(), RetryBudget(answered=0.0)
        self._circuit = Circuit()
        self._tokens = RetryTokens(0.0, self._retries)

    def try_once(self, number: int, now_s: float) -> Call | None:
        """None: it is not worth a call, or not allowed one."""
        if self.plan.breaker and not self._circuit.lets(now_s):
            return None
        cost = UNANSWERED_COST if number > 1 else 0.0
        if self.plan.budget:
            if cost and self._tokens.short_for_s(cost, now_s, self._retries):
                return None
            self._tokens.sent(cost, self._retries)
        return Call(number, self._circuit.enter(now_s, self._breaker) if self.plan.breaker else None)

    def ended(self, call: Call, answered: bool, now_s: float, dice: float) -> None:
        call.over = True
        if call.entered is not None:
            self._circuit.ended(call.entered, Sign.ANSWERED if answered else Sign.FAILED, now_s, dice, self._breaker)


class World:
    """Requests come, the model works in order of arrival, and timers go off."""

    def __init__(self, client: Client, seed: int) -> None:
        self.answers = self.billed = self.requests = 0
        self._client = client
        self._dice = random.Random(seed)
        self._queue: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call | int]] = []  # a call to give up, or a call's number to make
        self._serial = 0

    def tick(self, now_s: float, span_s: float, room: float) -> float:
        """`room`: how many calls the model may work on in this span. What it did not use of that."""
        for _ in range(self._arrivals(span_s)):
            self.requests += 1
            self._send(1, now_s)
        while self._timers and self._timers[0][0] <= now_s:
            _, _, due = heapq.heappop(self._timers)
            if isinstance(due, int):
                self._send(due, now_s)
            elif not due.over:
                self._give_up(due, now_s)
        while room >= 1 and self._queue:
            room -= 1
            self._work(self._queue.popleft(), now_s)
        return room if self._queue else 0.0

    def _arrivals(self, span_s: float) -> int:
        expected = REQUESTS_PER_S * span_s
        return int(expected) + (self._dice.random() < expected % 1)

    def _send(self, number: int, now_s: float) -> None:
        call = self._client.try_once(number, now_s)
        if call is not None:
            self._queue.append(call)
            self._set(now_s + TIMEOUT_S, call)

    def _give_up(self, call: Call, now_s: float) -> None:
        self._client.ended(call, False, now_s, self._dice.random())
        if call.number < self._client.plan.tries:
            self._set(now_s + self._dice.random() * 0.05 * 2**call.number, call.number + 1)

    def _work(self, call: Call, now_s: float) -> None:
        self.billed += 1
        if not call.over:
            self.answers += 1
            self._client.ended(call, True, now_s, 0.5)

    def _set(self, at_s: float, what: Call | int) -> None:
        self._serial += 1
        heapq.heappush(self._timers, (at_s, self._serial, what))


def run(client: Client, seed: int) -> Figures:
    world, span_s, room = World(client, seed), 0.02, 0.0
    for step in range(round(RUN_S / span_s)):
        now_s = step * span_s
        per_s = DIP_CALLS_PER_S if DIP_S[0] <= now_s < DIP_S[1] else CALLS_PER_S
        room = world.tick(now_s, span_s, room + per_s * span_s)
    return Figures(world.answers / world.requests, world.billed / max(1, world.answers))
