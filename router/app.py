"""The composition root: the only file that constructs edges and hands them to the trunk.

Rule: no decision, no parsing, no route; who stands behind which port, and who is closed in what order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec

from .attempt import Attempts
from .clock import SystemClock
from .counting import Counting
from .decide.policy import Rulebook
from .dispatch import Dispatch
from .ledger.books import Books
from .listening import Listening
from .memory.pins import MemoryPins
from .memory.verdicts import MemoryVerdicts
from .pipeline import Pipeline
from .policyfile import load
from .ports import Clock
from .settings import Settings
from .settling import Settling
from .standin.server import running_standin
from .telemetry import JsonEvents
from .upstream.claude import ClaudeUpstream
from .upstream.classifier import HaikuClassifier


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a running service consists of."""

    settings: Settings
    rules: Rulebook
    clock: Clock
    pipeline: Pipeline
    counting: Counting
    events: JsonEvents
    books: Books
    upstream_url: str


@asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[Service]:
    """Builds the service, and takes it down in the opposite order: the books are closed last."""
    clock = SystemClock()
    rules = load(settings.policy, settings.models, settings.prices, today=datetime.now(UTC).date())
    async with AsyncExitStack() as stack:
        books = Books(settings.data_dir, clock)
        books.start()
        stack.callback(books.close)
        base_url, api_key = settings.anthropic_base_url, settings.api_key_value()
        if settings.uses_standin:
            standin = await stack.enter_async_context(running_standin(clock=clock))
            base_url, api_key = standin.url, "standin"
        upstream = ClaudeUpstream(
            base_url=base_url,
            api_key=api_key,
            auth_token=settings.auth_token_value(),
            connections=settings.upstream_connections,
        )
        stack.push_async_callback(upstream.close)
        yield _wire(settings, rules, clock, books, upstream)
