"""The composition root: the only file that constructs edges and hands them to the trunk.

Rule: no decision, no parsing, no route; who stands behind which port, and who is closed in what order.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec
import uvloop
from litestar import Litestar

from .api.admission import Admission
from .api.auth import Keys
from .api.door import Front
from .api.routes import build_api
from .api.server import Ground, serve
from .attempt import Attempts
from .clock import SystemClock
from .counting import Counting
from .decide.policy import Rulebook
from .dispatch import Dispatch
from .errors import StartError
from .ledger.books import Books
from .listening import Listening
from .memory.pins import MemoryPins
from .memory.verdicts import MemoryVerdicts
from .pipeline import Pipeline
from .policyfile import load
from .ports import Clock
from .settings import Settings
from .settling import Settling
from .standin import running_standin
from .telemetry import JsonEvents
from .upstream.classifier import HaikuClassifier
from .upstream.claude import ClaudeUpstream


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A running service: what the doors open on, and what the banner tells."""

    app: Litestar
    admission: Admission
    rules: Rulebook
    events: JsonEvents
    upstream_url: str


class Wellbeing:
    """What /health/ready and /metrics say."""

    def __init__(self, *, rules: Rulebook, books: Books, admission: Admission, events: JsonEvents) -> None:
        self._rules = rules
        self._books = books
        self._admission = admission
        self._events = events

    def ready(self) -> tuple[bool, dict[str, object]]:
        trouble = self._books.health()
        draining = self._admission.draining
        status = "draining" if draining else "ready" if trouble is None else "degraded"
        told = {
            "status": status,
            "policy": self._rules.hash,
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
    rules = load(settings.policy, settings.models, settings.prices, today=datetime.now(UTC).date())
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
        admission = Admission(settings.max_in_flight)
        attempts = Attempts(upstream=upstream, ledger=books, clock=clock)
        listening = Listening(attempts=attempts, clock=clock)
        classifier = HaikuClassifier(
            ask_model=listening.ask_model, rules=lambda: rules, verdicts=_verdicts(rules, clock), clock=clock
        )
        stack.push_async_callback(classifier.close)
        app = build_api(
            front=Front(
                keys=Keys(settings.callers, os.urandom(32)),
                admission=admission,
                clock=clock,
                events=events,
                body_limit_bytes=settings.body_limit_mb * 1024 * 1024,
            ),
            pipeline=_pipeline(rules, (classifier, listening), attempts, clock, events),
            counting=Counting(rules=lambda: rules, upstream=upstream),
            health=Wellbeing(rules=rules, books=books, admission=admission, events=events),
        )
        yield Service(app=app, admission=admission, rules=rules, events=events, upstream_url=url)


def run(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises StartError."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    write = sys.stdout.buffer.write if settings.log == "json" else None
    async with running_service(settings, write) as service:
        ground = Ground(
            host=settings.host,
            port=settings.port,
            drain_s=settings.drain_s,
            head_s=settings.head_timeout_s,
            body_bytes_per_s=settings.body_min_bytes_per_s,
        )
        # What was built so far lives as long as the process: a full collection that walked it again and
        # again would stop every request for a tenth of a second.
        gc.collect()
        gc.freeze()
        flushing = asyncio.ensure_future(_flush_often())
        try:
            await serve(service.app, ground, service.admission, lambda port: _banner(settings, service, port))
        except OSError as error:
            raise StartError(
                f"TIERWISE_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            ) from None
        finally:
            flushing.cancel()
            sys.stdout.flush()


async def _flush_often() -> None:
    """Log lines leave together, a few times a second: a write for each would cost more than the line."""
    while True:
        await asyncio.sleep(0.2)
        sys.stdout.flush()


def _verdicts(rules: Rulebook, clock: Clock) -> MemoryVerdicts | None:
    classifier = rules.policy.classifier
    if classifier.cache_s == 0:
        return None
    return MemoryVerdicts(clock, entries=classifier.cache_entries, keep_s=classifier.cache_s)


def _pipeline(
    rules: Rulebook,
    listen: tuple[HaikuClassifier, Listening],
    attempts: Attempts,
    clock: Clock,
    events: JsonEvents,
) -> Pipeline:
    pins = MemoryPins(clock)
    return Pipeline(
        rules=lambda: rules,
        listen=listen,
        pins=pins,
        dispatch=Dispatch(attempts=attempts, clock=clock),
        settling=Settling(pins=pins, clock=clock, events=events),
        clock=clock,
    )


def _banner(settings: Settings, service: Service, port: int) -> None:
    """What a person sees first: where it is, what it asks, where the books are, and what to try."""
    url = f"http://{settings.host}:{port}"
    asks = service.upstream_url
    if settings.uses_standin:
        asks = f"the bundled stand-in at {asks} (no ANTHROPIC_API_KEY is set: nothing is real, nothing is billed)"
    tell = [
        f"Tierwise serves at {url}",
        f"  policy    {service.rules.source} ({service.rules.hash})",
        f"  asks      {asks}",
        f"  ledger    {settings.data_dir.resolve()}",
        *(f"  warning   {warning}" for warning in service.rules.warnings),
        "Try:",
        f'  curl -s {url}/complete -d \'{{"prompt":"What is the capital of France?"}}\'',
        f'  curl -N {url}/complete -d \'{{"prompt":"Explain B-trees","stream":true}}\'',
    ]
    sys.stderr.write("\n".join(tell) + "\n")
    sys.stderr.flush()
