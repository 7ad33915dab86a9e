"""The policy in force, and what follows when another one takes its place.

Rule: builds the steering, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from ..affording import Affording
from ..decide.policy import Budget, Rulebook
from ..decide.spend import Account
from ..ledger.books import Books
from ..ledger.history import spent_by_caller
from ..ports import Clock
from ..settings import Settings
from ..steering.helm import Helm, Policies
from ..steering.loading import Loader
from ..steering.seeding import seeds
from ..steering.state import StateFile
from ..telemetry import JsonEvents
from ..upstream.webhook import Webhook
from .remembering import Memory


class Switch:
    """What follows the policy that comes into force."""

    def __init__(self, memory: Memory, data_dir: Path, clock: Clock) -> None:
        self._memory = memory
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
        memory = self._memory
        memory.verdicts.resize(rules.policy.classifier.cache_entries)
        memory.local.resize(rules.policy.replies.max_mb * 1024 * 1024)
        if rules.webhook != self._hook:
            self._hook = rules.webhook
            self._webhook = Webhook(*rules.webhook, clock=self._clock) if rules.webhook is not None else None
        memory.alarms.follow(rules.policy.alerts, self._webhook)
        self._budgets = rules.policy.budgets
        for account, pico in self._seeds.items():
            memory.purse.seed(account, pico)
        self._seeds = {}

    def _spent_since(self, since_ms: int) -> Iterable[tuple[str, str | None, str | None, int]]:
        return spent_by_caller(self._data_dir, since_ms)


def open_steering(
    settings: Settings,
    loader: Loader,
    memory: Memory,
    told: tuple[Clock, JsonEvents, Books],
    stack: AsyncExitStack,
) -> tuple[Helm, Affording]:
    clock, events, books = told
    switch = Switch(memory, settings.data_dir, clock)
    helm = Helm(
        load=lambda: switch.prepared(loader.load),
        state=StateFile(settings.data_dir),
        ledger=books,
        telling=(events, memory.alarms),
        clock=clock,
        switched=switch.to,
    )
    stack.callback(helm.close)
    return helm, Affording(purse=memory.purse, warn=memory.alarms.raise_)
