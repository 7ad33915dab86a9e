"""The bill is exact: every price times every modifier, and nothing is lost or counted twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from router.standin.bill import Bill, Row, Tariff, usd
from router.standin.cache import Plan
from router.standin.models import MODELS

PLAN = Plan(total=1_000, read=100, write_5m=200, write_1h=300)  # 400 uncached


def cost(model: str, plan: Plan = PLAN, geo: str = "global", speed: str | None = None, batch: bool = False) -> Decimal:
    return Decimal(usd(Tariff(MODELS[model], plan, geo, speed, batch).cost_pico(50)))


def by_hand(prompt: str, output: str, write_5m: str, write_1h: str, read: str) -> Decimal:
    amounts = ((400, prompt), (50, output), (200, write_5m), (300, write_1h), (100, read))
    return sum((count * Decimal(price) for count, price in amounts), Decimal(0)) / 1_000_000


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("claude-haiku-5-5", ("0.10", "0.50", "0.125", "0.20", "0.01")),
        ("claude-sonnet-5-5", ("2", "10", "2.50", "4", "0.10")),
        ("claude-opus-5-5", ("4", "20", "5", "8", "0.20")),
        ("claude-fable-5-2", ("8", "40", "10", "16", "0.20")),
        ("claude-opus-4-6", ("5", "25", "6.25", "10", "0.50")),
        ("claude-sonnet-4-6", ("3", "15", "3.75", "6", "0.30")),
        ("claude-haiku-4-5", ("1", "5", "1.25", "2", "0.10")),
    ],
)
def test_each_token_class_has_its_price(model: str, prices: tuple[str, str, str, str, str]) -> None:
    assert by_hand(*prices) == cost(model)


def test_above_100k_prompt_tokens_haiku_costs_five_times_as_much_for_every_token() -> None:
    edge, above = Plan(total=100_000, read=50_000), Plan(total=100_001, read=50_000)
    assert Decimal("0.005525") == cost("claude-haiku-5-5", edge)
    assert Decimal("0.0276255") == cost("claude-haiku-5-5", above)
    assert Decimal("0.105502") == cost("claude-sonnet-5-5", above)


def test_modifiers_multiply() -> None:
    plain = cost("claude-opus-5-5")
    assert plain / 2 == cost("claude-opus-5-5", batch=True)
    assert plain * Decimal("1.1") == cost("claude-opus-5-5", geo="us")
    assert plain * 2 == cost("claude-opus-5-5", speed="fast")
    assert plain * Decimal("1.1") == cost("claude-opus-5-5", geo="us", speed="fast", batch=True)


@pytest.mark.parametrize(("pico", "text"), [(0, "0"), (1, "0.000000000001"), (1_500_000_000_000, "1.5")])
def test_dollars_are_exact_decimals(pico: int, text: str) -> None:
    assert text == usd(pico)


def row() -> Row:
    return Row(
        request_id="r",
        message_id="m",
        model="claude-haiku-5-5",
        input_tokens=400,
        cache_read_input_tokens=100,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=300,
    )


def test_a_row_grows_with_what_is_produced_and_the_total_with_it() -> None:
    bill = Bill()
    entry = bill.open(row(), Tariff(MODELS["claude-haiku-5-5"], PLAN, "global", None))
    start = bill.statement()
    entry.produced(10)
    entry.produced(30)
    entry.produced(20)
    end = bill.statement()
    assert (1, 126_000_000, 141_000_000) == (end.attempts, start.cost_pico, end.cost_pico)
    assert (30, False) == (end.rows[0].output_tokens, end.rows[0].finished)


def test_what_was_open_when_the_bill_was_cleared_is_on_no_bill() -> None:
    bill = Bill()
    entry = bill.open(row(), Tariff(MODELS["claude-haiku-5-5"], PLAN, "global", None))
    bill.clear()
    entry.produced(10)
    assert (0, 0, []) == (bill.statement().attempts, bill.statement().cost_pico, bill.statement().rows)
