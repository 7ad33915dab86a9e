"""The policy as frozen records: what policyfile/ reads from YAML and every decision takes.

    part.py        what every part is made of       language.py    the policy itself
    tasks.py       tiers and tasks                  conditions.py  rules
    guarding.py    budgets, alerts, rollout         trials.py      the tests that a policy carries
    measured.py    routes.yaml                      catalogue.py   models.yaml and prices.yaml
    caching.py     the prompt cache                 failing.py     fallbacks, retries, breaker, pacing
    replying.py    answers kept, requests put off   learning.py    prompts kept, the gate, agreement
    rulebook.py    all of it, checked, with every default filled in

Rule: records only. A field's `description` and `examples` are its documentation.
"""

from .caching import CacheRules, Prewarm
from .catalogue import Catalogue, Model, Price, PriceBook, Rates, ThinkingRules
from .conditions import Range, Rule, When
from .failing import Action, Breaker, Fallbacks, Pacing, Reactions, RetryBudget
from .guarding import Alerts, Budget, Guardrails, Rollout
from .language import ClassifierRules, Limits, Policy, Routes, Sticky
from .learning import Agree, GateRules, Sampling
from .measured import Measured, RouteFile, RouteVerdict
from .part import EffortLevel, Part
from .replying import Jobs, Keep, Replies, Similar
from .rulebook import Rulebook
from .tasks import Default, Output, Task, Tier
from .trials import Expected, Given, Said, Trial

__all__ = [
    "Action",
    "Agree",
    "Alerts",
    "Breaker",
    "Budget",
    "CacheRules",
    "Catalogue",
    "ClassifierRules",
    "Default",
    "EffortLevel",
    "Expected",
    "Fallbacks",
    "GateRules",
    "Given",
    "Guardrails",
    "Jobs",
    "Keep",
    "Limits",
    "Measured",
    "Model",
    "Output",
    "Pacing",
    "Part",
    "Policy",
    "Prewarm",
    "Price",
    "PriceBook",
    "Range",
    "Rates",
    "Reactions",
    "Replies",
    "RetryBudget",
    "Rollout",
    "RouteFile",
    "RouteVerdict",
    "Routes",
    "Rule",
    "Rulebook",
    "Said",
    "Sampling",
    "Similar",
    "Sticky",
    "Task",
    "ThinkingRules",
    "Tier",
    "Trial",
    "When",
]
