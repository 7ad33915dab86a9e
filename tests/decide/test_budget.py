"""Within what the caller allows, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.budget import afford, usd
from router.errors import RequestError
from router.vocabulary import Choice

from ..rulebooks import default_rules

RULES = default_rules()
OPUS = Choice(tier="opus", model="claude-opus-5-5", task="general", reason="hard")
WORST = {"haiku": 10, "sonnet": 200, "opus": 400}


@given(st.integers(-(10**24), 10**24))
def test_usd_is_exact(pico: int) -> None:
    assert Decimal(usd(pico)) == Decimal(pico).scaleb(-12)
    assert "e" not in usd(pico).lower()


def test_no_limit_changes_nothing() -> None:
    assert afford(OPUS, None, WORST, RULES) is OPUS


def test_a_limit_that_holds_the_worst_case_changes_nothing() -> None:
    assert afford(OPUS, 400, WORST, RULES) is OPUS


def test_a_lower_limit_steps_down_to_the_highest_tier_within_it() -> None:
    choice = afford(OPUS, 399, WORST, RULES)
    assert (choice.tier, choice.model) == ("sonnet", "claude-sonnet-5-5")
    assert choice.reason == "hard; stepped down to sonnet, whose worst case is within max_cost_usd"


def test_a_tier_that_does_not_take_the_request_is_not_stepped_down_to() -> None:
    assert afford(OPUS, 399, {"haiku": 10, "opus": 400}, RULES).tier == "haiku"


def test_a_limit_below_every_worst_case_is_refused_with_the_figure() -> None:
    with pytest.raises(RequestError, match=r"could cost up to 0\.00000000001 USD") as caught:
        afford(OPUS, 9, WORST, RULES)
    assert (caught.value.code, caught.value.field) == ("router_max_cost", "router.max_cost_usd")


def test_a_named_model_is_refused_rather_than_swapped() -> None:
    named = Choice(tier=None, model="claude-opus-4-8", task="general", reason="", named_by_caller=True)
    with pytest.raises(RequestError, match="max_cost_usd"):
        afford(named, 399, {"": 400}, RULES)
