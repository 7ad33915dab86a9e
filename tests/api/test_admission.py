"""Who is let in when there is little room: those whom somebody waits for."""

from __future__ import annotations

import asyncio

import pytest

from router.api.admission import LATE_S, TOO_LATE_S, Admission
from router.api.lag import EVERY_S, Lag
from router.errors import RequestError

from ..scripted import ScriptedClock


def lets_in(admission: Admission, *, can_wait: bool) -> bool:
    try:
        admission.admitted(can_wait=can_wait)
    except RequestError as error:
        return (error.code, error.status) != ("router_overloaded", 503)
    return True


def test_from_four_fifths_of_the_room_on_only_those_come_in_who_cannot_wait() -> None:
    admission = Admission(10)
    places = [admission.admitted().__enter__() for _ in range(8)]
    assert (True, False) == (lets_in(admission, can_wait=False), lets_in(admission, can_wait=True))
    places += [admission.admitted().__enter__() for _ in range(2)]
    assert not lets_in(admission, can_wait=False)
    for place in places:
        place.__exit__(None, None, None)
    assert 0 == admission.in_flight
    assert lets_in(admission, can_wait=True)


@pytest.mark.parametrize(
    ("late_s", "waits_for_it", "can_wait"),
    [(0.0, True, True), (LATE_S + 0.01, True, False), (TOO_LATE_S + 0.01, False, False)],
)
def test_a_service_that_falls_behind_turns_away_those_who_can_wait_first(
    late_s: float, waits_for_it: bool, can_wait: bool
) -> None:
    admission = Admission(10, late_s=lambda: late_s)
    assert (waits_for_it, can_wait) == (lets_in(admission, can_wait=False), lets_in(admission, can_wait=True))


class LateClock(ScriptedClock):
    """Sleeps for longer than it was asked to."""

    late_s = 0.0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self.late_s)


@pytest.mark.anyio
async def test_the_lag_is_how_late_a_timer_comes_and_one_hiccup_is_none() -> None:
    clock = LateClock()
    lag = Lag(clock)
    task = asyncio.ensure_future(lag.keep())

    async def pass_by(ticks: int, late_s: float) -> None:
        clock.late_s = late_s
        until = len(clock.slept) + ticks
        for _ in range(100 * ticks):
            await asyncio.sleep(0)
            if len(clock.slept) >= until:
                return
        raise AssertionError("nobody measures")

    await pass_by(5, 0.0)
    assert lag.late_s == pytest.approx(0.0)
    await pass_by(1, 2 * LATE_S)
    await pass_by(1, 0.0)
    assert 0 < lag.late_s < LATE_S, "one hiccup"
    await pass_by(20, 2.0)
    assert lag.late_s > TOO_LATE_S
    await pass_by(20, 0.0)
    assert lag.late_s < LATE_S
    assert all(seconds >= EVERY_S for seconds in clock.slept)
    task.cancel()
