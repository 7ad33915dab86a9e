"""What makes the service say that it is not well: what it runs beside the requests, and its own models."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from router.api.admission import Admission
from router.api.lag import Lag
from router.app.beside import Beside
from router.app.wellbeing import Wellbeing
from router.telemetry import JsonEvents
from router.vocabulary import Outcome, OutcomeKind

from .memory.gates import FAILED, HAIKU, Gatehouse, rules_with
from .simulation.loop import run_virtually
from .worlds import ListEvents

NOT_FOUND = Outcome(kind=OutcomeKind.NOT_FOUND, status=404)


def wellbeing(house: Gatehouse, beside: Beside) -> Wellbeing:
    """Of a service whose policy and books are well."""
    helm: Any = SimpleNamespace(current=house.rules, trouble=None, stage="none")
    books: Any = SimpleNamespace(health=lambda: None)
    doors = Admission(10), Lag(house.clock)
    events = JsonEvents(write=None, clock=house.clock)
    return Wellbeing(helm=helm, books=books, doors=doors, events=events, health=house.health, beside=beside)


async def works() -> None:
    """For ever."""
    await asyncio.Event().wait()


async def fails() -> None:
    await asyncio.sleep(0)
    raise ValueError("with a secret in it")


def test_what_ends_by_a_fault_is_said_by_its_name_and_the_service_is_not_well() -> None:
    async def story() -> None:
        house, events = Gatehouse(rules_with()), ListEvents()
        beside = Beside(events)
        well = wellbeing(house, beside)
        tasks = [asyncio.ensure_future(work) for work in beside.watched((works(), fails()))]
        assert (True, "ready", []) == (well.ready()[0], well.ready()[1]["status"], well.ready()[1]["stopped"])
        await asyncio.sleep(1)
        assert (True, "degraded", ["fails"]) == (well.ready()[0], well.ready()[1]["status"], well.ready()[1]["stopped"])
        assert [("stopped", {"what": "fails", "kind": "ValueError"})] == events.said
        assert [("stopped", "fails")] == events.counts
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert ["fails"] == beside.stopped, "what is stopped on purpose is no fault"

    run_virtually(story())


def test_a_model_that_only_a_caller_knows_is_no_trouble_of_the_service() -> None:
    async def story() -> None:
        house = Gatehouse(rules_with())
        well = wellbeing(house, Beside(ListEvents()))
        await house.call(NOT_FOUND, model="claude-never-was")
        assert "open" == house.standing("claude-never-was")["breaker"]
        assert "ready" == well.ready()[1]["status"]
        for _ in range(5):
            await house.call(FAILED, model=HAIKU)
        assert "degraded" == well.ready()[1]["status"]

    run_virtually(story())
