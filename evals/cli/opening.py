"""Opens what a run works with: the real pipeline on books of its own, the store of answers, the engine.

Rule: the one place in evals/ that constructs edges; everything is closed in the opposite order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from pydantic import SecretStr
from rich.console import Console

from router.app import Service, running_service
from router.app.service import loader_of
from router.clock import SystemClock
from router.decide.policy import Rulebook
from router.errors import StartError
from router.ledger.lock import DirectoryLock
from router.ports import Clock, Ledger
from router.settings import API, Settings
from router.standin import running_standin
from router.upstream.caps import DEFAULT_CAPS
from router.upstream.client import open_client

from ..answers import Answers
from ..asking import Asking
from ..batch_api import BatchApi
from ..batching import Batching
from ..desk import Desk, GraderOf, Options, Purses, Source, check_suites, engine_of, words_of
from ..durable import private_folder
from ..engine import Fetch
from ..fresh import Fresh
from ..neutral import Neutral
from ..pending import Folder
from ..places import STANDIN, Places
from ..progress import Shown
from ..question import Questions, Render
from ..rehearsing import script_of
from ..vocabulary import Suite

BATCH_CONNECTIONS = 4
NO_KEY = (
    "nobody can be asked: set ANTHROPIC_API_KEY to measure, or add --rehearse to walk the whole way with made-up"
    " answers, for nothing"
)
NO_KEY_FOR_PAST = (
    "nobody can be asked: set ANTHROPIC_API_KEY to run past requests on another tier, or add --no-shadow to grade them"
    " only by what their task promises"
)


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """How a case becomes a prompt, and who grades the answer."""

    render: Render
    grader_of: GraderOf


@asynccontextmanager
async def opened(settings: Settings, options: Options, suites: Sequence[Suite], making: Making) -> AsyncIterator[Desk]:
    """Raises StartError: nobody to ask, another run under way, a suite or a policy that is wrong."""
    if settings.uses_standin and not options.rehearse:
        raise StartError(NO_KEY if suites else NO_KEY_FOR_PAST)
    clock = SystemClock()
    rules = loader_of(settings, clock).load().current
    check_suites(suites, rules)
    places = Places(data_dir=settings.data_dir, rehearsed=options.rehearse)
    async with AsyncExitStack() as stack:
        _alone(places, stack)
        opening = Opening(places, rules, clock, stack)
        own = opening.on_own_books(settings)
        if options.rehearse:
            own = await opening.at_standin(own, suites, making.render)
        service = await opening.service(own)
        fresh, answers = Fresh(places.fresh), Answers(places)
        notes = _notes(answers, fresh, options, suites)
        purses = Purses(suites, options.max_pico)
        shown = stack.enter_context(Shown(Console(stderr=True), purses.all, quiet=options.quiet))
        place = (STANDIN if options.rehearse else _name(settings), fresh.number)
        asking = Asking(
            pipeline=service.pipeline,
            questions=Questions(pipeline=service.pipeline, render=making.render, place=place, rules=rules, clock=clock),
            answers=answers,
            purse_of=purses.of,
            clock=clock,
        )
        stack.push_async_callback(asking.close)
        fetch = opening.batching(own, (answers, service.ledger), purses, shown) if options.batch else None
        yield Desk(
            asking=asking,
            engine=engine_of(asking, making.grader_of, private_folder(places.logs), (options, shown, fetch)),
            purses=purses,
            source=Source(upstream=place[0], rules=rules, rehearsed=options.rehearse, data_dir=settings.data_dir),
            shown=shown,
            told=(clock, options, notes),
        )


class Opening:
    """The edges of one run, each closed when the run is."""

    def __init__(self, places: Places, rules: Rulebook, clock: Clock, stack: AsyncExitStack) -> None:
        self._places = places
        self._rules = rules
        self._clock = clock
        self._stack = stack

    def on_own_books(self, settings: Settings) -> Settings:
        """Nothing is shared with a service that runs beside it: not its books, nor its memory, nor its doors' keys."""
        own = {"data_dir": private_folder(self._places.books), "redis_url": None, "jobs_url": None}
        return settings.model_copy(update={**own, "keys": SecretStr(""), "log": "off"})

    async def at_standin(self, settings: Settings, suites: Sequence[Suite], render: Render) -> Settings:
        script = script_of(suites, self._rules, render)
        standin = await self._stack.enter_async_context(running_standin(clock=self._clock, script=script))
        made_up = {"base_url": standin.url, "api_key": SecretStr("rehearsal"), "auth_token": None}
        return settings.model_copy(update={"anthropic": settings.anthropic.model_copy(update=made_up)})

    async def service(self, own: Settings) -> Service:
        """The real pipeline, with nothing beside it."""
        return await self._stack.enter_async_context(running_service(own, None, Neutral(self._rules)))

    def batching(self, own: Settings, keep: tuple[Answers, Ledger], purses: Purses, shown: Shown) -> Fetch:
        client = open_client(
            base_url=own.upstream_url,
            api_key=own.upstream_key,
            auth_token=own.upstream_token,
            connections=BATCH_CONNECTIONS,
            caps=DEFAULT_CAPS,
        )
        self._stack.push_async_callback(client.close)
        answers, ledger = keep
        batching = Batching(
            api=BatchApi(client),
            keep=(answers, Folder(self._places.batches), ledger),
            purse_of=purses.of,
            rules=self._rules,
            clock=self._clock,
            say=shown.say,
        )
        return batching.fetch


def _alone(places: Places, stack: AsyncExitStack) -> None:
    """Two runs at once would pay for the same answers."""
    lock = DirectoryLock(private_folder(places.root))
    try:
        lock.take()
    except StartError:
        raise StartError(
            f"another `tierwise eval` is at work in {places.root}: wait for it, or give this one its own"
            " TIERWISE_DATA_DIR"
        ) from None
    stack.callback(lock.release)


def _name(settings: Settings) -> str:
    return "api" if settings.upstream_url == API else settings.upstream_url


def _notes(answers: Answers, fresh: Fresh, options: Options, suites: Sequence[Suite]) -> tuple[str, ...]:
    """What a person should know before it begins."""
    going_on = fresh.begin(suite.name for suite in suites) if options.fresh else ()
    fresh_words = (f"goes on with what `--fresh` began and did not finish: {', '.join(going_on)}",) if going_on else ()
    return (*words_of(answers.left_over()), *fresh_words)
