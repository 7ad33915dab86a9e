"""Days of traffic in bad weather, in seconds: the story keeps its promises, whatever goes wrong and when.

A few hours run with every `make test`, a thousand with `make soak`. What fails prints the one command that replays it.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from router.vocabulary import LedgerRow, OutcomeKind

from .simulation.bodies import text_of
from .simulation.client import Got
from .simulation.composing import rules_of
from .simulation.crowd import Crowd
from .simulation.known import KNOWN
from .simulation.loop import run_virtually
from .simulation.promises import PROMISES, Case, broken_promises
from .simulation.run import Found, simulate
from .simulation.traffic import Request
from .simulation.truth import Truth, complaint_of
from .simulation.weather import KINDS, Weather

ROOT = Path(__file__).parent.parent
QUICK_SEEDS, QUICK_HOURS = range(12), 0.4
SOAK_SEEDS, SOAK_HOURS = 500, 2.0
# What a thousand hours must have come across, at least so often each.
FAULTS_MIN, OUTCOMES_MIN = 100, 10
NO_ROW = {"broken_contract", "held_back", "breaker_open"}  # outcomes that no row of the books ends in here
OUTCOMES = sorted({"unknown"} | {kind.value for kind in OutcomeKind} - NO_ROW)
EVENTS = (
    *(f"house:{what}" for what in ("killed", "drained", "clock_jumped")),
    *(f"end:{how}" for how in ("whole", "stream", "left", "drain", "kill")),
    *(f"served:{whom}" for whom in ("model", "canned", "nobody")),
    *(f"billed:{how}" for how in ("settled", "estimated", "void", "unknown")),
    "books:shut",
    "fallback:tier",
    "fault:rate",
    "fault:shed",
    *(f"role:{role}" for role in ("cache", "stale", "shared", "canned")),
    *(f"stop:{why}" for why in ("held_back", "breaker_open")),
)


def words_of(found: Found) -> str:
    """All that went wrong, and how to see it again."""
    if not found.complaints:
        return ""
    replay = f"replay it with: python -m tests.simulation --seed {found.seed} --hours {found.hours:g}"
    return "\n\n".join([*found.complaints, replay])


@pytest.mark.parametrize("seed", QUICK_SEEDS)
def test_every_promise_is_kept_in_bad_weather(seed: int) -> None:
    found = simulate(seed, QUICK_HOURS)
    assert "" == words_of(found)
    assert found.requests > 0


def test_a_seed_is_the_same_every_time() -> None:
    assert simulate(2, QUICK_HOURS).digest == simulate(2, QUICK_HOURS).digest


def test_another_process_replays_a_seed_to_the_last_event() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "3", "--hours", str(QUICK_HOURS)]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert f"digest {simulate(3, QUICK_HOURS).digest}" in told.stdout, told.stderr


@pytest.mark.soak
def test_a_thousand_hours_keep_every_promise_and_meet_every_fault() -> None:
    first = secrets.randbelow(10**9)
    reached: Counter[str] = Counter()
    for seed in range(first, first + SOAK_SEEDS):
        found = simulate(seed, SOAK_HOURS)
        assert "" == words_of(found)
        reached += found.reached
    wanted = dict.fromkeys((f"fault:{kind}" for kind in KINDS), FAULTS_MIN)
    wanted |= dict.fromkeys((*EVENTS, *(f"outcome:{kind}" for kind in OUTCOMES)), OUTCOMES_MIN)
    assert {} == {name: reached[name] for name, least in wanted.items() if reached[name] < least}


# ---- the simulation itself


@pytest.mark.parametrize(
    ("answered", "within_s", "starved"), [(335, None, False), (200, None, True), (200, 1.0, False)]
)
def test_interactive_requests_are_starved_when_that_cannot_be_chance(
    answered: int, within_s: float | None, starved: bool
) -> None:
    crowd = Crowd(Weather(random.Random(1), ("claude-haiku-5-5",), 1.0))
    for workload, asked, good in (("background", 102, 92), ("interactive", 397, answered)):
        for number in range(asked):
            crowd.ended(workload, within_s, answered=number < good)
    assert starved == any("answered in bursts" in words for words in crowd.complaints(rules_of("plain"), paced=True))


def test_made_up_time_passes_in_the_order_of_its_timers() -> None:
    async def story() -> list[object]:
        loop, seen = asyncio.get_running_loop(), list[object]()
        loop.call_later(5, lambda: seen.append(("timer", loop.time())))
        try:
            async with asyncio.timeout(7):
                await asyncio.sleep(3600)
        except TimeoutError:
            seen.append(("timeout", loop.time()))
        await asyncio.sleep(86_400)
        return [*seen, ("slept", loop.time())]

    assert [("timer", 5.0), ("timeout", 7.0), ("slept", 86_407.0)] == run_virtually(story())


def test_waiting_for_nothing_is_an_error_and_not_for_ever() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing to wait for"):
        run_virtually(story())


def test_what_is_known_to_be_broken_names_a_promise() -> None:
    names = {promise.__name__ for promise in PROMISES} | {"is_within_its_worst", "is_not_overspent", "waits_for_money"}
    assert set() == set(KNOWN) - names


ROW = LedgerRow(attempt_id="att_1", request_id="req-1", at_ms=0, model="claude-haiku-5-5", worst_pico=100_000_000)
SENT = Truth(number=1, intent=ROW, at_s=0.0, model=ROW.model, input=100, output=10, text_tokens=10, billed=True)
OWED = 100 * 100_000 + 10 * 500_000  # pico-dollars, at 0.10 and 0.50 USD a million


@pytest.mark.parametrize(
    ("billed", "cost_pico", "seen", "right"),
    [
        ("settled", OWED, 10, True),
        ("settled", OWED - 1, 10, False),
        ("settled", OWED + 1, 10, False),
        ("void", 0, -1, False),
        ("estimated", OWED - 500_000, 9, True),
        ("estimated", OWED - 500_001, 9, False),
        ("estimated", 100_000_001, 9, False),
        ("unknown", OWED, -1, True),
        ("unknown", OWED - 1, -1, False),
        ("intent", OWED, 10, False),
    ],
)
def test_a_row_that_is_not_what_the_api_bills_is_found(billed: str, cost_pico: int, seen: int, right: bool) -> None:
    row = msgspec.structs.replace(ROW, billed=billed, cost_pico=cost_pico)
    truth = msgspec.structs.replace(SENT, seen_output=seen)
    assert right == (complaint_of(row, truth) is None)


REQUEST = Request(
    number=1, request_id="req-1", tenant="", headers=(), body=b"", own_door=False, stream=True, workload="interactive",
    deadline_s=2.0, max_cost_usd="0.00002", leaves_after_s=None, dawdles_s=0.0,
)  # fmt: skip
HEADERS = {"content-type": "text/event-stream", "x-router-fallback": "none", "x-router-model": ROW.model}


def stream(*names: str, text: str = text_of(1, 10), model: str = ROW.model) -> list[bytes]:
    """A stream of these events, in this order."""
    fields: dict[str, dict[str, object]] = {
        "message_start": {"message": {"id": "msg_1", "model": model}},
        "content_block_start": {"index": 0},
        "content_block_delta": {"index": 0, "delta": {"text": text}},
    }
    lines = (msgspec.json.encode({"type": name, **fields.get(name, {})}).decode() for name in names)
    return [f"event: {name}\ndata: {line}\n\n".encode() for name, line in zip(names, lines, strict=True)]


START, BLOCK, DELTA, STOP = "message_start", "content_block_start", "content_block_delta", "message_stop"
WHOLE = (START, BLOCK, DELTA, STOP)
BROKEN = {
    "nothing": ({}, None),
    "too late": ({"ended_s": 3.001}, "ends_in_time"),
    "no answer": ({"heads": 0, "ends": 0}, "answers_once"),
    "two answers": ({"heads": 2}, "answers_once"),
    "bytes after the end": ({"late": 1}, "answers_once"),
    "a stream that just ends": ({"chunks": stream(START, BLOCK, DELTA)}, "stream_is_honest"),
    "two beginnings": ({"chunks": stream(START, *WHOLE)}, "stream_is_honest"),
    "half a text": ({"chunks": stream(*WHOLE, text=text_of(1, 9))}, "stream_is_honest"),
    "a text twice": ({"chunks": stream(START, BLOCK, DELTA, DELTA, "error")}, "stream_is_honest"),
    "a block out of order": ({"chunks": stream(START, BLOCK, BLOCK, DELTA, STOP)}, "stream_is_honest"),
    "another model": ({"chunks": stream(*WHOLE, model="claude-opus-5-5")}, "stream_is_honest"),
    "whole and failed": ({"chunks": stream(*WHOLE[:-1], "error", STOP)}, "is_not_both"),
    "no label": ({"headers": {"content-type": "text/event-stream"}}, "is_labelled"),
    "a raw error": ({"status": 529, "headers": {}, "chunks": [b"overloaded"]}, "is_labelled"),
    "our own fault": ({"chunks": [b'{"code":"router_internal"}\n\n']}, "is_no_fault_of_ours"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_promise_is_found(what: str) -> None:
    changes, promise = BROKEN[what]
    got = Got(began_s=0.0, ended_s=3.0, heads=1, ends=1, status=200, headers=HEADERS, chunks=stream(*WHOLE))
    told = ({"cost_usd": "0.000015", "task": "general"},)
    case = Case(
        request=REQUEST,
        got=msgspec.structs.replace(got, **changes),  # type: ignore[arg-type]
        rules=rules_of("plain"),
        told=told,
        calls=1,
        cost_pico=(OWED, 0),
        roles=frozenset(),
        made={1: SENT},
    )
    found = [complaint.partition(":")[0] for complaint in broken_promises(case)]
    assert [] == found if promise is None else promise in found


def of_another(**intent: str) -> Truth:
    """The same call, made for somebody else."""
    return msgspec.structs.replace(SENT, intent=msgspec.structs.replace(ROW, **intent))


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"calls": 4}, "keeps_to_its_attempts"),
        ({"cost_pico": (20_000_001, 0)}, "keeps_to_its_limit"),
        ({"cost_pico": (OWED + 1, 0)}, "says_its_cost"),
        ({"told": ()}, "is_told_once"),
        ({"made": {1: of_another(tenant="blue")}}, "stream_is_honest"),
        ({"made": {1: of_another(request_id="req-2")}}, "stream_is_honest"),
    ],
)
def test_a_promise_that_the_books_or_the_api_see_broken_is_found(changes: dict[str, object], promise: str) -> None:
    got = Got(began_s=0.0, ended_s=1.0, heads=1, ends=1, status=200, headers=HEADERS, chunks=stream(*WHOLE))
    told = ({"cost_usd": "0.000015", "task": "general"},)
    right = Case(
        request=REQUEST,
        got=got,
        rules=rules_of("plain"),
        told=told,
        calls=1,
        cost_pico=(OWED, 0),
        roles=frozenset(),
        made={1: SENT},
    )
    assert [] == list(broken_promises(right))
    found = list(broken_promises(msgspec.structs.replace(right, **changes)))
    assert promise in [complaint.partition(":")[0] for complaint in found]
