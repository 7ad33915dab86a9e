"""routes.yaml after a run: tasks that the run measured replaced, all others as they were, graded requests of
production beside them; and what the policy makes of it.

Rule: pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from router.decide.evidence import pick, prepared
from router.decide.policy import Measured, RouteFile, Rulebook
from router.vocabulary.noun import Noun

from ..labels import Graded
from ..report.words import day
from .taking import Picks, TaskPick, counts

Samples = Mapping[str, Mapping[str, Graded]]  # graded requests, by task, then by tier
SAMPLES = ("sampled_cases", "sampled_passed", "sampled_day")


class Effect(Noun, frozen=True, kw_only=True):
    """Where the policy sends a task by measurement, before the change and after; None: no measurement decides."""

    task: str
    before: str | None
    after: str | None
    reason: str  # of `after`
    named: str | None  # the evals' own winner
    why_not_named: str = ""  # where the policy goes elsewhere: what would make it follow


def merged(old: RouteFile, found: Picks, rules: Rulebook, graded: Samples | None = None) -> RouteFile:
    """A task's figures are of one run: an older row of a tier that this run did not try goes. Graded requests stay
    while the model is the same, and are replaced by those of `graded`, which are all there are."""
    routes, verdicts = dict(old.routes), dict(old.verdicts)
    for one in found.tasks:
        routes[one.task] = _keeping_samples(one.rows, old.routes.get(one.task, {}), rules)
        verdicts[one.task] = one.verdict
    for task, tiers in (graded or {}).items():
        if task in rules.policy.tasks:
            routes[task] = _with_samples(routes.get(task, {}), tiers, rules)
    order = {tier: number for number, tier in enumerate(rules.tier_order)}
    stable = {
        task: {tier: tiers[tier] for tier in sorted(tiers, key=lambda tier: (order.get(tier, len(order)), tier))}
        for task, tiers in routes.items()
        if tiers or task in verdicts
    }
    return RouteFile(
        routes=stable, verdicts={task: verdicts[task] for task in [*routes, *verdicts] if task in verdicts}
    )


def narrower(old: RouteFile, found: Picks) -> Iterator[str]:
    """Tasks whose verdict rested on more suites than this run has."""
    for one in found.tasks:
        before = old.verdicts.get(one.task)
        missing = sorted(set(before.suites) - set(one.verdict.suites)) if before is not None else []
        if missing:
            yield f"{one.task}: the present verdict rests on {', '.join(missing)} too, which this run has not"


def with_routes(rules: Rulebook, file: RouteFile) -> Rulebook:
    """The policy as it would be with this file, without writing it."""
    kept = {
        task: {tier: one for tier, one in tiers.items() if counts(tier, one.model, rules)}
        for task, tiers in file.routes.items()
        if task in rules.policy.tasks
    }
    verdicts = {
        task: verdict
        for task, verdict in file.verdicts.items()
        if verdict.winner is None or verdict.winner in kept.get(task, {})
    }
    return msgspec.structs.replace(rules, routes=prepared(kept, verdicts, rules.policy.routes))


def effects(found: Picks, rules: Rulebook, after: Rulebook) -> tuple[Effect, ...]:
    """For what the classifier names, task by task."""
    return tuple(_effect(one, rules, after) for one in found.tasks)


def _effect(one: TaskPick, rules: Rulebook, after: Rulebook) -> Effect:
    cap = rules.policy.classifier.cap_tier
    before, then = pick(one.task, cap, rules), pick(one.task, cap, after)
    tier = None if then is None else then.tier
    return Effect(
        task=one.task,
        before=None if before is None else before.tier,
        after=tier,
        reason=f"{one.task}: no measurement decides" if then is None else then.reason,
        named=one.winner,
        why_not_named="" if one.winner in (tier, None) else _why_not(one, rules),
    )


def _why_not(one: TaskPick, rules: Rulebook) -> str:
    """The policy holds its own bar against the numbers: where does that differ from what the suite asked?"""
    wanted, cap, order = rules.policy.routes, rules.policy.classifier.cap_tier, rules.tier_order
    assert one.winner is not None, "only asked of a winner"
    if not wanted.enabled:
        return "`routes.enabled` is false"
    if cap is not None and order.index(one.winner) > order.index(cap):
        return f"`classifier.cap_tier` is {cap}; a caller who names the task gets {one.winner}"
    cases = one.rows[one.winner].cases
    if not one.rows[one.winner].mark and cases < wanted.min_cases:
        why = f"{one.winner} was decided by {cases} cases, and `routes.min_cases` is {wanted.min_cases}"
    else:
        margin = "knows no margin" if wanted.margin is None else f"takes {100 * wanted.margin:g} points below the best"
        why = f"the policy's own bar is {wanted.bar:.0%}, and it {margin}; the suite's claim: it {one.verdict.claim}"
    return f"{why}. `routes.by: verdict` takes the evals' word"


def _keeping_samples(
    rows: Mapping[str, Measured], before: Mapping[str, Measured], rules: Rulebook
) -> dict[str, Measured]:
    kept = dict(rows)
    for tier, old in before.items():
        if not old.sampled_cases or not counts(tier, old.model, rules):
            continue
        samples = {name: getattr(old, name) for name in SAMPLES}
        bare = _bare(old.model, old.sampled_day or old.measured)
        kept[tier] = msgspec.structs.replace(kept.get(tier, bare), **samples)
    return kept


def _with_samples(rows: Mapping[str, Measured], graded: Mapping[str, Graded], rules: Rulebook) -> dict[str, Measured]:
    kept = dict(rows)
    for tier, one in graded.items():
        if not counts(tier, one.model, rules):
            continue
        row = kept.get(tier)
        if row is None or not counts(tier, row.model, rules):
            row = _bare(one.model, day(one.newest_ms))
        kept[tier] = msgspec.structs.replace(
            row, sampled_cases=one.cases, sampled_passed=one.passed, sampled_day=day(one.newest_ms)
        )
    return kept


def _bare(model: str, measured: str) -> Measured:
    """A row of graded requests alone: no case of a suite, so no evidence for a bar."""
    return Measured(model=model, cases=0, passed=0, measured=measured)
