"""routes.yaml: what the evals measured, and what of it is evidence for the policy at hand.

Rule: a measurement counts for the model that was measured, in a tier and for a task that the policy has;
everything else is shown as a warning and left out.
"""

from __future__ import annotations

from pathlib import Path

from ..decide.policy import Measured, RouteFile
from .catalogue import day_of
from .conform import conform
from .crosschecks import Sources
from .document import Mapping, find, read
from .report import Page, Report, Spot, nearest


class Routes:
    """routes.yaml as it was read."""

    def __init__(self, file: RouteFile, root: Mapping, page: Page) -> None:
        self.file = file
        self.root = root
        self.page = page


def read_routes(path: Path, report: Report) -> Routes | None:
    page, root = read(path, report)
    file = None if root is None else conform(root, RouteFile, page, report)
    if file is None or root is None:
        return None
    routes = Routes(file, root, page)
    for task, tiers in file.routes.items():
        for tier, one in tiers.items():
            _check(routes, (task, tier), one, report)
    return routes


def in_force(routes: Routes, sources: Sources, report: Report) -> dict[str, dict[str, Measured]]:
    """What may decide: by task and tier, for the models that the tiers have now."""
    policy, kept = sources.policy, dict[str, dict[str, Measured]]()
    for task, tiers in routes.file.routes.items():
        if task not in policy.tasks:
            hint = nearest(task, policy.tasks)
            report.warn(routes.page, _spot(routes, task), f"the policy has no task `{task}`{hint}: not used")
            continue
        kept[task] = {}
        for tier, one in tiers.items():
            why = _not_in_force(tier, one, sources)
            if why is None:
                kept[task][tier] = one
            else:
                report.warn(routes.page, _spot(routes, task, tier), f"{why}: not used")
    return kept


def _not_in_force(tier: str, one: Measured, sources: Sources) -> str | None:
    part = sources.policy.tiers.get(tier)
    if part is None:
        return f"the policy has no tier `{tier}`{nearest(tier, sources.policy.tiers)}"
    if sources.id_of(part.model) != sources.id_of(one.model):
        return f"this was measured on `{one.model}`, and `{tier}` is `{part.model}` now"
    return None


def _check(routes: Routes, place: tuple[str, str], one: Measured, report: Report) -> None:
    if one.passed > one.cases:
        spot = find(routes.root, "routes", *place, "passed")
        report.error(routes.page, spot, f"{one.passed} of {one.cases} cases cannot have passed")
    if day_of(one.measured) is None:
        spot = find(routes.root, "routes", *place, "measured")
        report.error(routes.page, spot, f"`measured` takes a day such as 2026-11-20, not `{one.measured}`")


def _spot(routes: Routes, *place: str) -> Spot:
    return find(routes.root, "routes", *place, key=True)
