"""A policy's files put together: one checked, frozen Rulebook with every default filled in.

Rule: what a policy leaves out is decided here and nowhere else, so that a decision never has to ask
whether something is set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as AnyMapping
from datetime import date
from pathlib import Path

import msgspec

from ..decide.policy import Catalogue, Measured, Policy, Rulebook, Task
from ..decide.rules import compiled
from ..errors import PolicyError
from ..vocabulary import Difficulty
from . import cachechecks
from .catalogue import ids_of, read_catalogue
from .conform import conform
from .crosschecks import GENERAL, Sources, cross_check
from .document import read
from .environment import filled_in
from .extending import extended
from .failchecks import check_failing
from .guardchecks import check_guards, check_use
from .learnchecks import check_learning, fitted
from .measurements import in_force, read_routes
from .pricelist import read_prices
from .report import Report
from .rulechecks import check_rules

# Beside the package: the repository's root in a checkout, the application's folder in a container.
BUNDLED = Path(__file__).resolve().parents[2] / "policies"
DEFAULT_POLICY = BUNDLED / "default.yaml"
PRESETS = BUNDLED / "presets"

DEADLINE_S = {"interactive": 60.0, "background": 300.0, "batch": 600.0}


def load(
    policy: Path,
    models: Path | None = None,
    prices: Path | None = None,
    *,
    today: date | None = None,
    environment: AnyMapping[str, str] | None = None,
    used: AnyMapping[str, tuple[int, int]] | None = None,
) -> Rulebook:
    """The rulebook of a policy file; raises PolicyError with every problem of all its files.

    `models` and `prices` default to the files beside the policy, else to the bundled ones. `today`
    turns on what depends on the day: models that retired, or soon will. `environment` fills in
    `${NAME}` (None leaves secrets and hosts alone). `used` is what the ledger says of each task:
    how many answers, and the longest in tokens.
    """
    report = Report()
    beside = (models or _beside(policy, "models.yaml"), prices or _beside(policy, "prices.yaml"))
    sources, base = _sources(policy, beside, report)
    routes_path = policy.parent / "routes.yaml"
    routes = read_routes(routes_path, report) if routes_path.exists() else None
    cross_check(sources, today, report)
    check_rules(sources, report)
    check_guards(sources, environment, report)
    check_use(sources, used or {}, report)
    contracts = check_failing(sources, report)
    check_learning(sources, report)
    gate = fitted(sources, policy.parent, report)
    prewarm = cachechecks.warming(sources, policy.parent, report)
    varying = cachechecks.varying(sources, report)
    evidence = {} if routes is None else in_force(routes, sources, report, today)
    report.raise_errors()
    rules = _rulebook(
        sources,
        routes=evidence,
        webhook=_webhook(sources.policy, environment),
        files=tuple(str(path) for path in (policy, base, *beside, routes_path, _gate_path(sources, policy)) if path)
        + cachechecks.files(sources, policy.parent),
        warnings=report.warnings,
    )
    secret = filled_in(sources.policy.jobs.secret or "", environment or {})
    filled = {"prewarm": prewarm, "varying": varying, "contracts": contracts, "jobs_secret": secret, "gate": gate}
    return msgspec.structs.replace(rules, hash=_with(rules.hash, prewarm, gate and gate.gate), **filled)


def _gate_path(sources: Sources, policy: Path) -> Path:
    """Watched also before it is there: what is fitted while the service runs is used at once."""
    return policy.parent / sources.policy.gate.file


def _with(rules_hash: str, *parts: object) -> str:
    """What stands in files of its own is part of the policy too."""
    if not any(parts):
        return rules_hash
    return hashlib.sha256(msgspec.msgpack.encode((rules_hash, parts))).hexdigest()[:16]


def _sources(policy: Path, beside: tuple[Path, Path], report: Report) -> tuple[Sources, Path | None]:
    """The policy, what it extends, the models and the prices, each checked in itself. Raises PolicyError."""
    page, root = read(policy, report)
    base = None
    if root is not None:
        page, root, base = extended(policy, root, page, PRESETS, report)
    record = None if root is None else conform(root, Policy, page, report)
    models_page, models_root, catalogue = read_catalogue(beside[0], report)
    aliases = {} if catalogue is None else ids_of(catalogue)
    prices_page, book = read_prices(beside[1], aliases, report)
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
    return sources, base


def _webhook(policy: Policy, environment: AnyMapping[str, str] | None) -> tuple[str, str] | None:
    """Where alerts go, and what signs them; an address that comes out empty is none."""
    if environment is None or policy.alerts.webhook is None:
        return None
    url = filled_in(policy.alerts.webhook, environment)
    return (url, filled_in(policy.alerts.secret or "", environment)) if url else None


def _beside(policy: Path, name: str) -> Path:
    own = policy.parent / name
    return own if own.exists() else BUNDLED / name


def _rulebook(
    sources: Sources,
    *,
    routes: dict[str, dict[str, Measured]],
    webhook: tuple[str, str] | None,
    files: tuple[str, ...],
    warnings: tuple[str, ...],
) -> Rulebook:
    policy, catalogue = sources.policy, sources.catalogue
    ids = ids_of(catalogue)
    tiers = tuple(policy.tiers)
    tasks = policy.tasks or {GENERAL: Task(description="Anything.")}
    return Rulebook(
        policy=policy,
        hash=_hash(policy, catalogue, routes),
        models={name: catalogue.models[model_id] for name, model_id in ids.items()},
        ids=ids,
        retired=catalogue.retired,
        prices=sources.prices,
        image_tokens_ceiling=catalogue.image_tokens_ceiling,
        shortest_cached=min(model.cache_minimum for model in catalogue.models.values()),
        tier_order=tiers,
        tier_of_model=_tier_of_model(policy, ids),
        default_tier=tiers[0] if policy.default is None else policy.default.tier,
        default_task=next(iter(tasks)) if policy.default is None else policy.default.task,
        tasks=tasks,
        deadline_s=DEADLINE_S | policy.limits.deadline_s,
        difficulty=_difficulty(policy) | policy.difficulty,
        routes=routes,
        matchers=compiled(policy.rules),
        webhook=webhook,
        source=files[0],
        files=files,
        warnings=warnings,
    )


def _difficulty(policy: Policy) -> dict[str, str]:
    """Simple, complex, edge case: the first, second and third tier, or the last one there is."""
    tiers = [name for name, tier in policy.tiers.items() if not tier.only_by_name] or list(policy.tiers)
    return {str(difficulty): tiers[min(number, len(tiers) - 1)] for number, difficulty in enumerate(Difficulty)}


def _tier_of_model(policy: Policy, ids: dict[str, str]) -> dict[str, str]:
    """The first tier that holds the model, when two do: they differ in parameters only."""
    tier_of: dict[str, str] = {}
    for name, tier in policy.tiers.items():
        tier_of.setdefault(ids[tier.model], name)
    return tier_of


def _hash(policy: Policy, catalogue: Catalogue, routes: dict[str, dict[str, Measured]]) -> str:
    """Of what is said, not how: comments and left-out defaults do not count, the order of tiers and tasks does.

    What a policy says about its own tests and its rollout decides no request, so it does not count either.
    """
    deciding = msgspec.structs.replace(policy, tests=(), rollout=None, extends=None)
    said = msgspec.json.encode(deciding) + msgspec.json.encode((catalogue, routes), order="deterministic")
    return hashlib.sha256(said).hexdigest()[:16]
