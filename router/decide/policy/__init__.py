"""The policy as frozen records: what policyfile/ reads from YAML and every decision takes.

    part.py        what every part is made of       language.py    the policy itself
    tasks.py       tiers and tasks                  conditions.py  rules
    guarding.py    budgets, alerts, rollout         trials.py      the tests that a policy carries
    measured.py    routes.yaml                      catalogue.py   models.yaml and prices.yaml
    caching.py     the prompt cache
    rulebook.py    all of it, checked, with every default filled in

Rule: records only. A field's `description` and `examples` are its documentation.
"""

from .caching import CacheRules, Prewarm
from .catalogue import Catalogue, Model, Price, PriceBook, Rates, ThinkingRules
from .conditions import Range, Rule, When
from .guarding import Alerts, Budget, Guardrails, Rollout
from .language import ClassifierRules, Fallbacks, Limits, Policy, Routes, Sticky
from .measured import Measured, RouteFile
from .part import EffortLevel, Part
from .rulebook import Rulebook
from .tasks import Default, Output, Task, Tier
from .trials import Expected, Given, Said, Trial

__all__ = [
    "Alerts",
    "Budget",
    "CacheRules",
    "Catalogue",
    "ClassifierRules",
    "Default",
    "EffortLevel",
    "Expected",
    "Fallbacks",
    "Given",
    "Guardrails",
    "Limits",
    "Measured",
    "Model",
    "Output",
    "Part",
    "Policy",
    "Prewarm",
    "Price",
    "PriceBook",
    "Range",
    "Rates",
    "Rollout",
    "RouteFile",
    "Routes",
    "Rule",
    "Rulebook",
    "Said",
    "Sticky",
    "Task",
    "ThinkingRules",
    "Tier",
    "Trial",
    "When",
]
