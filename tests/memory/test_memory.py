"""What is remembered between requests: in bounds, in time, and to each tenant its own."""

from __future__ import annotations

from router.memory.pins import MemoryPins
from router.memory.verdicts import MemoryVerdicts
from router.ports import Pin
from router.vocabulary import Difficulty, Verdict

from ..worlds import ScriptedClock

VERDICT = Verdict(task="code", difficulty=Difficulty.COMPLEX, source="memory")


def pin(until_s: float) -> Pin:
    return Pin(model="claude-opus-5-5", tier="opus", task="code", until_s=until_s)


def test_a_verdict_is_forgotten_exactly_when_its_time_is_up() -> None:
    clock = ScriptedClock()
    verdicts = MemoryVerdicts(clock, entries=10)
    verdicts.put(b"k", VERDICT, 60)
    clock.now_s += 59.999
    assert verdicts.get(b"k") == VERDICT
    clock.now_s += 0.001
    assert verdicts.get(b"k") is None


def test_verdicts_are_bounded_in_number() -> None:
    verdicts = MemoryVerdicts(ScriptedClock(), entries=10)
    for number in range(1000):
        verdicts.put(str(number).encode(), VERDICT, 60)
    assert sum(1 for number in range(1000) if verdicts.get(str(number).encode())) == 10


def test_a_policy_that_remembers_less_keeps_the_newest_verdicts() -> None:
    verdicts = MemoryVerdicts(ScriptedClock(), entries=10)
    for number in range(10):
        verdicts.put(str(number).encode(), VERDICT, 60)
    verdicts.resize(3)
    assert [7, 8, 9] == [number for number in range(10) if verdicts.get(str(number).encode())]


def test_a_conversation_is_forgotten_when_it_falls_silent_and_kept_while_it_talks() -> None:
    clock = ScriptedClock()
    pins = MemoryPins(clock)
    pins.put("t", "s", pin(clock.now_s + 10))
    clock.now_s += 9
    assert pins.get("t", "s") == pin(clock.now_s + 1)
    pins.put("t", "s", pin(clock.now_s + 10))
    clock.now_s += 9
    assert pins.get("t", "s") is not None
    clock.now_s += 1
    assert pins.get("t", "s") is None


def test_tenants_do_not_share_conversations() -> None:
    pins = MemoryPins(ScriptedClock())
    pins.put("a", "bc", pin(10_000.0))
    assert (pins.get("b", "bc"), pins.get("ab", "c"), pins.get("a", "bc") is None) == (None, None, False)


def test_conversations_are_bounded_in_number() -> None:
    pins = MemoryPins(ScriptedClock(), entries=10)
    for number in range(1000):
        pins.put("t", str(number), pin(10_000.0))
    assert sum(1 for number in range(1000) if pins.get("t", str(number))) == 10
