"""Step 5, afford: within what the caller allows and what the policy's budgets have left, or not at all.

Rule: trunk. What a request may cost at most is held before the first byte leaves, and what it did cost takes
its place when it ends, on every exit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from .decide.budget import afford
from .decide.ladder import Rung, ladder
from .decide.price import worst_pico
from .decide.shape import fits
from .decide.spend import Account, Allowance, Standing, accounts, allowance, limits_pico
from .errors import RequestError
from .story import Story


class Purse(Protocol):
    """What was spent and what is held, by account. Synchronous; a hold is settled once."""

    def standings(self, accounts: Sequence[Account]) -> tuple[Standing, ...]: ...
    def hold(self, accounts: Sequence[Account], pico: int) -> object: ...
    def grow(self, hold: object, pico: int, limits: Sequence[int | None]) -> bool: ...
    def settle(self, hold: object, pico: int) -> None: ...


class Affording:
    """Of one process. `warn` is told of each budget that is nearly or wholly spent."""

    def __init__(self, *, purse: Purse, warn: Callable[[str, str], None]) -> None:
        self._purse = purse
        self._warn = warn
        self._warned: set[tuple[str, int]] = set()

    def afford(self, story: Story) -> tuple[Story, tuple[Rung, ...]]:
        """The story with what it may use. Raises RequestError where nothing may be."""
        limit_pico = story.ask.words.max_cost_pico
        pots = self._pots(story)
        if limit_pico is None and not pots:
            return story, self._ladder(story)
        worst = worst_by_tier(story)
        if limit_pico is not None:
            choice = afford(story.chosen, limit_pico, worst, story.rules)
            story = msgspec.structs.replace(story, choice=choice, saved=choice.tier != story.chosen.tier)
        if not pots:
            return story, self._ladder(story)
        allowed = allowance(self._purse.standings(pots), worst, story.chosen.tier, story.rules)
        self._tell(pots, allowed)
        story = _within(story, pots, allowed)
        rungs = tuple(rung for rung in self._ladder(story) if _is_below(rung, allowed.cap_tier, story))
        return story, rungs

    def hold(self, story: Story, first: Rung) -> Story:
        """Holds what the first attempt may cost; what more a fallback may cost is held before it is sent."""
        if not story.pots:
            return story
        worst = _worst(story, first.model, _tokens(story)) + story.verdict_pico
        return msgspec.structs.replace(story, hold=self._purse.hold(story.pots, worst))

    def more(self, story: Story, pico: int) -> str | None:
        """Another attempt, with which the request may have cost so much: why it may not be made, or None.

        What it may come to is held from now on.
        """
        limit_pico = story.ask.words.max_cost_pico
        if limit_pico is not None and pico > limit_pico:
            return "another attempt could pass max_cost_usd"
        if story.hold is None:
            return None
        limits = limits_pico(story.pots, story.rules)
        if self._purse.grow(story.hold, pico + story.verdict_pico, limits):
            return None
        return "another attempt could pass a budget"

    def settle(self, story: Story, spent_pico: int) -> None:
        if story.hold is not None:
            self._purse.settle(story.hold, spent_pico)

    def _pots(self, story: Story) -> tuple[Account, ...]:
        if not story.rules.policy.budgets:
            return ()
        return accounts(story.rules, story.caller.tenant, story.ask.words, story.started_ms)

    def _ladder(self, story: Story) -> tuple[Rung, ...]:
        return ladder(story.chosen, story.ask.facts, story.ask.words, story.rules)

    def _tell(self, pots: tuple[Account, ...], allowed: Allowance) -> None:
        """Once a budget and window: an alert that comes with every request is none."""
        for name in allowed.warn:
            window_ms = max(pot.window_ms for pot in pots if pot.budget == name)
            if (name, window_ms) not in self._warned:
                self._warned = {known for known in self._warned if known[0] != name} | {(name, window_ms)}
                self._warn("budget", f"the budget {name} is nearly or wholly spent")


def worst_by_tier(story: Story) -> Mapping[str, int]:
    """What the request costs at most on each tier that takes it; the key "" is a model outside the tiers."""
    facts, rules, chosen = story.ask.facts, story.rules, story.chosen
    tokens = _tokens(story)
    models = {chosen.tier or "": chosen.model}
    if not chosen.named_by_caller:
        others = {name: rules.ids[part.model] for name, part in rules.policy.tiers.items()}
        models |= {name: model for name, model in others.items() if fits(facts, model, rules) is None}
        models |= {chosen.tier or "": chosen.model}
    return {name: _worst(story, model, tokens) + story.verdict_pico for name, model in models.items()}


def _worst(story: Story, model: str, tokens: int) -> int:
    return worst_pico(story.ask.facts, model, tokens, story.rules, story.started_ms, story.may_write_1h)


def _tokens(story: Story) -> int:
    facts = story.ask.facts
    return facts.max_tokens if facts.max_tokens is not None else story.task.max_tokens


def _within(story: Story, pots: tuple[Account, ...], allowed: Allowance) -> Story:
    if allowed.refused is not None:
        raise RequestError("router_budget", allowed.refused)
    if allowed.canned:
        return msgspec.structs.replace(story, broke=allowed.reason or "a budget is spent")
    story = msgspec.structs.replace(story, pots=pots)
    cap, chosen = allowed.cap_tier, story.chosen
    order = story.rules.tier_order
    if cap is None or chosen.tier is None or chosen.named_by_caller or order.index(chosen.tier) <= order.index(cap):
        return story
    model = story.rules.ids[story.rules.policy.tiers[cap].model]
    choice = msgspec.structs.replace(chosen, tier=cap, model=model, reason=f"{chosen.reason}; {allowed.reason}")
    return msgspec.structs.replace(story, choice=choice, saved=True)


def _is_below(rung: Rung, cap: str | None, story: Story) -> bool:
    if cap is None or rung.tier is None or story.chosen.named_by_caller:
        return True
    order = story.rules.tier_order
    return order.index(rung.tier) <= max(order.index(cap), order.index(story.chosen.tier or cap))
