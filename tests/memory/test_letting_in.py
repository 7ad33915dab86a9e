"""What a beginning answer proves, who hears of a probe's fate, and how much room there is for another model's calls."""

from __future__ import annotations

import asyncio

import pytest

from router.decide.policy.failing import Pacing
from router.memory.desk import LEFT_ALONE
from router.vocabulary import Outcome, OutcomeKind

from ..simulation.loop import run_virtually
from .gates import ANSWERED, FAILED, HAIKU, REFUSED_KEY, SONNET, Gatehouse, limited, rules_with, small

FORBIDDEN = Outcome(kind=OutcomeKind.PERMISSION, status=403)
NOT_FOUND = Outcome(kind=OutcomeKind.NOT_FOUND, status=404)
OPUS, OPUS_BESIDE = "claude-opus-4-7", "claude-opus-4-8"  # of one bucket


def test_five_requests_that_one_model_does_not_permit_shut_nobody_out() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for _ in range(20):
            await house.call(FORBIDDEN)
        await house.call(model=SONNET)
        await house.call()
        assert [] == house.states

    run_virtually(story())


def test_a_stream_that_begins_proves_the_key_long_before_it_ends() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for _ in range(5):
            await house.call(REFUSED_KEY)
        await asyncio.sleep(5)
        stream = await house.entered()
        stream.began({})
        await house.many(20, SONNET)
        for _ in range(5):
            await house.call(REFUSED_KEY)
        stream.ended(ANSWERED)  # it was let in before: that says nothing of now
        await house.refused(SONNET)
        assert ["every_model:open", "every_model:closed", "every_model:open"] == house.states

    run_virtually(story())


def test_an_answer_that_begins_with_a_refusal_proves_nothing() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for _ in range(5):
            passed = await house.entered()
            passed.began({}, 401)
            passed.ended(REFUSED_KEY)
        assert ["every_model:open"] == house.states

    run_virtually(story())


def test_one_404_at_a_model_that_answers_is_about_something_else() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        await house.call()
        await house.call(NOT_FOUND)
        await house.call(model=SONNET)
        await house.call(NOT_FOUND, model="claude-never-was")
        assert ["claude-never-was:open"] == house.states
        await house.call()

    run_virtually(story())


def test_the_others_need_not_wait_for_a_whole_answer_only_for_the_time_of_a_refusal() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 5})))
        await house.call(limited(1.0))
        probe = asyncio.create_task(house.named("probe", 30, within_s=5))
        others = [asyncio.create_task(house.entered(within_s=5)) for _ in range(20)]
        for other in await asyncio.gather(*others):
            assert other.waited_s == pytest.approx(1.5, abs=0.01)
        probe.cancel()

    run_virtually(story())


def test_a_probe_that_is_refused_within_its_time_lets_nobody_in() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 9})))
        await house.call(limited(1.0))
        probe = await house.entered(within_s=9)
        waiting = asyncio.create_task(house.entered(within_s=9))
        await asyncio.sleep(0.4)
        probe.began({}, 429)
        probe.ended(limited(2.0))
        assert (await waiting).waited_s == pytest.approx(2.4, abs=0.01)

    run_virtually(story())


def test_who_shares_the_pace_hears_of_a_probes_fate_too() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 5})))
        await house.call(model=OPUS_BESIDE)
        await house.call(limited(1.0), model=OPUS)
        probe = await house.entered(OPUS, within_s=5)
        waiting = asyncio.create_task(house.entered(OPUS_BESIDE, within_s=5))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        probe.began({})
        assert (await waiting).waited_s == pytest.approx(0.1, abs=0.01)

    run_virtually(story())


def test_a_probe_that_begins_to_answer_makes_room_for_the_next_and_may_still_fail() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        await house.call(model=SONNET)
        for _ in range(5):
            await house.call(FAILED)
        await asyncio.sleep(6)
        probes = []
        for _ in range(3):
            probes.append(await house.entered())
            probes[-1].began({})
        running = await house.many(20)
        probes[0].ended(Outcome(kind=OutcomeKind.CUT, status=200))
        assert LEFT_ALONE == (await house.refused()).detail
        for passed in (*probes[1:], *running):
            passed.ended(ANSWERED)
        expected = [f"{HAIKU}:{state}" for state in ("open", "half_open", "closed", "open")]
        assert expected == house.states

    run_virtually(story())


def test_when_no_model_answers_each_is_tried_once_a_second() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for model in (HAIKU, SONNET) * 5:
            await house.call(FAILED, model=model)
        tried = dict.fromkeys((HAIKU, SONNET), 0)
        for _ in range(600):
            await asyncio.sleep(0.1)
            for model in tried:
                answer = await house.enter(model)
                if isinstance(answer, Outcome):
                    assert 0 < (answer.retry_after_s or 0.0) <= 1.0
                else:
                    tried[model] += 1
                    answer.ended(FAILED)
        assert all(50 <= count <= 60 for count in tried.values()), tried

    run_virtually(story())


def test_while_one_model_answers_the_others_are_left_alone_for_as_long_as_ever() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for _ in range(5):
            await house.call(FAILED)
        tried = 0
        for _ in range(600):
            await asyncio.sleep(0.1)
            await house.call(model=SONNET)
            answer = await house.enter()
            if not isinstance(answer, Outcome):
                tried += 1
                answer.ended(FAILED)
        assert 2 <= tried <= 4  # after 5, 15 and 35 seconds

    run_virtually(story())


def test_calls_of_a_model_that_failed_leave_room_for_this_ones_own() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        guests = await house.many(8, stands_in=True)
        waiting = asyncio.create_task(house.entered(stands_in=True, within_s=1))
        await asyncio.sleep(0.5)
        await house.many(2)  # its own go at once, past the guest who waits
        assert not waiting.done()
        guests[0].ended(ANSWERED)
        guests[1].ended(ANSWERED)
        await asyncio.sleep(0)
        assert not waiting.done(), "eight are under way"
        guests[2].ended(ANSWERED)
        assert (await waiting).waited_s == pytest.approx(0.5)

    run_virtually(story())


def test_a_guest_goes_before_what_can_wait() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        passes = await house.many(8, workload="background")
        later = asyncio.create_task(house.named("background", 0, workload="background", within_s=9))
        await asyncio.sleep(0)
        guest = asyncio.create_task(house.named("guest", 0, stands_in=True, within_s=9))
        await asyncio.sleep(0)
        passes[0].ended(ANSWERED)
        await asyncio.gather(guest, later)
        assert ["guest", "background"] == house.order

    run_virtually(story())
