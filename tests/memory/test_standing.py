"""What the gates show of each model, and how many models they know at most."""

from __future__ import annotations

import asyncio

from router.decide.policy.failing import Pacing
from router.memory.health import MODELS_MAX, OTHERS
from router.vocabulary import Outcome, OutcomeKind

from ..simulation.loop import run_virtually
from .gates import ANSWERED, FAILED, HAIKU, Gatehouse, limited, rules_with, said, small


def test_a_model_stands_as_it_is() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        passed = await house.entered(cost=2)
        passed.began(said("output-tokens", 60_000, 9_000))
        expected = {"breaker": "closed", "open_for_s": 0.0, "in_flight": 1, "limit": 100, "waiting": 0}
        expected |= {"retry_budget": 98.0, "told_to_wait_s": 0.0, "left": {"output_tokens": 9_000}}
        assert expected == house.standing()
        passed.ended(limited(7.0))
        for _ in range(5):
            await house.call(FAILED, model="claude-opus-5-5")
        opened = house.standing("claude-opus-5-5")
        assert (house.standing()["told_to_wait_s"], opened["breaker"]) == (7.0, "open")
        assert 4 <= opened["open_for_s"] <= 6

    run_virtually(story())


def test_models_are_bounded_in_number_and_what_must_be_kept_is_kept() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        await house.call()
        await house.call(limited(600.0), model="told-to-wait")
        for number in range(3 * MODELS_MAX):
            await house.call(model=f"made-up-{number}")
        assert (len(house.health.standing()), len(house.health._paces)) == (MODELS_MAX, MODELS_MAX)
        assert HAIKU in house.health.standing()  # the policy knows it
        assert (await house.refused("told-to-wait")).kind is OutcomeKind.HELD_BACK
        for number in range(MODELS_MAX + 50):
            await house.entered(f"busy-{number}")
        assert len(house.health.standing()) == MODELS_MAX + 1
        assert house.standing(OTHERS)["in_flight"] == 51

    run_virtually(story())


def test_the_gauges_are_written_as_prometheus_reads_them() -> None:
    async def story() -> None:
        house = Gatehouse(small())
        await house.many(3)
        lines = house.health.metrics().decode().splitlines()
        figures = {"in_flight": 3, "limit": 10, "waiting": 0, "breaker": 0, "retry_budget": 100}
        for name, value in figures.items():
            assert f"# TYPE tierwise_model_{name} gauge" in lines
            assert f'tierwise_model_{name}{{model="{HAIKU}"}} {value}' in lines
        await house.entered('odd"} 1\n\\name')
        odd = r'tierwise_model_in_flight{model="odd\"} 1\n\\name"} 1'
        assert odd in house.health.metrics().decode().splitlines()

    run_virtually(story())


def test_what_every_answer_says_is_passed_on_ten_times_a_second_at_most() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        for _ in range(1_000):
            passed = await house.entered()
            passed.began(said("requests", 100_000, 90_000))
            await asyncio.sleep(0.001)
            passed.ended(ANSWERED)
        assert {"said"} == {told.about for told in house.told}
        assert 9 <= len(house.told) <= 11

    run_virtually(story())


def test_a_model_that_answers_gets_more_room_and_one_that_refuses_gets_less() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with(pacing=Pacing(start=10, least=4, most=1_000)))
        for outcome in (ANSWERED, ANSWERED, Outcome(kind=OutcomeKind.OVERLOADED, status=529)):
            for passed in await house.many(house.standing()["limit"] if house.health.standing() else 10):
                passed.began({})
                passed.ended(outcome)
        assert house.standing()["limit"] == 22  # 10, 16, 25, and a tenth less

    run_virtually(story())
