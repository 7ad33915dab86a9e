"""The rules that tests decide by: the shipped policy, or a small one written in the test."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from router.decide.policy import Rulebook
from router.policyfile import load

POLICIES = Path(__file__).parent.parent / "policies"


@cache
def default_rules() -> Rulebook:
    return load(POLICIES / "default.yaml")


def rules_from(text: str, folder: Path) -> Rulebook:
    """A policy written in a test, with the shipped models and prices."""
    path = folder / "policy.yaml"
    path.write_text(text)
    return load(path, POLICIES / "models.yaml", POLICIES / "prices.yaml")
