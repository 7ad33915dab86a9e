"""Whose word counts: a rule's, the caller's, the measurements', the verdict's; then the conversation's pin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.decide.choosing import NOBODY, Known, answers_itself, choose, wants_verdict
from router.decide.ladder import ladder
from router.decide.policy import Rule, Rulebook
from router.vocabulary import Difficulty, Facts, Verdict, Words

from ..rulebooks import rules_from

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5, siblings: [claude-sonnet-5]}
  opus: {model: claude-opus-5-5}
  fable: {model: claude-fable-5-2, only_by_name: true}
default: {tier: sonnet, task: chat}
tasks: {chat: {description: x}, code: {description: y}}
"""
SIMPLE = Verdict(task="chat", difficulty=Difficulty.SIMPLE, source="classifier")
HARD = Verdict(task="chat", difficulty=Difficulty.EDGE_CASE, source="classifier")


@pytest.fixture
def rules(tmp_path: Path) -> Rulebook:
    return rules_from(POLICY, tmp_path)


def known(model: str = "", *, turns: int = 1, **more: Any) -> Known:
    return Known(facts=Facts(model=model, turns=turns), **more)


def rule(**action: Any) -> Rule:
    return Rule(name="r", **action)


def test_a_rule_that_names_a_tier_goes_before_the_callers_word(rules: Rulebook) -> None:
    choice = choose(known("claude-haiku-5-5", rule=rule(tier="opus")), SIMPLE, rules)
    assert ("opus", "claude-opus-5-5", "r", "the rule r sends it to opus") == (
        choice.tier,
        choice.model,
        choice.rule,
        choice.reason,
    )


def test_a_rule_may_name_a_model_that_no_tier_holds(rules: Rulebook) -> None:
    choice = choose(known(rule=rule(model="claude-opus-5")), SIMPLE, rules)
    assert (None, "claude-opus-5", False) == (choice.tier, choice.model, choice.named_by_caller)


def test_a_rule_may_lead_to_a_tier_that_is_reached_by_name_only(rules: Rulebook) -> None:
    assert "fable" == choose(known(rule=rule(tier="fable")), SIMPLE, rules).tier


def test_a_rule_that_names_the_task_leaves_the_tier_to_the_verdict(rules: Rulebook) -> None:
    choice = choose(known(rule=rule(task="code"), task="code"), HARD, rules)
    assert ("opus", "code", "r", "code, edge case: the policy sends it to opus") == (
        choice.tier,
        choice.task,
        choice.rule,
        choice.reason,
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"refuse": "no"}, "the rule r refuses it"), ({"canned": "no"}, "the rule r answers it with a text")],
)
def test_a_rule_that_answers_asks_nobody(answer: dict[str, str], reason: str, rules: Rulebook) -> None:
    asked = known("claude-opus-5-5", rule=rule(**answer))
    choice = choose(asked, None, rules)
    assert (NOBODY, None, reason) == (choice.model, choice.tier, choice.reason)
    assert (True, False) == (answers_itself(asked.rule), wants_verdict(asked, rules))


@pytest.mark.parametrize("asked", [known("opus"), known("claude-opus-5-5"), known(rule=rule(tier="opus"))])
def test_who_is_placed_already_needs_no_verdict(asked: Known, rules: Rulebook) -> None:
    assert not wants_verdict(asked, rules)


def test_who_is_not_does(rules: Rulebook) -> None:
    assert wants_verdict(known(), rules)
    assert wants_verdict(known(rule=rule(task="code"), task="code"), rules)


def test_tool_results_of_a_pinned_conversation_need_no_verdict(rules: Rulebook) -> None:
    facts = Facts(last_is_tool_result=True, turns=3)
    assert not wants_verdict(Known(facts=facts, pinned="opus"), rules)


@pytest.mark.parametrize(
    ("asked", "tier"),
    [
        (known(pinned="opus"), "opus"),  # a simple turn does not step down
        (known(pinned="haiku"), "haiku"),
        (known(pinned="haiku", rule=rule(tier="opus")), "opus"),  # a rule moves up
        (known(pinned="opus", rule=rule(tier="haiku")), "opus"),  # but not down
        (known("haiku", pinned="opus"), "haiku"),  # a caller does as he says
        (known(pinned="gone"), "haiku"),  # a tier of another policy
    ],
)
def test_a_conversation_moves_upward_only(asked: Known, tier: str, rules: Rulebook) -> None:
    assert tier == choose(asked, SIMPLE, rules).tier


def rungs(model: str, rules: Rulebook, turns: int = 1, fallback: str = "auto") -> list[str]:
    asked = known(model, turns=turns)
    choice = choose(asked, SIMPLE, rules)
    return [rung.model for rung in ladder(choice, asked.facts, Words(fallback=fallback), rules)]


def test_siblings_stand_in_before_the_next_tier_and_what_is_by_name_only_is_left_out(rules: Rulebook) -> None:
    assert ["claude-sonnet-5-5", "claude-sonnet-5", "claude-opus-5-5", "claude-haiku-5-5"] == rungs("sonnet", rules)
    assert ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-5", "claude-opus-5-5"] == rungs("", rules)


def test_a_running_conversation_climbs_and_keeps_to_its_siblings(rules: Rulebook) -> None:
    assert ["claude-sonnet-5-5", "claude-sonnet-5", "claude-opus-5-5"] == rungs("sonnet", rules, turns=5)


def test_a_tier_that_is_by_name_only_falls_back_to_those_below_it(rules: Rulebook) -> None:
    assert "claude-fable-5-2" == rungs("fable", rules)[0]
    assert "claude-opus-5-5" == rungs("fable", rules)[1]


def test_whoever_wants_no_fallback_gets_none(rules: Rulebook) -> None:
    assert ["claude-sonnet-5-5"] == rungs("sonnet", rules, fallback="same")
