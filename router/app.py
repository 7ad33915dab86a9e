"""The composition root: the only file that constructs edges and hands them to the trunk.

Rule: no decision, no parsing, no route; who stands behind which port, and who is closed in what order.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from litestar import Litestar

from .affording import Affording
from .api.admin import AdminKey, leave_key
from .api.admission import Admission
from .api.auth import Keys
from .api.door import Front
from .api.routes import build_api
from .attempt import Attempts
from .caching import Caches
from .clock import SystemClock
from .counting import Counting
from .decide.policy import Budget, Rulebook
from .decide.spend import Account
from .dispatch import Dispatch
from .ledger.books import Books
from .ledger.history import spent_by_caller
from .listening import Listening
from .memory.pins import MemoryPins
from .memory.prefixes import MemoryPrefixes
from .memory.spend import MemorySpend
from .memory.verdicts import MemoryVerdicts
from .pipeline import Pipeline
from .ports import Clock
from .prewarming import Prewarming
from .recalling import Recalling
from .settings import Settings, environment
from .settling import Settling
from .shadowing import Shadowing
from .standin import running_standin
from .steering.alarms import Alarms
from .steering.helm import Helm, Policies
from .steering.loading import Loader
from .steering.seeding import seeds
from .steering.state import StateFile
from .steering.watching import watching
from .telemetry import JsonEvents
from .upstream.classifier import HaikuClassifier
from .upstream.claude import ClaudeUpstream
from .upstream.webhook import Webhook


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A running service: what the doors open on, and what the banner tells."""

    app: Litestar
    admission: Admission
    helm: Helm
    events: JsonEvents
    upstream_url: str
    beside: tuple[Coroutine[None, None, None], ...]  # what runs beside the requests, until it is cancelled


class Wellbeing:
    """What /health/ready and /metrics say."""

    def __init__(self, *, helm: Helm, books: Books, admission: Admission, events: JsonEvents) -> None:
        self._helm = helm
        self._books = books
        self._admission = admission
        self._events = events

    def ready(self) -> tuple[bool, dict[str, object]]:
        """A policy that could not be loaded is no reason to send traffic elsewhere: the old one serves."""
        trouble = self._books.health()
        draining = self._admission.draining
        is_well = trouble is None and self._helm.trouble is None
        told: dict[str, object] = {
            "status": "draining" if draining else "ready" if is_well else "degraded",
            "policy": self._helm.current.hash,
            "policy_files": self._helm.trouble or "ok",
            "rollout": self._helm.stage,
            "ledger": trouble or "ok",
            "in_flight": self._admission.in_flight,
        }
        return not draining and trouble is None, told

    def metrics(self) -> bytes:
        gauge = f"# TYPE tierwise_in_flight gauge\ntierwise_in_flight {self._admission.in_flight}\n"
        return self._events.metrics() + gauge.encode()


@asynccontextmanager
async def running_service(settings: Settings, write: Callable[[bytes], object] | None) -> AsyncIterator[Service]:
    """Builds the service, and takes it down in the opposite order: the books are closed last."""
    clock = SystemClock()
    loader = Loader(settings.policy, settings.models, settings.prices, environment=environment(), clock=clock)
    first = loader.load()  # before anything is opened: a wrong policy stops the start
    events = JsonEvents(write=write, clock=clock)
    async with AsyncExitStack() as stack:
        books = Books(settings.data_dir, clock)
        recovered = books.start()
        events.say("ledger", rows=recovered.rows, unknown=recovered.unknown, damaged_bytes=recovered.damaged_bytes)
        stack.callback(books.close)
        url, key = settings.upstream_url, settings.upstream_key
        if settings.uses_standin:
            standin = await stack.enter_async_context(running_standin(clock=clock))
            url, key = standin.url, "stand-in"
        upstream = ClaudeUpstream(
            base_url=url, api_key=key, auth_token=settings.upstream_token, connections=settings.upstream_connections
        )
        stack.push_async_callback(upstream.close)
        attempts = Attempts(upstream=upstream, ledger=books, clock=clock)
        listening = Listening(attempts=attempts, clock=clock)
        verdicts = MemoryVerdicts(clock, entries=first.current.policy.classifier.cache_entries)
        classifier = HaikuClassifier(ask_model=listening.ask_model, verdicts=verdicts, clock=clock, events=events)
        stack.push_async_callback(classifier.close)
        alarms, purse = Alarms(events=events, clock=clock), MemorySpend()
        stack.push_async_callback(alarms.close)
        switch = _Switch(verdicts, alarms, purse, settings.data_dir, clock)
        helm = Helm(
            load=lambda: switch.prepared(loader.load),
            state=StateFile(settings.data_dir),
            ledger=books,
            telling=(events, alarms),
            clock=clock,
            switched=switch.to,
        )
        stack.callback(helm.close)
        affording = Affording(purse=purse, warn=alarms.raise_)
        caches = Caches(prefixes=MemoryPrefixes(clock), events=events, clock=clock)
        prewarming = Prewarming(rules=lambda: helm.current, attempts=attempts, caches=caches, told=(events, clock))
        admission = Admission(settings.max_in_flight)
        app = build_api(
            front=_front(settings, admission, clock, events),
            pipeline=_pipeline((helm, events, books), (classifier, listening), attempts, affording, caches),
            counting=Counting(rules=lambda: helm.current, upstream=upstream),
            health=Wellbeing(helm=helm, books=books, admission=admission, events=events),
            admin=(AdminKey(_admin_key(settings)), helm),
        )
        reloading = watching(lambda: helm.files, lambda: helm.reload("file"), events)
        beside = (helm.keep(), alarms.tell(), prewarming.keep(), reloading)
        yield Service(app=app, admission=admission, helm=helm, events=events, upstream_url=url, beside=beside)


