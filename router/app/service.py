"""The composition root: who stands behind which port, and who is closed in what order.

Rule: no decision, no parsing, no route.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from litestar import Litestar

from ..affording import Affording
from ..api.admin import AdminKey, leave_key
from ..api.admission import Admission
from ..api.auth import Keys
from ..api.door import Front
from ..api.lag import Lag
from ..api.routes import build_api
from ..attempt import Attempts
from ..caching import Caches
from ..clock import SystemClock
from ..counting import Counting
from ..deferring import Deferring
from ..dispatch import Dispatch
from ..gating import Gating
from ..given import Giving
from ..ledger.books import Books
from ..listening import Listening
from ..memory.pins import MemoryPins
from ..pipeline import Pipeline
from ..ports import Clock
from ..prewarming import Prewarming
from ..recalling import Recalling
from ..sampling import Sampling
from ..sending import Sending
from ..settings import Settings, environment
from ..settling import Settling
from ..shadowing import Shadowing
from ..standin import running_standin
from ..steering.helm import Helm
from ..steering.loading import Loader
from ..steering.watching import watching
from ..telemetry import JsonEvents
from ..upstream.classifier import HaikuClassifier
from ..upstream.claude import ClaudeUpstream
from .beside import Beside, Work
from .later import Later, open_database, open_later
from .remembering import Memory, open_memory
from .switching import open_steering
from .wellbeing import Wellbeing


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A running service: what the doors open on, and what the banner tells."""

    app: Litestar
    pipeline: Pipeline  # for who asks without a door: evals
    ledger: Books
    admission: Admission
    helm: Helm
    events: JsonEvents
    deferring: Deferring
    upstream_url: str
    works: Callable[[], tuple[Work, ...]]

    @property
    def beside(self) -> tuple[Work, ...]:
        """What runs beside the requests, until it is cancelled; each asking makes it anew."""
        return self.works()


@asynccontextmanager
async def running_service(
    settings: Settings, write: Callable[[bytes], object] | None, loader: Loader | None = None
) -> AsyncIterator[Service]:
    """Builds the service, and takes it down in the opposite order: the books are closed last.

    `loader` is another one than the settings', for who measures the policy and does not serve it.
    """
    clock = SystemClock()
    loader = loader or loader_of(settings, clock)
    first = loader.load()  # before anything is opened: a wrong policy stops the start
    events = JsonEvents(write=write, clock=clock)
    async with AsyncExitStack() as stack:
        books = _books(settings, clock, events, stack)
        database = await open_database(settings, clock, stack)
        upstream, url = await _upstream(settings, clock, stack)
        attempts = Attempts(upstream=upstream, ledger=books, clock=clock)
        memory = await open_memory(settings, first.current, (clock, events), stack)
        listen = _listening(attempts, memory, (clock, events), stack)
        helm, affording = open_steering(settings, loader, memory, (clock, events, books), stack)
        caches = Caches(prefixes=memory.prefixes, events=events, clock=clock)
        admission, lag = doors = _doors(settings, helm, clock)
        later = open_later(database, helm, (clock, events), lambda: admission.draining)
        stack.push_async_callback(later.repeating.close)
        pipeline = _pipeline(helm, books, listen, (attempts, affording, caches), (memory, later))
        beside = Beside(events)
        app = build_api(
            front=_front(settings, admission, clock, events),
            pipeline=pipeline,
            counting=Counting(rules=lambda: helm.current, upstream=upstream),
            health=Wellbeing(helm=helm, books=books, doors=doors, events=events, health=memory.health, beside=beside),
            admin=(AdminKey(_admin_key(settings)), helm),
            later=(later.repeating, later.deferring),
        )

        def works() -> tuple[Work, ...]:
            own = _works(helm, memory, (attempts, caches, lag), events)
            return beside.watched((*own, *memory.beside, *later.beside(pipeline)))

        yield Service(
            app=app,
            pipeline=pipeline,
            ledger=books,
            admission=admission,
            helm=helm,
            events=events,
            deferring=later.deferring,
            upstream_url=url,
            works=works,
        )


def loader_of(settings: Settings, clock: Clock) -> Loader:
    return Loader(settings.policy, settings.models, settings.prices, environment=environment(), clock=clock)


