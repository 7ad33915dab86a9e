"""Which model gets the request, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.decide.tier import choose, named, needs_verdict, task_named
from router.errors import RequestError
from router.vocabulary import Difficulty, Facts, Verdict, Words

from ..rulebooks import default_rules, rules_from

RULES = default_rules()


def verdict(difficulty: Difficulty | None, task: str | None = "general", source: str = "classifier") -> Verdict:
    return Verdict(task=task, difficulty=difficulty, source=source)


@pytest.mark.parametrize("name", ["", "auto", "claude-auto"])
def test_these_names_leave_the_choice_to_the_router(name: str) -> None:
    assert named(Facts(model=name), None, RULES) is None


def test_a_tier_may_be_named() -> None:
    choice = named(Facts(model="opus"), None, RULES)
    assert choice is not None
    assert (choice.tier, choice.model, choice.named_by_caller) == ("opus", "claude-opus-5-5", False)


def test_a_model_may_be_named_and_is_then_the_callers() -> None:
    choice = named(Facts(model="claude-haiku-4-5-20251001"), None, RULES)
    assert choice is not None
    assert (choice.tier, choice.model, choice.named_by_caller) == (None, "claude-haiku-4-5", True)


def test_an_unknown_model_is_a_404_that_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="did you mean claude-opus-5-5") as caught:
        named(Facts(model="claude-opus-5.5"), None, RULES)
    assert (caught.value.code, caught.value.status, caught.value.field) == ("router_unknown_model", 404, "model")


def test_a_retired_model_is_a_404_that_names_its_replacement() -> None:
    with pytest.raises(RequestError, match="retired; use claude-"):
        named(Facts(model="claude-opus-4-1"), None, RULES)


def test_an_unknown_task_is_a_400_that_lists_the_tasks() -> None:
    with pytest.raises(RequestError, match=r"did you mean general.*it has: ") as caught:
        task_named(Words(task="generl"), RULES)
    assert (caught.value.code, caught.value.field) == ("router_unknown_task", "router.task")


@pytest.mark.parametrize(
    ("difficulty", "tier"),
    [(Difficulty.SIMPLE, "haiku"), (Difficulty.COMPLEX, "sonnet"), (Difficulty.EDGE_CASE, "opus")],
)
def test_the_difficulty_picks_the_tier(difficulty: Difficulty, tier: str) -> None:
    choice = choose(Facts(), None, verdict(difficulty), RULES)
    assert (choice.tier, tier in choice.reason) == (tier, True)


def test_without_a_verdict_the_default_tier_answers_and_the_reason_says_so() -> None:
    gone = Verdict(task=None, difficulty=None, source="unavailable", detail="timed out")
    choice = choose(Facts(), None, gone, RULES)
    assert (choice.tier, choice.task) == (RULES.default_tier, RULES.default_task)
    assert choice.reason == f"no verdict (timed out): the policy's default tier {RULES.default_tier}"


def test_a_tier_that_would_refuse_the_parameters_is_stepped_over() -> None:
    choice = choose(Facts(tool_choice="any"), None, verdict(Difficulty.COMPLEX), RULES)
    assert choice.tier == "haiku"
    assert "does not take this request" in choice.reason


CAPPED = """
tiers: {cheap: {model: claude-haiku-5-5}, strong: {model: claude-opus-5-5}}
tasks: {chat: {description: talk}, bulk: {description: rows, difficulty: {complex: cheap, edge_case: cheap}}}
difficulty: {simple: cheap, complex: strong, edge_case: strong}
classifier: {cap_tier: cheap}
"""


def test_a_verdict_alone_cannot_climb_over_the_cap(tmp_path: Path) -> None:
    choice = choose(Facts(), None, verdict(Difficulty.EDGE_CASE, "chat"), rules_from(CAPPED, tmp_path))
    assert choice.tier == "cheap"
    assert "capped at cheap" in choice.reason


def test_a_task_that_goes_to_one_tier_whatever_its_difficulty_needs_no_verdict(tmp_path: Path) -> None:
    rules = rules_from(CAPPED, tmp_path)
    assert [needs_verdict(task, rules) for task in ("bulk", "chat", None)] == [False, True, True]
    skipped = Verdict(task=None, difficulty=None, source="skipped")
    assert choose(Facts(), "bulk", skipped, rules).reason == "bulk always goes to cheap"