def _front(settings: Settings, admission: Admission, clock: Clock, events: JsonEvents) -> Front:
    return Front(
        keys=Keys(settings.callers, os.urandom(32)),
        admission=admission,
        clock=clock,
        events=events,
        body_limit_bytes=settings.body_limit_mb * 1024 * 1024,
    )


class _Switch:
    """What follows the policy that comes into force."""

    def __init__(
        self, verdicts: MemoryVerdicts, alarms: Alarms, purse: MemorySpend, data_dir: Path, clock: Clock
    ) -> None:
        self._verdicts = verdicts
        self._alarms = alarms
        self._purse = purse
        self._data_dir = data_dir
        self._clock = clock
        self._budgets: dict[str, Budget] = {}
        self._seeds: dict[Account, int] = {}
        self._hook: tuple[str, str] | None = None
        self._webhook: Webhook | None = None

    def prepared(self, load: Callable[[], Policies]) -> Policies:
        """Loads, and looks into the ledger for what a budget that is new had spent before. Not in the loop."""
        loaded = load()
        if loaded.current.policy.budgets != self._budgets:
            self._seeds = seeds(loaded.current, self._clock.now_ms(), self._spent_since)
        return loaded

    def to(self, rules: Rulebook) -> None:
        self._verdicts.resize(rules.policy.classifier.cache_entries)
        if rules.webhook != self._hook:
            self._hook = rules.webhook
            self._webhook = Webhook(*rules.webhook, clock=self._clock) if rules.webhook is not None else None
        self._alarms.follow(rules.policy.alerts, self._webhook)
        self._budgets = rules.policy.budgets
        for account, pico in self._seeds.items():
            self._purse.seed(account, pico)
        self._seeds = {}

    def _spent_since(self, since_ms: int) -> Iterable[tuple[str, str | None, str | None, int]]:
        return spent_by_caller(self._data_dir, since_ms)


def _admin_key(settings: Settings) -> str:
    """The setting, else a new key that only this user can read."""
    if settings.admin is not None:
        return settings.admin
    secret = os.urandom(24).hex()
    leave_key(settings.data_dir, secret)
    return secret


def _pipeline(
    told: tuple[Helm, JsonEvents, Books],
    listen: tuple[HaikuClassifier, Listening],
    attempts: Attempts,
    affording: Affording,
    caches: Caches,
) -> Pipeline:
    helm, events, books = told
    clock = caches.clock
    pins = MemoryPins(clock)
    return Pipeline(
        recalling=Recalling(steering=helm, pins=pins, caches=caches, clock=clock),
        listen=listen,
        affording=affording,
        dispatch=Dispatch(attempts=attempts, caches=caches, clock=clock),
        settling=Settling(
            pins=pins,
            clock=clock,
            told=(events, books, helm),
            shadowing=Shadowing(steering=helm, classifier=listen[0]),
            affording=affording,
        ),
        clock=clock,
    )
