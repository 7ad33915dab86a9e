"""The retry budget: an outage must not multiply the traffic, and a model that answers some may be asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.policy.failing import RetryBudget
from router.decide.retrying import FLOOR_PER_S, RetryTokens

from .overload import Client, Plan, run

RULES = RetryBudget(share=0.1, answered=0.5, burst=10)


def test_it_starts_full_and_is_spent() -> None:
    tokens, sent = RetryTokens(0.0, RULES), 0
    while not tokens.short_for_s(2, 0.0, RULES):
        tokens.sent(2, RULES)
        sent += 1
    assert (sent, tokens.left(0.0, RULES), tokens.short_for_s(2, 0.0, RULES)) == (5, 0.0, 4.0)


def test_requests_answers_and_time_bring_it_back_up_to_the_burst() -> None:
    tokens = RetryTokens(0.0, RULES)
    tokens.sent(10, RULES)
    tokens.sent(0, RULES)
    assert tokens.left(0.0, RULES) == pytest.approx(0.1)
    tokens.answered(RULES)
    assert tokens.left(0.0, RULES) == pytest.approx(0.6)
    assert tokens.left(2.0, RULES) == pytest.approx(1.6)
    assert tokens.left(1000.0, RULES) == 10.0


def test_a_call_that_was_never_made_costs_nothing() -> None:
    tokens = RetryTokens(0.0, RULES)
    tokens.sent(4, RULES)
    tokens.give_back(4, RULES)
    assert tokens.left(0.0, RULES) == 10.0


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.booleans(), st.floats(0, 1)), max_size=300))
def test_over_any_story_further_calls_cost_no_more_than_was_saved_up(story: list[tuple[float, bool, float]]) -> None:
    tokens, now_s = RetryTokens(0.0, RULES), 0.0
    spent = earned = 0.0
    for cost, answers, passed_s in story:
        now_s += passed_s
        if cost and tokens.short_for_s(cost, now_s, RULES):
            continue
        tokens.sent(cost, RULES)
        spent += cost
        earned += 0.0 if cost else RULES.share
        if answers:
            tokens.answered(RULES)
            earned += RULES.answered
    assert spent <= RULES.burst + earned + now_s * FLOOR_PER_S + 1e-6


def test_in_an_outage_calls_grow_by_a_tenth_and_the_floor_and_no_more() -> None:
    """100 requests a second for ten minutes, each would like two further calls; none is answered."""
    rules = RetryBudget(share=0.1, answered=0.5, burst=100)
    tokens, calls, requests = RetryTokens(0.0, rules), 0, 60_000
    for number in range(requests):
        now_s = number / 100
        tokens.sent(0, rules)
        calls += 1
        for _ in range(2):
            if not tokens.short_for_s(1, now_s, rules):
                tokens.sent(1, rules)
                calls += 1
    assert requests * 1.1 <= calls <= requests * 1.1 + rules.burst + 600 * FLOOR_PER_S


@pytest.mark.parametrize("seed", range(3))
def test_after_a_dip_budget_and_breaker_recover_and_naive_retries_never_do(seed: int) -> None:
    """80 requests a second on a model that takes 100, 30 s of 20; what is given up on runs on and is billed."""
    naive = run(Client(Plan(tries=3)), seed)
    budget = run(Client(Plan(tries=3, budget=True)), seed)
    both = run(Client(Plan(tries=3, budget=True, breaker=True)), seed)
    assert naive.served < 0.3 < 0.6 < budget.served < 0.8 < 0.85 < both.served
    assert naive.billed_per_answer > 4 > 1.6 > budget.billed_per_answer > 1.2 > 1.1 > both.billed_per_answer
