"""The operator's policy as a tier is measured under it: whoever is asked answers, and nobody else.

Rule: pure. What shapes a request stays (tiers, tasks, limits, cache marks, retries). What would place it elsewhere,
answer it without a model, stop it for a reason of production's, or tell somebody, is set aside.
"""

from __future__ import annotations

import msgspec

from router.decide.fallback import CALLS
from router.decide.policy import Action, Reactions, Rulebook, Task
from router.decide.policy.guarding import Alerts
from router.decide.policy.learning import Sampling
from router.steering.helm import Policies
from router.steering.loading import Loader
from router.vocabulary import ANSWERS

# What a model says badly is its answer: it is graded, not replaced.
ITS_OWN = frozenset(kind.value for kind in ANSWERS)


class Neutral(Loader):
    """Stands for the loader of files: a run keeps the policy that it began with, whatever is written meanwhile."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = neutral(rules)

    def load(self) -> Policies:
        return Policies(self._rules)


def neutral(rules: Rulebook) -> Rulebook:
    """Under the hash of the policy that is measured: what is set aside changes no answer of a tier."""
    fallbacks = msgspec.structs.replace(
        rules.policy.fallbacks,
        on=_served(rules.policy.fallbacks.on),
        workloads={name: _served(on) for name, on in rules.policy.fallbacks.workloads.items()},
    )
    policy = msgspec.structs.replace(
        rules.policy, rules=(), budgets={}, rollout=None, alerts=Alerts(), sampling=Sampling(), fallbacks=fallbacks
    )
    tasks = {name: _task(task) for name, task in rules.tasks.items()}
    return msgspec.structs.replace(rules, policy=policy, tasks=tasks, matchers=(), webhook=None, prewarm={})


def _task(task: Task) -> Task:
    return msgspec.structs.replace(task, on=_served(task.on), agree=None)


def _served(on: Reactions) -> Reactions:
    """The policy may ask the same model once more; then its own answer counts."""
    return {kind: _then_served(actions) if kind in ITS_OWN else actions for kind, actions in on.items()}


def _then_served(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    return (*(action for action in actions if action in CALLS), "serve")
