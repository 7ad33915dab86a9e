"""Traffic of four shapes through the whole trunk, in virtual time, held against the stand-in's accounts.

The bound is one that nobody can reach who does not know the future: tests/bench/accounting.py says how it is made.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from statistics import mean

import pytest

from router.decide.policy import Rates
from router.decide.price import cost
from router.vocabulary import Usage

from .bench.accounting import billed, least
from .bench.cache import by_hand, routed
from .bench.traffic import SHAPES, Sent, traffic
from .rulebooks import default_rules

SEEDS = (7, 11, 13)
PRICES = default_rules().prices


def rates_of(requests: list[Sent]) -> Rates:
    return PRICES.by_model[requests[0].body["model"]][0].rates


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bill_is_near_the_best_that_hindsight_could_do_and_never_above_no_caching(shape: str) -> None:
    ratios = []
    for seed in SEEDS:
        requests = traffic(shape, seed)
        rates = rates_of(requests)
        account, _ = asyncio.run(routed(requests))
        bill = billed(account.plans, rates)
        assert bill < billed(by_hand(requests, None).plans, rates)
        assert bill < billed(by_hand(requests, {"type": "ephemeral"}).plans, rates)
        ratios.append(float(bill / least([(sent.at_s, sent.body) for sent in requests], rates)))
    assert min(ratios) >= 1, "the bound is none"
    assert mean(ratios) <= 1.05, ratios


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_short_trace_is_not_dearer_than_no_caching_either(shape: str, seed: int) -> None:
    """Two customers, two sets of documents, one agent, a handful of documents: hardly time to learn."""
    requests = traffic(shape, seed, {"support_chat": 2, "documents": 3, "agent": 1, "extraction": 12}[shape])
    rates = rates_of(requests)
    account, _ = asyncio.run(routed(requests))
    assert billed(account.plans, rates) <= billed(by_hand(requests, None).plans, rates)


def test_prompts_that_never_repeat_cost_one_write_on_trust_and_no_more() -> None:
    requests = [
        Sent(number * 3.0, "odd", f"s{number}", {**sent.body, "system": f"{number} {sent.body['system']}"})
        for number, sent in enumerate(traffic("extraction", size=60))
    ]
    rates = rates_of(requests)
    account, _ = asyncio.run(routed(requests))
    assert sum(1 for plan in account.plans if plan.write_5m or plan.write_1h) <= 1
    assert billed(account.plans, rates) <= billed(by_hand(requests, None).plans, rates) * Fraction(101, 100)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_ledger_holds_what_the_stand_in_billed_and_what_it_would_have_cost_uncached(shape: str) -> None:
    requests = traffic(shape, size=4 if shape != "extraction" else 40)
    account, rows = asyncio.run(routed(requests))
    assert len(rows) == len(account.plans) == len(requests)
    for row, plan in zip(rows, account.plans, strict=True):
        told = (row.input_tokens, row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens)
        assert told == (plan.uncached, plan.read, plan.write_5m, plan.write_1h)
        plain = Usage(input_tokens=plan.total, output_tokens=row.output_tokens)
        assert row.plain_pico == cost(plain, row.model, PRICES, row.at_ms).pico


def test_hits_on_a_conversation_of_50_turns_are_all_that_can_be() -> None:
    """Pain 16: every turn reads what the turn before it sent."""
    requests = [sent for sent in traffic("agent", size=1) if len(sent.body["messages"]) < 100]
    requests = [sent._replace(at_s=number * 20.0) for number, sent in enumerate(requests)]
    account, rows = asyncio.run(routed(requests))
    totals = [plan.total for plan in account.plans]
    assert [plan.read for plan in account.plans][2:] == totals[1:-1]
    assert {row.cache_cause for row in rows[2:]} == {""}
