"""What goes wrong: each scenario is a script of faults for the stand-in, and what the policy says for it.

Rule: pure; a seed gives the same script on every machine, and every system gets the same one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .questions import STREAMED

Json = dict[str, Any]
HAIKU = "claude-haiku-5-5"
CUTS = 48  # places at which streams are cut, a quarter of them in good order: as if that had been all
CUT_SHARE = 0.5  # of the streams
STREAM_BYTES, STREAM_EVENTS = 3_000, 20  # a little more than a whole stream has


@dataclass(frozen=True)
class Load:
    """How much is asked, and how patient everybody is."""

    rate: float = 200.0
    seconds: float = 60.0
    known: int = 150  # questions that were answered before; LiteLLM keeps 200 answers in memory at most
    first_byte_s: float = 2.0
    deadline_s: float = 10.0
    stall_s: float = 20.0

    @property
    def requests(self) -> int:
        return max(1, round(self.rate * self.seconds))

    @property
    def patience_s(self) -> float:
        """The client itself gives up only after every stall is over."""
        return self.stall_s + self.deadline_s


QUICK = Load(rate=40.0, seconds=1.5, known=20, first_byte_s=0.3, deadline_s=4.0, stall_s=1.5)


@dataclass(frozen=True)
class Scenario:
    """One thing that goes wrong."""

    name: str
    what: str
    faults: Callable[[random.Random, Load], list[Json]]
    known_share: float = 0.0  # of the requests that ask a known question again
    down_after: float | None = None  # the share of the time after which nobody listens there any more

    @property
    def keeps_replies(self) -> bool:
        return self.known_share > 0


def _nothing(_dice: random.Random, _load: Load) -> list[Json]:
    return []


def _outage(dice: random.Random, _load: Load) -> list[Json]:
    return [{"kind": "status", "status": 529, "share": 0.5, "seed": dice.getrandbits(32)}, _status(500)]


def _overloaded(dice: random.Random, _load: Load) -> list[Json]:
    return [{**_status(529), "share": 0.3, "seed": dice.getrandbits(32)}]


def _limited(_dice: random.Random, _load: Load) -> list[Json]:
    return [{**_status(429), "retry_after": 2, "model": HAIKU}]


def _stalled(dice: random.Random, load: Load) -> list[Json]:
    """Before the head of any answer, and before the first text of a stream: together one request in twenty."""
    stream_only = {"match": STREAMED, "after_events": 1, "share": 0.05}
    return [
        {"kind": "slow_head", "delay_s": load.stall_s, "share": 0.025, "seed": dice.getrandbits(32)},
        {"kind": "stall", "delay_s": load.stall_s, **stream_only, "seed": dice.getrandbits(32)},
    ]


def _cut(dice: random.Random, _load: Load) -> list[Json]:
    """At random bytes, the first ones and the very last ones included."""
    places: list[Json] = [{"kind": "cut", "after_bytes": dice.randrange(STREAM_BYTES)} for _ in range(CUTS * 3 // 4)]
    places += [{"kind": "no_message_stop", "after_events": dice.randrange(STREAM_EVENTS)} for _ in range(CUTS // 4)]
    dice.shuffle(places)
    each = 1 - (1 - CUT_SHARE) ** (1 / CUTS)
    return [{**place, "match": STREAMED, "share": each, "seed": dice.getrandbits(32)} for place in places]


def _status(status: int) -> Json:
    return {"kind": "status", "status": status}


CALM = Scenario("calm", "nothing goes wrong", _nothing)
SCENARIOS = (
    Scenario(
        "outage",
        "half 529, half 500, and nobody listens in the last third; 9 questions in 10 are known",
        _outage,
        known_share=0.9,
        down_after=2 / 3,
    ),
    Scenario("overloaded30", "30 % random 529", _overloaded),
    Scenario("limited", "429 with retry-after: 2 on Haiku only", _limited),
    Scenario("stalled", "a long silence before the first text of 5 %", _stalled),
    Scenario("cut", "half of the streams cut at random bytes", _cut),
)
