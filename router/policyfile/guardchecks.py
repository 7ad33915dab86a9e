"""What is wrong with budgets, alerts, outputs and rollouts, and what the ledger says of a policy's limits.

Rule: each check says what is wrong, where, and what is allowed instead.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from urllib.parse import urlsplit

from ..decide.policy import Output
from .crosschecks import Sources
from .document import Mapping as Tree
from .document import Node, Scalar, find
from .environment import VARIABLE, Missing, filled_in
from .report import Report, listed, nearest

# How many answers make a longest one worth believing, and how far above it a limit is unwise.
ANSWERS_ENOUGH = 100
FAR_ABOVE = 8
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def check_guards(sources: Sources, environment: AnyMapping[str, str] | None, report: Report) -> None:
    _budgets(sources, report)
    _outputs(sources, report)
    _cache(sources, report)
    _rollout(sources, report)
    _alerts(sources, environment, report)
    _stray_variables(sources, report)


def check_use(sources: Sources, used: AnyMapping[str, tuple[int, int]], report: Report) -> None:
    """Warns of a `max_tokens` far above what the task ever used, according to the ledger."""
    for name, task in sources.policy.tasks.items():
        answers, longest = used.get(name, (0, 0))
        if answers >= ANSWERS_ENOUGH and task.max_tokens > FAR_ABOVE * max(longest, 1):
            spot = find(sources.root, "tasks", name, "max_tokens")
            message = (
                f"`max_tokens` {task.max_tokens} is far above what `{name}` ever used: {longest} in {answers} answers"
            )
            report.warn(sources.page, spot, f"{message}; it is held against budgets and rate limits")


def _budgets(sources: Sources, report: Report) -> None:
    policy = sources.policy
    for name, budget in policy.budgets.items():
        path = ("budgets", name)
        if budget.usd <= 0:
            report.error(sources.page, find(sources.root, *path, "usd"), "a budget of nothing lets nothing through")
        if budget.save_tier is not None and budget.save_tier not in policy.tiers:
            hint = nearest(budget.save_tier, policy.tiers)
            message = f"no tier is called `{budget.save_tier}`{hint}; the tiers are: {listed(policy.tiers)}"
            report.error(sources.page, find(sources.root, *path, "save_tier"), message)
        if budget.save_tier is not None and budget.save_at is None:
            message = "`save_tier` does nothing without `save_at`: the share from which on to save"
            report.error(sources.page, find(sources.root, *path, "save_tier", key=True), message)
        if budget.then == "canned" and policy.fallbacks.canned is None:
            message = "`then: canned` needs a text: set `fallbacks.canned`"
            report.error(sources.page, find(sources.root, *path, "then"), message)


def _outputs(sources: Sources, report: Report) -> None:
    for name, task in sources.policy.tasks.items():
        problem = _output_problem(task.output)
        if problem is not None:
            report.error(sources.page, find(sources.root, "tasks", name, "output", "type"), problem)


def _output_problem(output: Output) -> str | None:
    if output.type == "json_schema" and output.schema is None:
        return "`json_schema` needs a `schema`"
    if output.type == "enum" and len(set(output.values)) < 2:
        return "`enum` needs `values`: two or more"
    if output.schema is not None and output.type != "json_schema":
        return f"`schema` is for `json_schema`, and this is `{output.type}`"
    if output.values and output.type != "enum":
        return f"`values` are for `enum`, and this is `{output.type}`"
    return None


def _cache(sources: Sources, report: Report) -> None:
    wanted = sources.policy.cache.min_tokens
    if wanted is None:
        return
    for name, tier in sources.policy.tiers.items():
        model_id = sources.id_of(tier.model)
        minimum = sources.catalogue.models[model_id].cache_minimum if model_id else 0
        if wanted < minimum:
            spot = find(sources.root, "cache", "min_tokens")
            message = f"`min_tokens` {wanted} is below what `{tier.model}` of tier `{name}` caches ({minimum})"
            report.warn(sources.page, spot, f"{message}: the API ignores such a mark, so {minimum} is used there")


def _rollout(sources: Sources, report: Report) -> None:
    rollout = sources.policy.rollout
    if rollout is None:
        return
    if not 0 < rollout.share <= 1:
        spot = find(sources.root, "rollout", "share")
        report.error(sources.page, spot, "a canary serves a share of the sessions: more than 0, at most 1")


def _alerts(sources: Sources, environment: AnyMapping[str, str] | None, report: Report) -> None:
    if environment is None:
        return
    filled: dict[str, str] = {}
    for key in ("webhook", "secret"):
        text = getattr(sources.policy.alerts, key)
        try:
            filled[key] = filled_in(text or "", environment)
        except Missing as missing:
            message = f"the environment has no {missing}; set it, or give a default: ${{{missing}:-}} is none"
            report.error(sources.page, find(sources.root, "alerts", key), message)
    url = filled.get("webhook", "")
    if url and not _is_safe(url):
        message = "a webhook is an https address (http only on this machine)"
        report.error(sources.page, find(sources.root, "alerts", "webhook"), message)


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL))


FROM_ENVIRONMENT = ("alerts.webhook", "alerts.secret", "jobs.secret")


def _stray_variables(sources: Sources, report: Report) -> None:
    """`${NAME}` outside of secrets and hosts is nothing special, which nobody would guess."""
    for name, (_, section) in sources.root.pairs.items():
        if name in ("alerts", "jobs", "tests"):
            continue
        for scalar in _scalars(section):
            if VARIABLE.search(scalar.text):
                message = (
                    "environment variables are for secrets and hosts only (alerts.webhook, alerts.secret, jobs.secret)"
                )
                report.warn(sources.page, scalar.spot, f"{message}; this is taken as it is written")


def _scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    children = [child for _, child in node.pairs.values()] if isinstance(node, Tree) else node.values
    return [scalar for child in children for scalar in _scalars(child)]
