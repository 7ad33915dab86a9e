"""The service of one process, as app.py wires it, over a made-up world.

Rule: a new part of the service is one edit in `compose`, and what it must leave behind one line in `left_over`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from router.affording import Affording
from router.api.admission import Admission
from router.api.auth import Keys
from router.api.door import Door, Front
from router.attempt import Attempts
from router.caching import Caches
from router.decide.policy import Rulebook
from router.dispatch import Dispatch
from router.errors import RequestError
from router.gating import Gating
from router.given import Giving
from router.listening import Listening
from router.memory.health import Health
from router.memory.pins import MemoryPins
from router.memory.prefixes import MemoryPrefixes
from router.memory.replies import MemoryReplies
from router.memory.spend import MemorySpend
from router.memory.verdicts import MemoryVerdicts
from router.pipeline import Pipeline
from router.policyfile import load
from router.ports import Clock, Steered, Upstream, Watched
from router.recalling import Recalling
from router.sampling import Sampling
from router.sending import Sending
from router.settling import Settling
from router.shadowing import Shadowing
from router.upstream.classifier import HaikuClassifier
from router.vocabulary import PICO_PER_USD, Ask, Caller, Job, Sampled
from router.wire.ask import read_complete, read_messages

from .books import BooksOfProcess

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "policies"
POLICIES = ("plain", "thrifty", "strict")
TENANTS = {f"key-of-{name}": name for name in ("acme", "blue", "corp")}


@cache
def rules_of(policy: str) -> Rulebook:
    return load(HERE / "policies" / f"{policy}.yaml", SHIPPED / "models.yaml", SHIPPED / "prices.yaml")


class SimEvents:
    """Implements ports.Events; the simulation is told of each request."""

    def __init__(self, told: Counter[str], requests: dict[str, list[Mapping[str, object]]]) -> None:
        self._told = told
        self._requests = requests

    def request(self, fields: Mapping[str, object]) -> None:
        self._requests.setdefault(str(fields["request_id"]), []).append(fields)

    def count(self, name: str, label: str = "") -> None:
        self._told[f"count:{name}:{label}"] += 1

    def say(self, event: str, **fields: object) -> None:
        self._told[f"say:{event}"] += 1


class OnePolicy:
    """Implements ports.Steering."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules

    def steer(self, _ask: Ask, _caller: Caller) -> Steered:
        return Steered(rules=self._rules)

    def watch(self, served: Watched) -> None:
        """Alarms are not what is tested here."""

    def differed(self, shadow: str, differs: bool | None, words: str) -> None:
        """There is no shadow."""


class NothingLater:
    """Implements settling.Defers: nothing can be put off here, so something else must stand in."""

    def check(self, _ask: Ask) -> None:
        """Nobody asks to be told here."""

    async def defer(self, _ask: Ask, _caller: Caller) -> Job:
        raise RequestError("router_overloaded", "no jobs here")


class NothingKept:
    """Implements ports.Samples."""

    def keep(self, _sampled: Sampled, _days: int, _max_mb: int) -> None:
        """Nobody learns here."""


class Process(msgspec.Struct, kw_only=True):
    """What runs until it is stopped or dies."""

    rules: Rulebook
    complete: Door
    messages: Door
    books: BooksOfProcess
    admission: Admission
    spend: MemorySpend
    caches: Caches
    listening: Listening
    classifier: HaikuClassifier
    pipeline: Pipeline
    gates: Health | None  # None: nobody is held back, and nothing is promised about it


def compose(
    rules: Rulebook, upstream: Upstream, books: BooksOfProcess, events: SimEvents, clock: Clock, room: int
) -> Process:
    """Everything of one process, new. `room` is for so many requests at once."""
    attempts = Attempts(upstream=upstream, ledger=books, clock=clock)
    gates = Health(clock, events)
    listening = Listening(attempts=attempts, gates=gates, clock=clock)
    verdicts = MemoryVerdicts(clock, entries=rules.policy.classifier.cache_entries)
    classifier = HaikuClassifier(ask_model=listening.ask_model, verdicts=verdicts, clock=clock, events=events)
    pins, spend, steering = MemoryPins(clock), MemorySpend(), OnePolicy(rules)
    caches = Caches(prefixes=MemoryPrefixes(clock), events=events, clock=clock)
    affording = Affording(purse=spend, warn=lambda kind, _words: events.count("warned", kind))
    sampling = Sampling(NothingKept(), clock)
    giving = Giving(replies=MemoryReplies(clock, 1 << 20, events), clock=clock, told=(events, books), sampling=sampling)
    settling = Settling(
        pins=pins,
        told=(events, books, steering),
        shadowing=Shadowing(steering=steering, classifier=classifier),
        affording=affording,
        instead=(giving, NothingLater()),
        clock=clock,
    )
    sending = Sending(attempts=attempts, caches=caches, clock=clock)
    pipeline = Pipeline(
        recalling=Recalling(steering=steering, pins=pins, caches=caches, clock=clock),
        listen=(classifier, listening, Gating(classifier=classifier, clock=clock, events=events)),
        affording=affording,
        dispatch=Dispatch(sending=sending, gates=gates, affording=affording, caches=caches, clock=clock),
        end=(giving, settling),
        clock=clock,
    )
    admission = Admission(room)
    keys = Keys(TENANTS, b"pepper")
    front = Front(keys=keys, admission=admission, clock=clock, events=events, body_limit_bytes=1 << 20)
    return Process(
        rules=rules,
        complete=Door(front, read_complete, pipeline.handle),
        messages=Door(front, read_messages, pipeline.handle),
        books=books,
        admission=admission,
        spend=spend,
        caches=caches,
        listening=listening,
        classifier=classifier,
        pipeline=pipeline,
        gates=gates,
    )


def left_over(process: Process) -> dict[str, int]:
    """What must be nothing when all requests have ended."""
    standing = process.gates.standing().values() if process.gates is not None else ()
    return {
        "calls that hold a pass": sum(int(str(model["in_flight"])) for model in standing),
        "requests that wait at a gate": sum(int(str(model["waiting"])) for model in standing),
        "shared calls": len(process.pipeline._flights),
        "money held": sum(pot.held_pico for pot in process.spend._pots.values()),
        "places taken at the door": process.admission.in_flight,
        "bytes of bodies": process.admission.body_bytes,
        "prefixes being written": len(process.caches.herds),
        "requests being listened to": len(process.listening._spent),
        "questions under way": len(process.classifier._asking),
    }


def overspent(process: Process) -> list[str]:
    """Budgets of which more is gone than there was."""
    budgets = process.rules.policy.budgets
    return [
        f"{pot.spent_pico} pico-dollars are gone of the budget {account.budget} {account.key}, {budget.usd} USD"
        for account, pot in process.spend._pots.items()
        if (budget := budgets[account.budget]).then != "warn" and pot.spent_pico > budget.usd * PICO_PER_USD
    ]
