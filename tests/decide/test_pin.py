"""A conversation stays on its model, or climbs."""

from __future__ import annotations

from router.decide.pin import hold, lane, lane_to_open, settles
from router.vocabulary import Choice, Difficulty, Facts, Verdict, Words

from ..rulebooks import default_rules

RULES = default_rules()
MODELS = {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}


def choice(tier: str, difficulty: Difficulty | None = Difficulty.COMPLEX, *, named: bool = False) -> Choice:
    verdict = Verdict(task="general", difficulty=difficulty, source="classifier")
    return Choice(
        tier=tier, model=MODELS[tier], task="general", reason="because", verdict=verdict, named_by_caller=named
    )


def test_a_conversation_is_not_moved_down() -> None:
    held = hold(choice("haiku"), "opus", Facts(turns=3), RULES)
    assert (held.tier, held.model) == ("opus", "claude-opus-5-5")
    assert held.reason == "this conversation is on opus, whose prompt cache is warm (because)"


def test_a_verdict_moves_a_conversation_up() -> None:
    assert hold(choice("opus"), "haiku", Facts(turns=3), RULES).reason == "because; moved up from haiku"


def test_no_verdict_is_no_reason_to_move() -> None:
    assert hold(choice("sonnet", None), "haiku", Facts(turns=3), RULES).tier == "haiku"


def test_a_named_model_is_not_held() -> None:
    named = choice("haiku", named=True)
    assert hold(named, "opus", Facts(turns=3), RULES) is named


def test_a_tier_that_left_the_policy_holds_nobody() -> None:
    free = choice("haiku")
    assert hold(free, "gone", Facts(turns=3), RULES) is free


def test_a_pinned_model_that_would_refuse_the_request_is_left() -> None:
    free = choice("haiku")
    assert hold(free, "sonnet", Facts(turns=3, tool_choice="tool"), RULES) is free


def test_the_first_turn_opens_the_lane_that_the_second_looks_up() -> None:
    first = Facts(turns=1, session="op:abc", prefix_fingerprint="p")
    second = Facts(turns=3, session="op:abc", prefix_fingerprint="p")
    assert (lane(first, Words()), lane_to_open(first, Words())) == (None, lane(second, Words()))


def test_a_named_session_is_looked_up_from_its_first_turn() -> None:
    facts = Facts(turns=1, prefix_fingerprint="p")
    assert lane(facts, Words(session="s")) == lane_to_open(facts, Words(session="s")) == "named:s:p"


def test_sub_agents_of_one_session_have_their_own_lanes() -> None:
    lanes = {lane(Facts(session="cc:1", prefix_fingerprint=prefix), Words()) for prefix in ("main", "helper")}
    assert len(lanes) == 2


def test_tool_results_need_no_new_verdict_once_a_conversation_is_pinned() -> None:
    assert [settles(pinned, Facts(last_is_tool_result=True)) for pinned in ("opus", None)] == [True, False]
    assert not settles("opus", Facts())
