"""The gates before the models: who may go, who waits, who is told to go elsewhere, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from router.decide.policy.failing import Breaker, Pacing
from router.memory.desk import KEY_LEFT_ALONE, LEFT_ALONE, TOO_LATE
from router.ports import Want
from router.vocabulary import Outcome, OutcomeKind

from ..simulation.loop import run_virtually
from .gates import ANSWERED, FAILED, HAIKU, REFUSED_KEY, SONNET, Gatehouse, limited, rules_with, said, small


def test_a_call_that_need_not_wait_awaits_nothing() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        entering = house.health.enter(Want(model=HAIKU), house.rules)
        with pytest.raises(StopIteration) as ended:
            entering.send(None)  # the very first step is the last
        assert ended.value.value.waited_s == 0.0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(story())


def test_past_the_limit_a_call_waits_for_another_to_end_and_says_how_long() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        first, *_ = await house.many(10)
        waiting = asyncio.create_task(house.entered(within_s=2))
        await asyncio.sleep(0.75)
        assert (house.standing()["in_flight"], house.standing()["waiting"]) == (10, 1)
        first.ended(ANSWERED)
        assert (await waiting).waited_s == pytest.approx(0.75)
        assert (house.standing()["in_flight"], house.standing()["waiting"]) == (10, 0)

    run_virtually(story())


def test_a_wait_is_bounded_by_the_caller_and_by_the_policy() -> None:
    async def story() -> None:
        house = Gatehouse(small(wait_s={"interactive": 1.0}))
        await house.many(10)
        for within_s, waited_s in ((0.0, 0.0), (0.5, 0.5), (60.0, 1.0)):
            began_s = house.clock.monotonic()
            refused = await house.refused(within_s=within_s)
            assert (refused.kind, refused.detail) == (OutcomeKind.HELD_BACK, TOO_LATE)
            assert house.clock.monotonic() - began_s == pytest.approx(waited_s)
        assert ("held_back", HAIKU) in house.events.counts

    run_virtually(story())


def test_interactive_goes_first_then_background_then_batch_and_in_each_the_first_who_came() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        passes = await house.many(10)
        tasks = []
        for name in ("batch", "background", "interactive"):
            for number in (1, 2):
                tasks.append(asyncio.create_task(house.named(f"{name}{number}", 100, workload=name, within_s=100)))
                await asyncio.sleep(0)
        for passed in passes:
            passed.ended(ANSWERED)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        expected = [f"{name}{number}" for name in ("interactive", "background", "batch") for number in (1, 2)]
        assert expected == house.order
        await asyncio.gather(*tasks)

    run_virtually(story())


def test_background_leaves_a_fifth_of_the_places_free() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        await house.many(8, workload="background")
        assert (await house.refused(workload="background")).kind is OutcomeKind.HELD_BACK
        await house.many(2)
        await asyncio.sleep(10)  # however long it is
        assert (await house.refused()).kind is OutcomeKind.HELD_BACK

    run_virtually(story())


def test_background_is_not_starved_by_interactive_calls_that_do_not_fill_the_model() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        await house.many(9)  # for ever
        tasks = [
            asyncio.create_task(house.named(str(number), 0.1, workload="background", within_s=30))
            for number in range(20)
        ]
        await asyncio.sleep(10.5)
        assert 10 <= len(house.order) <= 12  # one a second
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_virtually(story())


def test_interactive_never_waits_behind_background_however_much_of_it_there_is() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        flood = [asyncio.create_task(house.named("flood", 1.0, workload="background", within_s=30)) for _ in range(500)]
        await asyncio.sleep(0.01)
        for _ in range(100):
            passed = await house.entered(within_s=2)
            assert passed.waited_s == 0.0  # two at once always fit
            await asyncio.sleep(0.1)
            passed.ended(ANSWERED)
        kinds = Counter("held" if isinstance(answer, Outcome) else "went" for answer in await asyncio.gather(*flood))
        assert kinds["went"] >= 8 * 29

    run_virtually(story())


def test_what_an_answer_said_is_left_holds_the_next_calls_back() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 2})))
        passed = await house.entered()
        passed.began(said("requests", 60, 2))
        passed.ended(ANSWERED)
        await house.many(2)
        assert (await house.refused(within_s=0.9)).retry_after_s == pytest.approx(1.0)
        assert house.clock.monotonic() == 0.0  # it is known, so nobody waits for it
        assert (await house.entered(within_s=1.1)).waited_s == pytest.approx(1.0, abs=0.01)
        assert house.standing()["left"] == {"requests": 0}

    run_virtually(story())


def test_who_waits_in_vain_because_of_those_before_him_is_told_at_once() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(wait_s={"interactive": 60})))
        (await house.entered()).began(said("requests", 60, 0))
        tasks = [asyncio.create_task(house.entered(within_s=2.5)) for _ in range(2)]
        vain = [asyncio.create_task(house.refused(within_s=2.5)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [False, False, True, True, True] == [task.done() for task in (*tasks, *vain)]
        assert [1.0, 2.0] == [pytest.approx(passed.waited_s, abs=0.01) for passed in await asyncio.gather(*tasks)]

    run_virtually(story())


def test_models_of_one_bucket_are_held_back_together_and_others_are_not() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        await house.call(limited(5.0), model="claude-opus-4-7")
        assert (await house.refused("claude-opus-4-8", within_s=1)).retry_after_s == pytest.approx(5.0)
        await house.call(model="claude-opus-5-5")

    run_virtually(story())


@pytest.mark.parametrize("enabled", [True, False])
def test_nothing_goes_before_retry_after_however_many_wait_and_wake(enabled: bool) -> None:
    """Whatever the policy says of pacing: what the API asked for is kept."""

    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(enabled=enabled)))
        dice = random.Random(7)
        went: list[float] = []

        async def caller() -> None:
            await asyncio.sleep(dice.random() * 5)
            answer = await house.enter(within_s=60, workload="background")
            if not isinstance(answer, Outcome):
                went.append(house.clock.monotonic())
                await asyncio.sleep(dice.random())
                answer.ended(ANSWERED)

        callers = [asyncio.create_task(caller()) for _ in range(300)]
        await asyncio.sleep(1.0)
        await house.call(limited(3.0))
        await asyncio.sleep(1.5)
        (house.health._desks[HAIKU]).pace.block(house.clock.monotonic() + 4.0)
        await asyncio.gather(*callers)
        assert (len(went), [at_s for at_s in went if 1.0 < at_s < 6.5]) == (300, [])

    run_virtually(story())


def test_a_failing_model_is_left_alone_probed_by_one_and_asked_again_when_it_answers() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        await house.call(model=SONNET)
        for _ in range(5):
            await house.call(FAILED)
        refused = await house.refused(within_s=60)
        assert (refused.kind, refused.detail) == (OutcomeKind.BREAKER_OPEN, LEFT_ALONE)
        assert 4.0 <= (refused.retry_after_s or 0.0) <= 6.0
        await asyncio.sleep(6)
        for _ in range(3):
            answers = await asyncio.gather(*(house.enter(within_s=60) for _ in range(50)))
            probes = [answer for answer in answers if not isinstance(answer, Outcome)]
            assert len(probes) == 1
            probes[0].ended(ANSWERED)
        await house.many(50)
        assert [f"{HAIKU}:open", f"{HAIKU}:half_open", f"{HAIKU}:closed"] == house.states
        assert ["open", "closed"] == [told.about for told in house.told]

    run_virtually(story())


def test_who_waits_when_it_opens_is_sent_on_at_once() -> None:
    async def story() -> None:
        pacing = Pacing(start=10, least=10, most=10)
        house = Gatehouse(rules_with(pacing=pacing, breaker=Breaker(min_calls=10)))
        passes = await house.many(10)
        waiting = [asyncio.create_task(house.enter(within_s=60)) for _ in range(20)]
        await asyncio.sleep(0.5)
        for passed in passes:
            passed.ended(FAILED)  # the ninth one's place is nobody's: nine of eighteen failed
        answers = await asyncio.gather(*waiting)
        kinds = Counter(answer.kind if isinstance(answer, Outcome) else "went" for answer in answers)
        assert {"went": 8, OutcomeKind.BREAKER_OPEN: 12} == kinds
        assert (house.clock.monotonic(), house.standing()["waiting"]) == (0.5, 0)

    run_virtually(story())


def test_a_burst_of_refused_keys_leaves_every_model_alone_but_for_one_call_in_five_seconds() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for model in (HAIKU, SONNET, HAIKU, SONNET, HAIKU):
            await house.call(REFUSED_KEY, model=model)
        assert KEY_LEFT_ALONE == (await house.refused("claude-opus-5-5")).detail
        assert house.standing(SONNET)["breaker"] == "open"
        probes = 0
        for _ in range(300):
            await asyncio.sleep(0.1)
            answer = await house.enter(SONNET)
            if not isinstance(answer, Outcome):
                probes += 1
                answer.ended(REFUSED_KEY)
        assert probes in (5, 6)
        await asyncio.sleep(5)
        await house.call()
        await house.many(50, SONNET)
        assert ["every_model:open", "every_model:closed"] == house.states

    run_virtually(story())


def test_a_key_that_is_refused_at_one_model_sends_on_who_waits_at_another() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        await house.many(10, SONNET)
        waiting = asyncio.create_task(house.refused(SONNET, within_s=2))
        await asyncio.sleep(0.5)
        for _ in range(5):
            await house.call(REFUSED_KEY)
        assert (await waiting).detail == KEY_LEFT_ALONE
        assert house.clock.monotonic() == 0.5

    run_virtually(story())


def test_what_the_policy_switches_off_is_off() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(breaker=Breaker(enabled=False), pacing=Pacing(enabled=False, start=1, most=1)))
        for _ in range(100):
            await house.call(FAILED)
        (await house.many(100))[0].began(said("requests", 60, 0))
        await house.many(100)
        assert house.standing()["breaker"] == "closed"

    run_virtually(story())
