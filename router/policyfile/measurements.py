"""routes.yaml: what the evals measured, and what of it is evidence for the policy at hand.

Rule: a measurement counts for the model that was measured, in a tier and for a task that the policy has;
everything else is shown as a warning and left out. What is old counts, and is warned of.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ..decide.evidence import prepared
from ..decide.policy import Measured, RouteFile, RouteVerdict
from .catalogue import day_of
from .conform import conform
from .crosschecks import Sources
from .document import Mapping, find, read
from .report import Page, Report, Spot, nearest

ROUNDED = 1e-3  # a bound in the file may have been rounded


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
    for task, verdict in file.verdicts.items():
        if day_of(verdict.decided) is None:
            spot = find(root, "verdicts", task, "decided")
            report.error(page, spot, f"`decided` takes a day such as 2026-11-20, not `{verdict.decided}`")
    return routes


def in_force(
    routes: Routes, sources: Sources, report: Report, today: date | None = None
) -> dict[str, dict[str, Measured]]:
    """What may decide: by task and tier, for the models that the tiers have now, weighed against the policy's bar.

    `today` turns on what depends on the day: measurements that grew old.
    """
    policy, kept = sources.policy, dict[str, dict[str, Measured]]()
    for task, tiers in routes.file.routes.items():
        if task not in policy.tasks:
            hint = nearest(task, policy.tasks)
            report.warn(routes.page, _spot(routes, task), f"the policy has no task `{task}`{hint}: not used")
            continue
        kept[task] = {}
        sound = {tier: one for tier, one in tiers.items() if not any(_problems(one))}
        for tier, one in sound.items():
            why = _not_in_force(tier, one, sources)
            if why is None:
                kept[task][tier] = one
            words = _old(one, sources, today) if why is None else (f"{why}: not used",)
            for word in words:
                report.warn(routes.page, _spot(routes, task, tier), word)
    verdicts = _verdicts_in_force(routes, kept, report)
    return prepared(kept, verdicts, policy.routes)


def _not_in_force(tier: str, one: Measured, sources: Sources) -> str | None:
    part = sources.policy.tiers.get(tier)
    if part is None:
        return f"the policy has no tier `{tier}`{nearest(tier, sources.policy.tiers)}"
    if sources.id_of(part.model) != sources.id_of(one.model):
        return f"this was measured on `{one.model}`, and `{tier}` is `{part.model}` now"
    return None


def _old(one: Measured, sources: Sources, today: date | None) -> Iterator[str]:
    """Why the measurement should be made again."""
    measured, model = day_of(one.measured), sources.catalogue.models[sources.id_of(one.model) or one.model]
    released = day_of(model.released) if model.released is not None else None
    assert measured is not None, "only what is sound comes so far"
    if released is not None and measured < released:
        yield f"measured on {measured}, before `{one.model}` came out on {released}: measure again"
    if today is None:
        return
    age_days, age_days_max = (today - measured).days, sources.policy.routes.max_age_days
    if age_days < 0:
        yield f"measured on {measured}, which is yet to come"
    elif age_days > age_days_max:
        yield f"measured {age_days} days ago; `routes.max_age_days` is {age_days_max}: measure again"


def _verdicts_in_force(routes: Routes, kept: dict[str, dict[str, Measured]], report: Report) -> dict[str, RouteVerdict]:
    """The verdicts whose winner still is what was measured."""
    found = {}
    for task, verdict in routes.file.verdicts.items():
        if task not in kept:
            why = f"`{task}` has no measurement that counts"
        elif verdict.winner is not None and verdict.winner not in kept[task]:
            why = f"no measurement of its winner `{verdict.winner}` counts any more"
        else:
            found[task] = verdict
            continue
        report.warn(routes.page, find(routes.root, "verdicts", task, key=True), f"{why}: the verdict is not used")
    return found


def _check(routes: Routes, place: tuple[str, str], one: Measured, report: Report) -> None:
    for key, problem in _problems(one):
        report.error(routes.page, find(routes.root, "routes", *place, key), problem)


def _problems(one: Measured) -> Iterator[tuple[str, str]]:
    """Each key that cannot be right, and why."""
    if one.passed > one.cases:
        yield "passed", f"{one.passed} of {one.cases} cases cannot have passed"
    elif one.at_least is not None and one.at_least > _most_at_least(one) + ROUNDED:
        yield "at_least", f"{one.passed} of {one.cases} passed: that cannot be at least {one.at_least:.1%}"
    if one.low is not None and one.high is not None and one.low > one.high:
        yield "low", f"the lower end {one.low:g} is above the upper end {one.high:g}"
    if one.sampled_passed > one.sampled_cases:
        yield "sampled_passed", f"{one.sampled_passed} of {one.sampled_cases} samples cannot have passed"
    for key in ("measured", "sampled_day"):
        text = getattr(one, key)
        if text is not None and day_of(text) is None:
            yield key, f"`{key}` takes a day such as 2026-11-20, not `{text}`"


def _most_at_least(one: Measured) -> float:
    """No lower bound lies above the rate itself."""
    return one.passed / one.cases if one.cases else 0.0


def _spot(routes: Routes, *place: str) -> Spot:
    return find(routes.root, "routes", *place, key=True)
