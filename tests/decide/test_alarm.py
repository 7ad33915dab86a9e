"""When a person is called: with enough evidence, once, and again only after it has cleared."""

from __future__ import annotations

from decimal import Decimal

from router.decide.alarm import HOUR_MS, Watch
from router.decide.policy import Alerts

ALERTS = Alerts(window_s=60, min_requests=10, failed_share=0.2, degraded_share=0.5, usd_per_hour=Decimal("0.01"))
USD = 10**12


def kinds(watch: Watch, at_ms: int, alerts: Alerts = ALERTS) -> list[str]:
    return [alarm.kind for alarm in watch.raised(at_ms, alerts)]


def served(watch: Watch, number: int, at_ms: int = 0, *, failed: bool = False, degraded: bool = False) -> None:
    for _ in range(number):
        watch.add(at_ms, ALERTS, failed=failed, degraded=degraded, cost_pico=0)


def test_a_share_is_an_alarm_when_it_is_passed_with_enough_requests() -> None:
    watch = Watch()
    served(watch, 9, failed=True)
    assert [] == kinds(watch, 0)  # nine are no evidence
    served(watch, 1)
    (alarm,) = watch.raised(0, ALERTS)
    assert "9 of 10 requests of the last 60 s ended without an answer: more than 20.0%" == alarm.words


def test_exactly_the_share_is_no_alarm() -> None:
    watch = Watch()
    served(watch, 2, failed=True)
    served(watch, 8)
    assert [] == kinds(watch, 0)


def test_an_alarm_is_raised_once_and_again_after_it_has_cleared() -> None:
    watch = Watch()
    served(watch, 10, degraded=True)
    assert (["degraded_share"], []) == (kinds(watch, 0), kinds(watch, 1))
    assert [] == kinds(watch, 61_000)  # the window has passed
    served(watch, 10, 61_000, degraded=True)
    assert ["degraded_share"] == kinds(watch, 61_000)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    watch = Watch()
    served(watch, 10, 0, failed=True)
    served(watch, 20, 61_000)
    assert [] == kinds(watch, 61_000)


def test_money_is_added_over_an_hour() -> None:
    watch = Watch()
    for minute in range(11):
        watch.add(minute * 60_000, ALERTS, failed=False, degraded=False, cost_pico=USD // 1000)
    (alarm,) = watch.raised(10 * 60_000, ALERTS)
    assert "0.011 USD were spent in the last hour: more than 0.01" == alarm.words
    assert [] == kinds(watch, HOUR_MS + 10 * 60_000)


def test_without_thresholds_nothing_is_an_alarm() -> None:
    watch = Watch()
    served(watch, 100, failed=True)
    assert [] == kinds(watch, 0, Alerts())


def test_an_idle_night_and_a_busy_day_need_the_same_little_memory() -> None:
    watch = Watch()
    for second in range(0, 100_000, 7):
        watch.add(second * 1000, ALERTS, failed=False, degraded=False, cost_pico=1)
    assert max(len(watch._window), len(watch._hour)) <= 31
