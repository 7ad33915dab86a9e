"""All that a decision may know besides the request: the policy with every default filled in.

Rule: made by policyfile/, never changed; a new policy is a new Rulebook.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from .catalogue import Model, PriceBook
from .language import Policy
from .measured import Measured
from .tasks import Task


class Rulebook(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that a decision may know besides the request: one checked, frozen whole."""

    policy: Policy
    hash: str  # of policy + models.yaml, 16 hex digits
    models: dict[str, Model]  # by id and by alias
    ids: dict[str, str]  # id or alias -> id
    retired: dict[str, str]
    prices: PriceBook
    image_tokens_ceiling: int
    shortest_cached: int  # tokens: the least of all models
    tier_order: tuple[str, ...]  # cheapest first
    tier_of_model: dict[str, str]
    default_tier: str
    default_task: str
    tasks: dict[str, Task]  # never empty
    deadline_s: dict[str, float]  # complete
    difficulty: dict[str, str]  # complete: simple, complex, edge_case -> tier
    routes: dict[str, dict[str, Measured]] = {}  # by task, then by tier: only evidence for the models in force
    webhook: tuple[str, str] | None = None  # where alerts go and what signs them, the environment filled in
    jobs_secret: str = ""  # signs what is told of a job, the environment filled in
    prewarm: dict[str, bytes] = {}  # by name: the body that warms it
    varying: Any = None  # lines of a system text that are moved behind the rest, compiled; None: none are
    contracts: dict[str, Any] = {}  # by task: its JSON Schema, compiled
    gate: Any = None  # the local gate, compiled, where one was fitted: decide/gate.py makes and asks it
    matchers: tuple[Any, ...] = ()  # the rules, compiled: decide/rules.py makes and reads them
    source: str = ""  # the file, for messages
    files: tuple[str, ...] = ()  # all that it was made from
    warnings: tuple[str, ...] = ()

    @cached_property
    def gives_again(self) -> bool:
        """Is any answer given again while it is fresh?"""
        return bool(self.policy.replies.ttl_s) or any(task.keep is not None for task in self.tasks.values())

    @cached_property
    def has_personal(self) -> bool:
        """Is any task's answer for its own caller alone?"""
        return any(task.personal for task in self.tasks.values())
