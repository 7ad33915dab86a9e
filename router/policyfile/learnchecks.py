"""What is wrong with `agree` and `gate`: witnesses and tiers that nobody knows, and a gate that may not be used.

Rule: each check says what is wrong, where, and what is allowed instead.
"""

from __future__ import annotations

from pathlib import Path

from ..decide.gate import Compiled
from ..decide.gate_file import Gate, read_gate
from ..decide.policy import Agree, Policy
from .crosschecks import Sources
from .document import find
from .report import Report, listed, nearest


def check_learning(sources: Sources, report: Report) -> None:
    for name, task in sources.policy.tasks.items():
        if task.agree is not None:
            _check_agree(name, task.agree, sources, report)


def fitted(sources: Sources, folder: Path, report: Report) -> Compiled | None:
    """The gate that was fitted, ready to be asked; None where there is none, or it may not be used."""
    wanted, path = sources.policy.gate, folder / sources.policy.gate.file
    if not wanted.enabled or not path.exists():
        return None
    spot = find(sources.root, "gate", "file")
    try:
        gate = read_gate(path.read_bytes())
    except (OSError, ValueError) as error:
        # No reason to stop: without a gate the classifier is asked, and whoever fits a new one loads this policy.
        report.warn(sources.page, spot, f"{path}: {error}; until then the classifier is asked")
        return None
    why = _not_in_force(gate, sources)
    if why is not None:
        report.warn(sources.page, spot, f"{path}: {why}: the classifier is asked as if there were no gate")
        return None
    return Compiled(gate)


def _not_in_force(gate: Gate, sources: Sources) -> str | None:
    wanted = sources.policy.gate
    if gate.alpha > wanted.alpha:
        return f"it was fitted for a bound of {gate.alpha:g}, and `gate.alpha` is {wanted.alpha:g}"
    if gate.min_cases < wanted.min_cases:
        return f"its bounds rest on {gate.min_cases} cases, and `gate.min_cases` is {wanted.min_cases}"
    for known in gate.tasks:
        for tier in (known.cheap, known.strong):
            if tier is not None and tier not in sources.policy.tiers:
                return f"it was fitted for the tier `{tier}`, which the policy does not have"
        if known.cheap is not None and known.model is not None and _model(known.cheap, sources) != known.model:
            return f"it was fitted on `{known.model}`, and `{known.cheap}` is `{_model(known.cheap, sources)}` now"
    return None


def _check_agree(name: str, wanted: Agree, sources: Sources, report: Report) -> None:
    policy, path = sources.policy, ("tasks", name, "agree")
    tier = wanted.tier or next(iter(policy.tiers))
    if tier not in policy.tiers:
        message = f"no tier is called `{tier}`{nearest(tier, policy.tiers)}; the tiers are: {listed(policy.tiers)}"
        report.error(sources.page, find(sources.root, *path, "tier"), message)
        return
    second = _model(wanted.second, sources)
    if second is None:
        hint = nearest(wanted.second, [*policy.tiers, *sources.catalogue.models])
        message = f"no tier and no model is called `{wanted.second}`{hint}"
        report.error(sources.page, find(sources.root, *path, "second"), message)
        return
    if second == sources.id_of(policy.tiers[tier].model):
        message = f"`{tier}` is asked twice: what one model gets wrong it often gets wrong again; name another model"
        report.warn(sources.page, find(sources.root, *path, "second"), message)
    if not _above(tier, policy):
        message = f"there is no tier above `{tier}` to ask where the answers differ"
        report.warn(sources.page, find(sources.root, *path, key=True), message)


def _model(name: str, sources: Sources) -> str | None:
    tier = sources.policy.tiers.get(name)
    return sources.id_of(tier.model if tier is not None else name)


def _above(tier: str, policy: Policy) -> list[str]:
    order = list(policy.tiers)
    return [name for name in order[order.index(tier) + 1 :] if not policy.tiers[name].only_by_name]
