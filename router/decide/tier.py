"""Which model gets the request: what the caller named, else what the verdict says, within the policy.

Rule: pure; every Choice carries its reason in words, and no reason quotes the request's text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ..errors import RequestError
from ..vocabulary import Choice, Difficulty, Facts, Verdict, Words
from .evidence import pick
from .policy import Rule, Rulebook
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
        model = _model_of(facts.model, rules)
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


def placed(rule: Rule, facts: Facts, task: str | None, rules: Rulebook) -> Choice | None:
    """The choice that a rule makes by naming a tier or a model; None when it only names the task."""
    if rule.tier is None and rule.model is None:
        return None
    name = task or rules.default_task
    if rule.model is not None:
        model = rules.ids[rule.model]
        tier = rules.tier_of_model.get(model)
        return Choice(
            tier=tier, model=model, task=name, rule=rule.name, reason=f"the rule {rule.name} sends it to {model}"
        )
    assert rule.tier is not None, "one of the two is named"
    tier, reason = _that_fits(rule.tier, f"the rule {rule.name} sends it to {rule.tier}", facts, rules)
    return Choice(tier=tier, model=_model_of(tier, rules), task=name, rule=rule.name, reason=reason)


def needs_verdict(task: str | None, rules: Rulebook) -> bool:
    """Could any verdict change where the request goes or what it is called?"""
    if not rules.policy.classifier.enabled:
        return False
    if task is None:
        return True
    if pick(task, None, rules) is not None or _without_evidence(task, rules) is not None:
        return False
    return len({_tier_for(task, difficulty, rules) for difficulty in Difficulty}) > 1


def choose(facts: Facts, task: str | None, verdict: Verdict, rules: Rulebook) -> Choice:
    """The tier that is measured to do the task, else the verdict's, within the cap; else the default."""
    name = task or verdict.task or rules.default_task
    tier, reason = _wanted(name, task, verdict, rules)
    tier, reason = _that_fits(tier, reason, facts, rules)
    return Choice(tier=tier, model=_model_of(tier, rules), task=name, reason=reason, verdict=verdict)


def _wanted(name: str, task: str | None, verdict: Verdict, rules: Rulebook) -> tuple[str, str]:
    if task or verdict.task:
        # A prompt can talk a classifier into a task: what it alone named stays below the cap.
        picked = pick(name, None if task else rules.policy.classifier.cap_tier, rules)
        if picked is not None:
            return picked.tier, picked.reason
        if (instead := _without_evidence(name, rules)) is not None:
            return instead
    if verdict.difficulty is None:
        return _without_difficulty(name, verdict, rules)
    tier = _tier_for(name, verdict.difficulty, rules)
    reason = f"{name}, {verdict.difficulty.value.replace('_', ' ')}: the policy sends it to {tier}"
    return _capped(tier, reason, rules)


def _without_evidence(task: str, rules: Rulebook) -> tuple[str, str] | None:
    """Where the policy trusts measurements only, what it does without them; None: the difficulty decides."""
    wanted = rules.policy.routes
    if wanted.without in ("difficulty", "estimate") or not wanted.enabled:
        return None  # an estimate that can be made was picked already
    if wanted.without == "default":
        return rules.default_tier, f"{task} is not measured: the policy's default tier {rules.default_tier}"
    top = rules.policy.classifier.cap_tier or _highest(rules)
    return top, f"{task} is not measured: the highest tier that a verdict can reach, {top}"


def _highest(rules: Rulebook) -> str:
    tiers = [tier for tier in rules.tier_order if not rules.policy.tiers[tier].only_by_name]
    return tiers[-1] if tiers else rules.tier_order[-1]


def _model_of(tier: str, rules: Rulebook) -> str:
    return rules.ids[rules.policy.tiers[tier].model]


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
        if candidate != tier and rules.policy.tiers[candidate].only_by_name:
            continue
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
