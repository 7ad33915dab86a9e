"""What spans several keys or files: names that must exist, tiers whose model cannot do what is asked, prices.

Rule: each check is one small method that says what is wrong, where, and what is allowed instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import get_args

import msgspec

from ..decide.policy import Catalogue, EffortLevel, Model, Policy, PriceBook, Rates, Tier
from ..vocabulary import Difficulty
from .catalogue import can_stop_thinking, day_of, ids_of
from .document import Mapping, find
from .report import Page, Report, listed, nearest, quoted

EFFORT_ORDER: tuple[str, ...] = get_args(EffortLevel)  # lowest first
RETIRES_SOON = timedelta(days=30)
RESERVED_TIERS = frozenset({"auto", "claude-auto"})
GENERAL = "general"  # the one task of a policy that names none


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """The three files as they were read."""

    policy: Policy
    root: Mapping
    page: Page
    catalogue: Catalogue
    prices: PriceBook
    prices_name: str
    catalogue_root: Mapping
    catalogue_page: Page

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks: the one that every policy has, where it names none."""
        return list(self.policy.tasks) or [GENERAL]

    def id_of(self, model: str) -> str | None:
        return ids_of(self.catalogue).get(model)


def cross_check(sources: Sources, today: date | None, report: Report) -> None:
    """Reports everything that no single key shows."""
    _CrossCheck(sources, today, report).run()


