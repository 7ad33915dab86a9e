"""What a run may spend: the cap, the budget that is too small, the estimate, and what is held for a call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evals.ports import Halted
from evals.report.words import dollars
from evals.spending import CapReached, Estimate, Purse, for_option, needed_pico
from router.decide.price import cost
from router.ledger.history import count_decisions
from router.ledger.report import rows
from router.vocabulary import PICO_PER_USD, Usage

from .scene import desk_at, suite, upstream

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("pico", "typed"), [(1, "0.01"), (5 * PICO_PER_USD, "5.00"), (1234 * PICO_PER_USD + 1, "1234.01")]
)
def test_an_amount_for_the_command_line_is_rounded_up_to_the_cent(pico: int, typed: str) -> None:
    assert typed == for_option(pico)


async def test_a_purse_waits_for_what_is_held_before_it_says_no() -> None:
    purse = Purse(100)
    await purse.hold(60)
    second = asyncio.ensure_future(purse.hold(60))
    await asyncio.sleep(0)
    assert not second.done()
    purse.settle(60, 30)
    await second
    assert (30, 60) == (purse.spent_pico, purse.held_pico)
    purse.settle(60, 60)
    with pytest.raises(CapReached):
        await purse.hold(11)
    await purse.hold(10)
    assert 100 == purse.spent_pico + purse.held_pico


async def test_a_cap_is_never_passed_and_nothing_is_lost(tmp_path: Path) -> None:
    sums = suite(40)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, sums) as desk:
            [whole] = desk.estimate(sums, ["haiku"])
            cap_pico = whole.dearest_pico + whole.worst_pico // 40 // 3
        async with desk_at(standin, tmp_path, sums, max_pico=cap_pico) as desk:
            with pytest.raises(CapReached) as halted:
                await desk.engine.run(sums, "haiku", sums.cases)
            assert desk.spent_pico <= cap_pico
        words = str(halted.value)
        assert words.startswith(f"the cap of {dollars(cap_pico)} is reached: ")
        assert " of 40 cases of sums on haiku; nothing is lost: --max-usd " in words
        paid = standin.bill()
        assert 0 < paid.attempts < 40
        assert cap_pico >= paid.cost_pico
        async with desk_at(standin, tmp_path, sums) as desk:
            assert 40 == len(await desk.engine.run(sums, "haiku", sums.cases))
        assert 40 == standin.bill().attempts


async def test_a_suites_own_budget_is_its_cap(tmp_path: Path) -> None:
    poor, rich = suite(5, name="poor", budget_usd=0.000001), suite(5, name="rich")
    async with upstream() as standin, desk_at(standin, tmp_path, poor, rich) as desk:
        with pytest.raises(CapReached):
            await desk.engine.run(poor, "haiku", poor.cases)
        assert 0 == standin.bill().attempts
        assert 5 == len(await desk.engine.run(rich, "haiku", rich.cases))


async def test_a_budget_too_small_for_one_look_is_refused_with_the_sum_that_it_needs(tmp_path: Path) -> None:
    sums = suite(20, budget_usd=0.001)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, sums) as desk:
            first, top = desk.estimate(sums, ["haiku", "opus"], 4)
            with pytest.raises(Halted) as refused:
                desk.refuse_small(sums, ["haiku", "opus"], 4)
        needed = first.expected_pico + top.expected_pico + top.dearest_pico
        assert needed == needed_pico([first, top])
        words = str(refused.value)
        assert f"sums: one look, 4 cases on haiku and opus, needs about {dollars(needed)}" in words
        enough = float(words.partition("--max-usd ")[2].partition(" ")[0])
        assert needed <= enough * PICO_PER_USD < needed + PICO_PER_USD // 100
        assert 0 == standin.bill().attempts
        async with desk_at(standin, tmp_path, sums, max_pico=int(enough * PICO_PER_USD)) as desk:
            desk.refuse_small(sums, ["haiku", "opus"], 4)
            for tier in ("haiku", "opus"):
                assert 4 == len(await desk.engine.run(sums, tier, sums.cases[:4]))


async def test_an_estimate_sends_holds_and_notes_nothing(tmp_path: Path) -> None:
    sums = suite(5)
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        assert 5 * 4 == sum(one.calls for one in desk.estimate(sums, ["haiku", "sonnet", "opus", "fable"])[:4])
        assert (0, 0) == (desk.spent_pico, standin.seen.counts.total())
    assert [] == rows(tmp_path / "evals" / "books")
    assert 0 == count_decisions(tmp_path / "evals" / "books")


async def test_what_is_known_costs_nothing_and_tells_how_long_the_others_will_be(tmp_path: Path) -> None:
    sums = suite(10)
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        [before] = desk.estimate(sums, ["sonnet"])
        assert (10, 0, True) == (before.calls, before.known, before.guessed)
        tried = await desk.engine.run(sums, "sonnet", sums.cases[:4])
        [after] = desk.estimate(sums, ["sonnet"])
        assert (6, 4, False) == (after.calls, after.known, after.guessed)
        mean = round(sum(one.answer.usage.output_tokens for one in tried) / 4)
        questions = [desk._asking.questions.of_case(sums, "sonnet", case) for case in sums.cases[4:]]
        usages = [Usage(input_tokens=one.ready.input_tokens, output_tokens=mean) for one in questions]
        prices = desk.rules.prices
        assert sum(cost(usage, "claude-sonnet-5-5", prices, 0).pico for usage in usages) == after.expected_pico
        rest = await desk.engine.run(sums, "sonnet", sums.cases[4:])
        assert sum(one.answer.cost_pico for one in rest) <= after.worst_pico


async def test_every_call_costs_no_more_than_was_held_for_it(tmp_path: Path) -> None:
    sums = suite(6, system="Think hard. " * 300)
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        for tier in ("haiku", "sonnet", "opus"):
            for one in await desk.engine.run(sums, tier, sums.cases):
                case = next(case for case in sums.cases if case.id == one.case)
                held_pico = desk._asking.questions.of_case(sums, tier, case).worst_pico
                assert 0 < one.answer.cost_pico <= held_pico
        assert desk.spent_pico == standin.bill().cost_pico


def test_without_calls_nothing_is_needed() -> None:
    known = Estimate(suite="sums", tier="haiku", known=4, dearest_pico=7)
    assert 0 == needed_pico([known])