async def _upstream(settings: Settings, clock: Clock, stack: AsyncExitStack) -> tuple[ClaudeUpstream, str]:
    """The API, or the stand-in where nobody said whom to ask."""
    url, key = settings.upstream_url, settings.upstream_key
    if settings.uses_standin:
        standin = await stack.enter_async_context(running_standin(clock=clock))
        url, key = standin.url, "stand-in"
    upstream = ClaudeUpstream(
        base_url=url, api_key=key, auth_token=settings.upstream_token, connections=settings.upstream_connections
    )
    stack.push_async_callback(upstream.close)
    return upstream, url


def _listening(
    attempts: Attempts, memory: Memory, told: tuple[Clock, JsonEvents], stack: AsyncExitStack
) -> tuple[HaikuClassifier, Listening]:
    clock, events = told
    listening = Listening(attempts=attempts, gates=memory.health, clock=clock)
    classifier = HaikuClassifier(ask_model=listening.ask_model, verdicts=memory.verdicts, clock=clock, events=events)
    stack.push_async_callback(classifier.close)
    return classifier, listening


def _works(helm: Helm, memory: Memory, parts: tuple[Attempts, Caches, Lag], events: JsonEvents) -> tuple[Work, ...]:
    """What the service itself does beside its requests."""
    attempts, caches, lag = parts
    tending = memory.samples.tend(lambda: _limits_of_samples(helm))
    prewarming = Prewarming(
        rules=lambda: helm.current, calls=(attempts, memory.health), caches=caches, told=(events, caches.clock)
    )
    return helm.keep(), _reloading(helm, events), memory.alarms.tell(), prewarming.keep(), lag.keep(), tending


def _limits_of_samples(helm: Helm) -> tuple[int, int]:
    sampling = helm.current.policy.sampling
    return sampling.keep_days, sampling.max_mb


def _reloading(helm: Helm, events: JsonEvents) -> Coroutine[None, None, None]:
    return watching(lambda: helm.files, lambda: helm.reload("file"), events)


def _books(settings: Settings, clock: Clock, events: JsonEvents, stack: AsyncExitStack) -> Books:
    books = Books(settings.data_dir, clock)
    recovered = books.start()
    events.say("ledger", rows=recovered.rows, unknown=recovered.unknown, damaged_bytes=recovered.damaged_bytes)
    stack.callback(books.close)
    return books


def _doors(settings: Settings, helm: Helm, clock: Clock) -> tuple[Admission, Lag]:
    """Who is let in, and how far the service is behind."""
    lag = Lag(clock)
    room = settings.max_in_flight
    return Admission(room, late_s=lambda: lag.late_s, keep_free=lambda: helm.current.policy.pacing.keep_free), lag


def _front(settings: Settings, admission: Admission, clock: Clock, events: JsonEvents) -> Front:
    return Front(
        keys=Keys(settings.callers, os.urandom(32)),
        admission=admission,
        clock=clock,
        events=events,
        body_limit_bytes=settings.body_limit_mb * 1024 * 1024,
    )


def _admin_key(settings: Settings) -> str:
    """The setting, else a new key that only this user can read."""
    if settings.admin is not None:
        return settings.admin
    secret = os.urandom(24).hex()
    leave_key(settings.data_dir, secret)
    return secret


def _pipeline(
    helm: Helm,
    books: Books,
    listen: tuple[HaikuClassifier, Listening],
    send: tuple[Attempts, Affording, Caches],
    end: tuple[Memory, Later],
) -> Pipeline:
    attempts, affording, caches = send
    memory, later = end
    clock, events = caches.clock, caches.events
    pins = MemoryPins(clock)
    sampling = Sampling(memory.samples, clock)
    giving = Giving(replies=memory.replies, clock=clock, told=(events, books), sampling=sampling)
    settling = Settling(
        pins=pins,
        told=(events, books, helm),
        shadowing=Shadowing(steering=helm, classifier=listen[0]),
        affording=affording,
        instead=(giving, later.deferring),
        clock=clock,
    )
    sending = Sending(attempts=attempts, caches=caches, clock=clock)
    return Pipeline(
        recalling=Recalling(steering=helm, pins=pins, caches=caches, clock=clock),
        listen=(*listen, Gating(classifier=listen[0], clock=clock, events=events)),
        affording=affording,
        dispatch=Dispatch(sending=sending, gates=memory.health, affording=affording, caches=caches, clock=clock),
        end=(giving, settling),
        clock=clock,
    )