class _CrossCheck:
    def __init__(self, sources: Sources, today: date | None, report: Report) -> None:
        self._policy = sources.policy
        self._sources = sources
        self._catalogue = sources.catalogue
        self._ids = ids_of(sources.catalogue)
        self._today = today
        self._report = report
        # From the tree, not the record: a tier that is wrong in itself still has its name.
        self._tiers = self._names("tiers")
        self._tasks = self._names("tasks") or [GENERAL]

    def run(self) -> None:
        for name, tier in self._policy.tiers.items():
            self._tier(name, tier)
        self._tier_names()
        self._tasks_known()
        self._classifier()
        self._prices()
        self._order_of_tiers()
        self._unreached_tiers()

    def _names(self, section: str) -> list[str]:
        named = self._sources.root.pairs.get(section)
        return list(named[1].pairs) if named is not None and isinstance(named[1], Mapping) else []

    def _error(self, path: tuple[str | int, ...], message: str, *, key: bool = False) -> None:
        self._report.error(self._sources.page, find(self._sources.root, *path, key=key), message)

    def _warn(self, path: tuple[str | int, ...], message: str) -> None:
        self._report.warn(self._sources.page, find(self._sources.root, *path, key=True), message)

    def _model(self, path: tuple[str | int, ...], name: str) -> Model | None:
        """The model of that name; what is wrong with it is reported at `path`."""
        if name in self._catalogue.retired:
            self._error(path, f"the model `{name}` is retired; use `{self._catalogue.retired[name]}`")
            return None
        if name not in self._ids:
            advice = nearest(name, self._ids) or f"; it has: {listed(self._catalogue.models)}"
            self._error(path, f"models.yaml has no model {quoted(name)}{advice}")
            return None
        model = self._catalogue.models[self._ids[name]]
        self._retirement(path, name, model)
        return model

    def _retirement(self, path: tuple[str | int, ...], name: str, model: Model) -> None:
        day = day_of(model.retires) if model.retires is not None else None
        if day is None or self._today is None or day > self._today + RETIRES_SOON:
            return
        instead = f"; use `{model.replacement}`" if model.replacement else ""
        if day <= self._today:
            self._error(path, f"the model `{name}` retired on {day}{instead}")
        else:
            self._warn(path, f"the model `{name}` retires on {day}, in {(day - self._today).days} days{instead}")

    def _tier(self, name: str, tier: Tier) -> None:
        means = self._ids.get(name)
        if name in RESERVED_TIERS or (means is not None and means != self._ids.get(tier.model)):
            taken = f"the model `{means}`" if means else "a request that the router places"
            self._error(("tiers", name), f"a tier cannot be called `{name}`: that already names {taken}", key=True)
        for number, sibling in enumerate(tier.siblings):
            self._model(("tiers", name, "siblings", number), sibling)
            if self._ids.get(sibling) == self._ids.get(tier.model):
                self._error(("tiers", name, "siblings", number), f"`{sibling}` is the tier's own model; name another")
        model = self._model(("tiers", name, "model"), tier.model)
        if model is None:
            return
        if tier.effort is not None and tier.effort not in model.effort:
            allowed = f"takes {listed(model.effort)}" if model.effort else "has no effort levels; remove the key"
            self._error(("tiers", name, "effort"), f"`{tier.model}` does not take effort `{tier.effort}`: it {allowed}")
        if tier.thinking == "off":
            self._thinking_off(name, tier, model)

    def _thinking_off(self, name: str, tier: Tier, model: Model) -> None:
        path = ("tiers", name, "thinking")
        if not can_stop_thinking(model):
            able = [known for known, other in self._catalogue.models.items() if can_stop_thinking(other)]
            self._error(path, f"`{tier.model}` always thinks; use `auto`, or a model that can stop: {listed(able)}")
            return
        highest = model.thinking.off_up_to
        if highest is None or tier.effort is None:
            return
        if EFFORT_ORDER.index(tier.effort) > EFFORT_ORDER.index(highest):
            self._error(path, f"`{tier.model}` cannot stop thinking at effort `{tier.effort}`: `{highest}` at most")

    def _tier_names(self) -> None:
        """Each place that names a tier names one that is there."""
        for path, name in self._named_tiers():
            part = self._policy.tiers.get(name)
            if name not in self._tiers:
                known = listed(self._tiers)
                self._error(path, f"no tier is called `{name}`{nearest(name, self._tiers)}; the tiers are: {known}")
            elif part is not None and part.only_by_name and path[-1] not in ("cap_tier", "ceiling"):
                self._error(path, f"the tier `{name}` is `only_by_name`: nothing but a caller or a rule may lead to it")

    def _named_tiers(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        policy = self._policy
        if policy.default is not None:
            yield ("default", "tier"), policy.default.tier
        for difficulty, tier in policy.difficulty.items():
            yield ("difficulty", difficulty), tier
        for task_name, task in policy.tasks.items():
            for difficulty, tier in task.difficulty.items():
                yield ("tasks", task_name, "difficulty", difficulty), tier
        if policy.classifier.cap_tier is not None:
            yield ("classifier", "cap_tier"), policy.classifier.cap_tier
        if policy.fallbacks.ceiling is not None:
            yield ("fallbacks", "ceiling"), policy.fallbacks.ceiling

    def _tasks_known(self) -> None:
        default = self._policy.default
        if default is not None and default.task not in self._tasks:
            near = nearest(default.task, self._tasks)
            self._error(
                ("default", "task"), f"no task is called `{default.task}`{near}; the tasks are: {listed(self._tasks)}"
            )
        room = [
            self._catalogue.models[self._ids[tier.model]].max_output
            for tier in self._policy.tiers.values()
            if tier.model in self._ids
        ]
        for name, task in self._policy.tasks.items():
            if not task.description.strip():
                self._warn(("tasks", name), f"the task `{name}` has no description: the classifier has only its name")
            if room and task.max_tokens > min(room):
                path = ("tasks", name, "max_tokens")
                self._warn(
                    path, f"`max_tokens` {task.max_tokens} is more than a tier can write ({min(room)}); cut there"
                )

    def _classifier(self) -> None:
        rules = self._policy.classifier
        if not rules.enabled:
            return
        path = ("classifier", "model")
        model = self._model(path, rules.model)
        if model is None:
            return
        if not can_stop_thinking(model):
            self._error(path, f"the classifier must be able to answer without thinking; `{rules.model}` always thinks")
        if not model.structured_outputs:
            self._error(path, f"the classifier needs structured outputs; `{rules.model}` has none")

    def _prices(self) -> None:
        for name in self._catalogue.models:
            if name not in self._sources.prices.by_model:
                spot = find(self._sources.catalogue_root, "models", name, key=True)
                near = nearest(name, self._sources.prices.by_model)
                message = f"`{name}` has no price in {self._sources.prices_name}{near}"
                self._report.error(self._sources.catalogue_page, spot, message)

    def _order_of_tiers(self) -> None:
        """Cheapest first: what climbs the ladder relies on it."""
        before: tuple[str, Rates] | None = None
        for name, tier in self._policy.tiers.items():
            prices = self._sources.prices.by_model.get(self._ids.get(tier.model, ""))
            if not prices:
                continue
            rates = prices[0].rates
            if before is not None and rates.output < before[1].output:
                self._warn(("tiers", name), f"the tier `{name}` is cheaper than `{before[0]}` above it: cheapest first")
            before = (name, rates)

    def _unreached_tiers(self) -> None:
        """A tier that no verdict, rule, measurement, default or fallback leads to is there by mistake."""
        policy, tiers = self._policy, list(self._policy.tiers)
        open_tiers = [name for name in tiers if not policy.tiers[name].only_by_name]
        named = {tier for _, tier in self._named_tiers()} | {rule.tier for rule in policy.rules if rule.tier}
        ceiling = policy.fallbacks.ceiling
        climbed = tiers if ceiling is None or ceiling not in tiers else tiers[: tiers.index(ceiling) + 1]
        by_difficulty = set(open_tiers[:3]) if len(policy.difficulty) < len(Difficulty) else set()
        for name in tiers:
            if name not in named | set(climbed) | by_difficulty and name in open_tiers:
                message = f"nothing leads to the tier `{name}`; say `only_by_name: true` if callers are to name it"
                self._warn(("tiers", name), message)
