"""What a policy's budgets have left for a request, and what follows when it is not enough.

Rule: integers of pico-dollars; the time is an argument. A request fits a budget when what was spent, what is
held for requests under way, and its own worst case come to no more than the budget together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from ..vocabulary import PICO_PER_USD, Words
from .policy import Budget, Rulebook


class Account(msgspec.Struct, frozen=True):
    """A pot of money: a budget, whom it counts ("" for all together), and the hour, day or month it began."""

    budget: str
    key: str
    window_ms: int


class Standing(msgspec.Struct, frozen=True):
    account: Account
    spent_pico: int
    held_pico: int

    @property
    def gone_pico(self) -> int:
        return self.spent_pico + self.held_pico


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may do."""

    cap_tier: str | None = None  # no tier above this one
    refused: str | None = None  # in words for the caller
    canned: bool = False
    reason: str = ""
    warn: tuple[str, ...] = ()  # budgets that are nearly or wholly spent


def accounts(rules: Rulebook, tenant: str, words: Words, at_ms: int) -> tuple[Account, ...]:
    """The pots that a request draws from."""
    own = {"user": words.user or "", "feature": words.feature or "", "tenant": tenant}
    return tuple(
        Account(name, own[budget.each] if budget.each else "", window_start_ms(budget, at_ms))
        for name, budget in rules.policy.budgets.items()
        if (not budget.feature or (words.feature or "") in budget.feature)
        and (not budget.tenant or tenant in budget.tenant)
    )


def limits_pico(pots: Sequence[Account], rules: Rulebook) -> tuple[int | None, ...]:
    """How much may be in each; None where a budget only warns."""
    budgets = (rules.policy.budgets[pot.budget] for pot in pots)
    return tuple(None if budget.then == "warn" else _pico(budget) for budget in budgets)


def window_start_ms(budget: Budget, at_ms: int) -> int:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).replace(minute=0, second=0, microsecond=0)
    if budget.per != "hour":
        moment = moment.replace(hour=0)
    if budget.per == "month":
        moment = moment.replace(day=1)
    return int(moment.timestamp()) * 1000


def allowance(
    standings: tuple[Standing, ...], worst_by_tier: Mapping[str, int], tier: str | None, rules: Rulebook
) -> Allowance:
    """The strictest of what the budgets say. `worst_by_tier` holds what may be used; "" is no tier of the policy."""
    capped, reasons, warn, told = tier, list[str](), list[str](), Allowance()
    for standing in standings:
        name = standing.account.budget
        budget = rules.policy.budgets[name]
        if _saves(standing, budget):
            warn.append(name)
            capped, said = _lower(capped, budget.save_tier or rules.tier_order[0], name, rules)
            reasons += said
        fitting = _fitting(standing, budget, worst_by_tier, capped, rules)
        if fitting is None:
            warn.append(name)
            if budget.then != "warn" and told.refused is None and not told.canned:
                told = _spent(standing, budget)
        elif fitting != capped:
            reasons.append(f"the budget {name} has no more left than for {fitting}")
            capped = fitting
    cap = capped if capped != tier else None
    if any(_saves(standing, rules.policy.budgets[standing.account.budget]) for standing in standings):
        cap = capped
    reason = told.reason or "; ".join(reasons)
    return msgspec.structs.replace(told, cap_tier=cap, reason=reason, warn=tuple(dict.fromkeys(warn)))


def _saves(standing: Standing, budget: Budget) -> bool:
    return budget.save_at is not None and standing.gone_pico >= _pico(budget) * budget.save_at


def _lower(tier: str | None, cap: str, name: str, rules: Rulebook) -> tuple[str | None, list[str]]:
    order = rules.tier_order
    if tier is None or order.index(tier) <= order.index(cap):
        return tier, []
    return cap, [f"the budget {name} saves: no tier above {cap}"]


def _fitting(
    standing: Standing, budget: Budget, worst: Mapping[str, int], tier: str | None, rules: Rulebook
) -> str | None:
    """The tier itself or the highest below it whose worst case fits; None where none does. "" is a bare model."""
    left = _pico(budget) - standing.gone_pico
    if tier is None:
        return None if worst.get("", left + 1) > left else tier or ""
    at = rules.tier_order.index(tier)
    return next((name for name in reversed(rules.tier_order[: at + 1]) if worst.get(name, left + 1) <= left), None)


def _spent(standing: Standing, budget: Budget) -> Allowance:
    name, again = standing.account.budget, _next_window(budget, standing.account.window_ms)
    reason = f"the budget {name} has too little left for this {budget.per}"
    if budget.then == "canned":
        return Allowance(canned=True, reason=reason)
    return Allowance(refused=f"{reason}; it begins anew at {again}", reason=reason)


def _next_window(budget: Budget, window_ms: int) -> str:
    began = datetime.fromtimestamp(window_ms / 1000, UTC)
    spans = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=32)}
    again = began + spans[budget.per]
    if budget.per == "month":
        again = again.replace(day=1)
    return again.strftime("%Y-%m-%d %H:%M UTC")


def _pico(budget: Budget) -> int:
    return int(budget.usd * PICO_PER_USD)
