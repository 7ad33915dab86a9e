"""After a refusal one call goes first; calls beyond the first are paid for by the model that failed."""

from __future__ import annotations

import asyncio

import pytest

from router.decide.policy.failing import Pacing, RetryBudget
from router.memory.desk import SPENT
from router.vocabulary import OutcomeKind

from ..simulation.loop import run_virtually
from .gates import ANSWERED, FAILED, HAIKU, SONNET, Gatehouse, limited, rules_with


def test_after_a_retry_after_one_call_goes_first_and_the_others_when_it_is_answered() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 5})))
        await house.call(limited(2.0))
        waiting = [asyncio.create_task(house.entered(within_s=5)) for _ in range(50)]
        await asyncio.sleep(2.5)
        assert sum(task.done() for task in waiting) == 1
        next(task for task in waiting if task.done()).result().ended(ANSWERED)
        await asyncio.sleep(0)
        assert len(await asyncio.gather(*waiting)) == 50

    run_virtually(story())


def test_a_probe_whose_answer_runs_on_lets_the_others_in_before_it_ends() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        await house.call(limited(0.5))
        probe = await house.entered(within_s=1)
        waiting = asyncio.create_task(house.entered(within_s=1))
        probe.began({})
        await waiting
        probe.ended(ANSWERED)

    run_virtually(story())


def test_when_the_probe_is_refused_too_nobody_waits_who_can_go_elsewhere() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 5})))
        await house.call(limited(1.0))
        await house.call(limited(1.0), within_s=5)
        began_s = house.clock.monotonic()
        assert (await house.refused(within_s=5, elsewhere=True)).retry_after_s == pytest.approx(1.0)
        assert house.clock.monotonic() == began_s
        await house.call(within_s=5, workload="background")  # who cannot waits, and is the next probe
        await house.call(within_s=0)

    run_virtually(story())


def test_a_fallback_is_paid_for_by_the_model_that_failed() -> None:
    """Else the healthy model's budget is gone, and it may not stand in any more."""

    async def story() -> None:
        house = Gatehouse(rules_with(retries=RetryBudget(share=0, answered=0, burst=2)))
        await house.call(FAILED)
        for _ in range(2):
            await house.call(model=SONNET, cost=1, charge=HAIKU)
        refused = await house.refused(model=SONNET, cost=1, charge=HAIKU)
        assert refused.detail == SPENT
        left = {model: one["retry_budget"] for model, one in house.health.standing().items()}
        assert left == {HAIKU: 0, SONNET: 2}

    run_virtually(story())


def test_a_retry_without_budget_is_held_back_and_says_when_there_will_be_some() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(retries=RetryBudget(share=0.1, answered=0.5, burst=3)))
        await house.call(FAILED, cost=1)
        await house.call(FAILED, cost=2)
        refused = await house.refused(cost=2, within_s=60)
        assert (refused.kind, refused.detail) == (OutcomeKind.HELD_BACK, SPENT)
        assert refused.retry_after_s == pytest.approx(4.0)
        for _ in range(4):
            await house.call()
        await house.call(cost=2)

    run_virtually(story())
