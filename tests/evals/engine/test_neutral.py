"""What is set aside of a policy while a tier is measured, and what must stay as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.neutral import Neutral, neutral
from router.decide.policy import Rulebook
from router.policyfile import load

POLICY = """
version: 1
tiers:
  haiku: {model: claude-haiku-5-5, effort: low}
  opus: {model: claude-opus-5-5}
tasks:
  general:
    description: All of it.
    max_tokens: 900
    agree: {second: claude-haiku-4-5, compare: json}
    on: {refused: [retry, up, canned], overloaded: [next, canned]}
rules:
  - {name: nights, tier: opus}
budgets:
  daily: {usd: 1, per: day, then: refuse}
fallbacks:
  on: {empty: [fail]}
  workloads: {background: {cut_at_max_tokens: [escalate, serve]}}
sampling: {keep: 0.5}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return load(path)


def test_nothing_places_stops_or_keeps_a_measured_request(rules: Rulebook) -> None:
    plain = neutral(rules)
    assert rules.matchers
    assert ((), (), {}, 0.0) == (plain.matchers, plain.policy.rules, plain.policy.budgets, plain.policy.sampling.keep)
    assert plain.tasks["general"].agree is None


def test_a_models_own_bad_answer_is_served_and_an_outage_is_met_as_the_policy_says(rules: Rulebook) -> None:
    plain = neutral(rules)
    assert {"refused": ("retry", "up", "serve"), "overloaded": ("next", "canned")} == plain.tasks["general"].on
    assert {"empty": ("serve",)} == plain.policy.fallbacks.on
    assert {"background": {"cut_at_max_tokens": ("escalate", "serve")}} == plain.policy.fallbacks.workloads


def test_what_shapes_a_request_stays(rules: Rulebook) -> None:
    plain = neutral(rules)
    assert rules.hash == plain.hash
    assert (rules.policy.tiers, 900) == (plain.policy.tiers, plain.tasks["general"].max_tokens)
    assert rules.policy.limits == plain.policy.limits


def test_a_run_keeps_the_policy_that_it_began_with(rules: Rulebook, tmp_path: Path) -> None:
    loader = Neutral(rules)
    assert loader.load().current is loader.load().current
    assert loader.load().candidate is None
