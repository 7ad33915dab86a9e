"""The three files put together: one checked, frozen Rulebook with every default filled in.

Rule: what a policy leaves out is decided here and nowhere else, so that a decision never has to ask
whether something is set.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import msgspec

from ..decide.policy import Catalogue, Policy, PriceBook, Rulebook, Task
from ..errors import PolicyError
from ..vocabulary import Difficulty
from .catalogue import ids_of, read_catalogue
from .conform import conform
from .crosschecks import GENERAL, Sources, cross_check
from .document import read
from .pricelist import read_prices
from .report import Report

# Beside the package: the repository's root in a checkout, the application's folder in a container.
BUNDLED = Path(__file__).resolve().parents[2] / "policies"
DEFAULT_POLICY = BUNDLED / "default.yaml"

DEADLINE_S = {"interactive": 60.0, "background": 300.0, "batch": 600.0}


def load(
    policy: Path, models: Path | None = None, prices: Path | None = None, *, today: date | None = None
) -> Rulebook:
    """The rulebook of a policy file; raises PolicyError with every problem of all three files.

    `models` and `prices` default to the files beside the policy, else to the bundled ones. `today`
    turns on what depends on the day: models that retired, or soon will.
    """
    report = Report()
    page, root = read(policy, report)
    record = None if root is None else conform(root, Policy, page, report)
    models_page, models_root, catalogue = read_catalogue(models or _beside(policy, "models.yaml"), report)
    aliases = {} if catalogue is None else ids_of(catalogue)
    prices_page, book = read_prices(prices or _beside(policy, "prices.yaml"), aliases, report)
    if record is None or root is None or catalogue is None or models_root is None or book is None:
        assert report.errors, "a file that came to nothing must say why"
        raise PolicyError(report.errors)
    sources = Sources(
        policy=record,
        root=root,
        page=page,
        catalogue=catalogue,
        prices=book,
        prices_name=prices_page.name,
        catalogue_root=models_root,
        catalogue_page=models_page,
    )
    cross_check(sources, today, report)
    report.raise_errors()
    return _rulebook(record, catalogue, book, source=str(policy), warnings=report.warnings)


def _beside(policy: Path, name: str) -> Path:
    own = policy.parent / name
    return own if own.exists() else BUNDLED / name


def _rulebook(
    policy: Policy, catalogue: Catalogue, book: PriceBook, *, source: str, warnings: tuple[str, ...]
) -> Rulebook:
    ids = ids_of(catalogue)
    tiers = tuple(policy.tiers)
    tasks = policy.tasks or {GENERAL: Task(description="Anything.")}
    return Rulebook(
        policy=policy,
        hash=_hash(policy, catalogue),
        models={name: catalogue.models[model_id] for name, model_id in ids.items()},
        ids=ids,
        retired=catalogue.retired,
        prices=book,
        image_tokens_ceiling=catalogue.image_tokens_ceiling,
        tier_order=tiers,
        tier_of_model=_tier_of_model(policy, ids),
        default_tier=tiers[0] if policy.default is None else policy.default.tier,
        default_task=next(iter(tasks)) if policy.default is None else policy.default.task,
        tasks=tasks,
        deadline_s=DEADLINE_S | policy.limits.deadline_s,
        difficulty=_difficulty(tiers) | policy.difficulty,
        source=source,
        warnings=warnings,
    )


def _difficulty(tiers: tuple[str, ...]) -> dict[str, str]:
    """Simple, complex, edge case: the first, second and third tier, or the last one there is."""
    return {str(difficulty): tiers[min(number, len(tiers) - 1)] for number, difficulty in enumerate(Difficulty)}


def _tier_of_model(policy: Policy, ids: dict[str, str]) -> dict[str, str]:
    """The first tier that holds the model, when two do: they differ in parameters only."""
    tier_of: dict[str, str] = {}
    for name, tier in policy.tiers.items():
        tier_of.setdefault(ids[tier.model], name)
    return tier_of


def _hash(policy: Policy, catalogue: Catalogue) -> str:
    """Of what is said, not how: comments and left-out defaults do not count, the order of tiers and tasks does."""
    said = msgspec.json.encode(policy) + msgspec.json.encode(catalogue, order="deterministic")
    return hashlib.sha256(said).hexdigest()[:16]
