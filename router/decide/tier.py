"""Which model gets the request: what the caller named, else what the verdict says, within the policy.

Rule: pure; every Choice carries its reason in words, and no reason quotes the request's text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ..errors import RequestError
from ..vocabulary import Choice, Difficulty, Facts, Verdict, Words
from .policy import Rulebook
from .shape import fits

NAME_LOOKED_AT = 64  # characters of a wrong name: comparing is quadratic
AUTO = frozenset({"", "auto", "claude-auto"})


def task_named(words: Words, rules: Rulebook) -> str | None:
    """The task that the caller named, which must be one of the policy's."""
    if words.task is None or words.task in rules.tasks:
        return words.task
    raise RequestError(
        "router_unknown_task",
        f"the policy has no such task{_nearest(words.task, rules.tasks)}; it has: {', '.join(sorted(rules.tasks))}",
        field="router.task",
    )


def named(facts: Facts, task: str | None, rules: Rulebook) -> Choice | None:
    """The choice that the caller made by naming a model or a tier; None leaves it to the router."""
    if facts.model in AUTO:
        return None
    task = task or rules.default_task
    if facts.model in rules.policy.tiers:
        model = rules.ids[rules.policy.tiers[facts.model].model]
        return Choice(tier=facts.model, model=model, task=task, reason=f"the caller asked for tier {facts.model}")
    model_id = rules.ids.get(facts.model)
    if model_id is None:
        raise unknown_model(facts.model, rules)
    return Choice(
        tier=rules.tier_of_model.get(model_id),
        model=model_id,
        task=task,
        reason=f"the caller asked for {model_id}",
        named_by_caller=True,
    )


def needs_verdict(task: str | None, rules: Rulebook) -> bool:
    """Could any verdict change where the request goes or what it is called?"""
    if not rules.policy.classifier.enabled:
        return False
    if task is None:
        return True
    return len({_tier_for(task, difficulty, rules) for difficulty in Difficulty}) > 1


def choose(facts: Facts, task: str | None, verdict: Verdict, rules: Rulebook) -> Choice:
    """The tier of the verdict, within the cap; the policy's default where there is none."""
    name = task or verdict.task or rules.default_task
    if verdict.difficulty is None:
        tier, reason = _without_difficulty(name, verdict, rules)
    else:
        tier = _tier_for(name, verdict.difficulty, rules)
        reason = f"{name}, {verdict.difficulty.value.replace('_', ' ')}: the policy sends it to {tier}"
        tier, reason = _capped(tier, reason, rules)
    tier, reason = _that_fits(tier, reason, facts, rules)
    model = rules.ids[rules.policy.tiers[tier].model]
    return Choice(tier=tier, model=model, task=name, reason=reason, verdict=verdict)


def tiers_from(tier: str, rules: Rulebook) -> tuple[str, ...]:
    """The tier itself, then those above it, nearest first, then those below it, nearest first."""
    at = rules.tier_order.index(tier)
    return rules.tier_order[at:] + tuple(reversed(rules.tier_order[:at]))


def _tier_for(task: str, difficulty: Difficulty, rules: Rulebook) -> str:
    own = rules.tasks[task].difficulty.get(difficulty.value)
    return own if own is not None else rules.difficulty[difficulty.value]


def _without_difficulty(task: str, verdict: Verdict, rules: Rulebook) -> tuple[str, str]:
    reachable = {_tier_for(task, difficulty, rules) for difficulty in Difficulty}
    if verdict.source == "skipped" and len(reachable) == 1:
        tier = reachable.pop()
        return tier, f"{task} always goes to {tier}"
    why = f"no verdict ({verdict.detail or verdict.source})"
    return rules.default_tier, f"{why}: the policy's default tier {rules.default_tier}"


def _capped(tier: str, reason: str, rules: Rulebook) -> tuple[str, str]:
    cap = rules.policy.classifier.cap_tier
    if cap is None or rules.tier_order.index(tier) <= rules.tier_order.index(cap):
        return tier, reason
    return cap, f"{reason}, capped at {cap}: a verdict alone cannot go higher"


def _that_fits(tier: str, reason: str, facts: Facts, rules: Rulebook) -> tuple[str, str]:
    """The nearest tier whose model takes the request's parameters; the same tier when none does."""
    for candidate in tiers_from(tier, rules):
        obstacle = fits(facts, rules.ids[rules.policy.tiers[candidate].model], rules)
        if obstacle is None and candidate == tier:
            return tier, reason
        if obstacle is None:
            return candidate, f"{reason}, which does not take this request; {candidate} does"
    return tier, reason


def unknown_model(name: str, rules: Rulebook) -> RequestError:
    if name in rules.retired:
        message = f"this model is retired; use {rules.retired[name]}"
    else:
        known = [*rules.policy.tiers, *sorted(set(rules.ids.values()))]
        message = (
            f"no such model{_nearest(name, known)}; use auto, a tier ({', '.join(rules.tier_order)}) or a model id"
        )
    return RequestError("router_unknown_model", message, field="model")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:NAME_LOOKED_AT], list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
