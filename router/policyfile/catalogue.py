"""models.yaml: what each model takes and refuses, and which ids are dead.

Rule: an id, an alias and a dead id are one name space; a name means one thing.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from ..decide.policy import Catalogue, Model
from .conform import conform
from .document import Mapping, find, read
from .report import Page, Report, nearest


def read_catalogue(path: Path, report: Report) -> tuple[Page, Mapping | None, Catalogue | None]:
    """models.yaml, checked in itself."""
    page, root = read(path, report)
    if root is None:
        return page, None, None
    catalogue = conform(root, Catalogue, page, report)
    if catalogue is not None:
        _check_names(catalogue, root, page, report)
        _check_dates(catalogue, root, page, report)
        _check_thinking(catalogue, root, page, report)
    return page, root, catalogue


def ids_of(catalogue: Catalogue) -> dict[str, str]:
    """Every id and alias, to its id."""
    aliases = {alias: model_id for model_id, model in catalogue.models.items() for alias in model.aliases}
    return aliases | {model_id: model_id for model_id in catalogue.models}


def day_of(text: str) -> date | None:
    """A day written YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None  # other ISO forms, such as 2026-W48-1, are not ours


def _check_names(catalogue: Catalogue, root: Mapping, page: Page, report: Report) -> None:
    owner: dict[str, str] = {model_id: f"the model `{model_id}`" for model_id in catalogue.models}
    for model_id, model in catalogue.models.items():
        for number, alias in enumerate(model.aliases):
            if alias in owner:
                spot = find(root, "models", model_id, "aliases", number)
                report.error(page, spot, f"the alias `{alias}` already names {owner[alias]}")
            owner.setdefault(alias, f"an alias of `{model_id}`")
    for dead, replacement in catalogue.retired.items():
        if dead in owner:
            report.error(
                page, find(root, "retired", dead, key=True), f"`{dead}` is retired, and names {owner[dead]} too"
            )
        if replacement not in owner:
            spot = find(root, "retired", dead)
            report.error(page, spot, f"`{replacement}` is no model of this file{nearest(replacement, owner)}")
    for model_id, model in catalogue.models.items():
        if model.replacement is not None and model.replacement not in owner:
            spot = find(root, "models", model_id, "replacement")
            report.error(
                page, spot, f"`{model.replacement}` is no model of this file{nearest(model.replacement, owner)}"
            )


def _check_dates(catalogue: Catalogue, root: Mapping, page: Page, report: Report) -> None:
    for model_id, model in catalogue.models.items():
        days = {"released": model.released, "retires": model.retires, "not_before": model.not_before}
        for key, text in days.items():
            if text is not None and day_of(text) is None:
                spot = find(root, "models", model_id, key)
                report.error(page, spot, f"`{key}` takes a day such as 2026-11-30, not `{text}`")


def _check_thinking(catalogue: Catalogue, root: Mapping, page: Page, report: Report) -> None:
    for model_id, model in catalogue.models.items():
        off = model.thinking.off
        if off is not None and off not in model.thinking.accepts:
            spot = find(root, "models", model_id, "thinking", "off")
            report.error(page, spot, f"thinking is turned off with `{off}`, which is not among what `accepts` lists")


def can_stop_thinking(model: Model) -> bool:
    """Can it be asked not to think at all? (`between_tools` still thinks between tool calls, and only then.)"""
    return model.thinking.default == "off" or model.thinking.off is not None
