"""Callers who leave: in line, in the moment of their turn, as a probe. Whatever they do, nothing is left behind."""

from __future__ import annotations

import asyncio
import random

import pytest

from router.decide.policy.failing import Breaker, Pacing
from router.ports import Pass, Want
from router.vocabulary import Outcome, OutcomeKind, Usage

from ..simulation.loop import run_virtually
from .gates import ANSWERED, FAILED, HAIKU, Gatehouse, limited, rules_with, said, small

PATIENT = Pacing(wait_s={"interactive": 60})
ENDS = (ANSWERED, ANSWERED, ANSWERED, FAILED, None, limited(), limited(0.5), Outcome(kind=OutcomeKind.CALLER_GONE))


def empty(house: Gatehouse) -> None:
    desk = house.health._desks[HAIKU]
    assert (house.standing()["in_flight"], house.standing()["waiting"]) == (0, 0)
    assert (desk.crowd.low_in_flight, desk.pace.in_flight, desk.pace._unheard, desk.pace._unheard_tokens) == (0,) * 4
    assert desk.line.ahead(2) == (0, 0)
    assert desk._timer is None


def test_who_leaves_the_line_makes_room_for_the_next_one() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=PATIENT))
        (await house.entered()).began(said("input-tokens", 60_000, 1_000))
        big = asyncio.create_task(house.enter(input_tokens=50_000, within_s=60))
        await asyncio.sleep(0)
        little = asyncio.create_task(house.entered(input_tokens=100, within_s=60))
        await asyncio.sleep(1)
        assert not little.done()  # first come, first served
        big.cancel()
        assert (await little).waited_s == pytest.approx(1.0)

    run_virtually(story())


def test_a_pass_for_somebody_who_leaves_in_that_moment_is_given_back() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        passes = await house.many(10)
        before = house.standing()["retry_budget"]
        leaver = asyncio.create_task(house.enter(within_s=60, cost=1))
        await asyncio.sleep(0)
        passes.pop().ended(ANSWERED)  # his turn comes ...
        leaver.cancel()  # ... before he knows it
        with pytest.raises(asyncio.CancelledError):
            await leaver
        assert (house.standing()["in_flight"], house.standing()["retry_budget"]) == (9, before)
        for passed in passes:
            passed.ended(ANSWERED)
        empty(house)

    run_virtually(story())


def test_a_probe_that_is_abandoned_makes_room_for_the_next() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for _ in range(5):
            await house.call(FAILED)
        await asyncio.sleep(6)
        for end in (None, Outcome(kind=OutcomeKind.CALLER_GONE), limited()):
            probe = await house.entered()
            assert (await house.refused()).kind is OutcomeKind.BREAKER_OPEN
            probe.ended(end)
            await asyncio.sleep(1)
        assert house.standing()["breaker"] == "half_open"

    run_virtually(story())


def test_a_pass_ends_once() -> None:
    async def story() -> None:
        passed = await Gatehouse(small()).entered()
        passed.ended(ANSWERED)
        with pytest.raises(AssertionError):
            passed.ended(ANSWERED)

    run_virtually(story())


@pytest.mark.parametrize("seed", range(8))
def test_after_a_storm_of_callers_of_whom_half_leave_nothing_is_left(seed: int) -> None:
    async def story() -> None:
        dice = random.Random(seed)
        house = Gatehouse(
            rules_with(
                pacing=Pacing(start=8, least=2, most=16),
                breaker=Breaker(enabled=seed % 2 == 0, open_s=0.2, open_max_s=1),
            )
        )
        most = 0

        async def caller() -> None:
            await asyncio.sleep(dice.random() * 20)
            workload = dice.choice(["interactive", "background", "batch"])
            tokens, cost = dice.randrange(2_000), dice.choice([0, 0, 1])
            within_s = dice.random() * 5
            want = Want(model=HAIKU, workload=workload, within_s=within_s, input_tokens=tokens, cost=cost)
            answer = await house.health.enter(want, house.rules)
            if not isinstance(answer, Outcome):
                await used(answer)

        async def used(passed: Pass) -> None:
            nonlocal most
            most = max(most, house.standing()["in_flight"])
            end = None
            try:
                await asyncio.sleep(dice.random() * 0.2)
                passed.began({**said("requests", 6_000, dice.randrange(6_000)), **said("input-tokens", 90_000, 30_000)})
                await asyncio.sleep(dice.random() * 0.2)
                end = dice.choice(ENDS)
            finally:
                passed.ended(end, Usage(input_tokens=dice.randrange(2_000), output_tokens=dice.randrange(500)))

        callers = [asyncio.create_task(caller()) for _ in range(2_000)]
        for one in callers[::2]:
            asyncio.get_running_loop().call_later(dice.random() * 22, one.cancel)
        await asyncio.gather(*callers, return_exceptions=True)
        assert 2 <= most <= 16
        assert not [one for one in callers if not one.cancelled() and one.exception()]
        await asyncio.sleep(0)
        empty(house)

    run_virtually(story())


def test_it_recovers_by_itself_after_everything_failed() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        answered = 0
        for second in range(300):
            outcome = FAILED if second < 120 else ANSWERED
            answer = await house.enter(within_s=0.5)
            if not isinstance(answer, Outcome):
                answer.ended(outcome)
                answered += outcome is ANSWERED
            await asyncio.sleep(1)
        assert answered >= 180 - 60 - 1  # it was open for no longer than the policy's longest

    run_virtually(story())
