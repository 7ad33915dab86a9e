"""What a row of requests costs at the stand-in's own accounts, in virtual time: with these marks, with others,
and at the very least.

Rule: input only, in plain input tokens of the model (a read at 0.1 counts a tenth), so that shapes compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import msgspec

from router.decide.policy import Rates
from router.standin.cache import LIFETIME_S, Plan, PromptCache
from router.standin.models import MODELS
from router.standin.prompt import positions, read_prompt

Json = dict[str, Any]


class Account:
    """One workspace at the API: its cache, and what it was billed for input."""

    def __init__(self) -> None:
        self.cache = PromptCache()
        self.plans: list[Plan] = []

    def take(self, body: Json, now_s: float) -> Plan:
        model = MODELS[body["model"]]
        row = positions(read_prompt(body, model), body, model)
        plan = self.cache.plan(body["model"], row, model.cache_minimum, now_s)
        self.cache.begin(plan)
        self.plans.append(plan)
        return plan


def billed(plans: Iterable[Plan], rates: Rates) -> Fraction:
    """In plain input tokens."""
    pico = sum(
        plan.uncached * rates.input
        + plan.read * rates.read
        + plan.write_5m * rates.write_5m
        + plan.write_1h * rates.write_1h
        for plan in plans
    )
    return Fraction(pico, rates.input)


def least(requests: Iterable[tuple[float, Json]], rates: Rates) -> Fraction:
    """A bound that no marking can beat, whoever knows the future: every block is marked as if it stood alone,
    with as many marks as it likes, and its best row of writes and reads is found."""
    visits: dict[bytes, list[tuple[float, bool]]] = {}
    tokens: dict[bytes, int] = {}
    rows = []
    for at_s, body in requests:
        model = MODELS[body["model"]]
        rows.append((at_s, positions(read_prompt(body, model), body, model)))
    times = Counter(block.digest for _, row in rows for block in row)
    for at_s, row in rows:
        times.subtract(block.digest for block in row)
        shared = max((at for at, block in enumerate(row) if times[block.digest]), default=-1)
        for at, block in enumerate(row):
            visits.setdefault(block.digest, []).append((at_s, at < shared))
            tokens[block.digest] = block.tokens
    pico = sum(_cheapest(seen, rates) * tokens[digest] for digest, seen in visits.items())
    return Fraction(pico, rates.input)


def _cheapest(visits: list[tuple[float, bool]], rates: Rates) -> int:
    """Of one token that is sent at these times: by what is left in the cache after each.

    A token that is read can live on for an hour at no price of its own, when a later block of the same request
    that comes back too is marked for an hour: only what is new before that mark is written at the hour's price.
    """
    writes = {"5m": rates.write_5m, "1h": rates.write_1h}
    after: dict[str | None, int] = {None: 0}
    before_s = visits[0][0]
    for at_s, is_carried in visits:
        cheapest = min(after.values())
        found: dict[str | None, int] = {None: cheapest + rates.input}
        found |= {ttl: cheapest + price for ttl, price in writes.items()}
        alive = {ttl: after[ttl] + rates.read for ttl in writes if ttl in after and at_s - before_s < LIFETIME_S[ttl]}
        for ttl, cost in alive.items():
            found[ttl] = min(found[ttl], cost)
            found["1h"] = min(found["1h"], cost) if is_carried else found["1h"]
        after, before_s = found, at_s
    return min(after.values())


def encoded(body: Json) -> bytes:
    return msgspec.json.encode(body)
