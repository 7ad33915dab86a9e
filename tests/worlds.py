"""A scripted world for the trunk: an upstream, books, a classifier and a clock that tests own.

Each fake is exact about its port; the real edges are held to the same stories in test_end_to_end.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from router.affording import Affording
from router.attempt import Attempts
from router.caching import Caches
from router.decide.policy import Rulebook
from router.dispatch import Dispatch
from router.errors import Broken
from router.listening import Listening
from router.memory.pins import MemoryPins
from router.memory.prefixes import MemoryPrefixes
from router.memory.spend import MemorySpend
from router.pipeline import Pipeline
from router.ports import Call, Question, Steered, Upstream, Watched
from router.recalling import Recalling
from router.settling import Settling
from router.shadowing import Shadowing
from router.vocabulary import (
    ANSWERS,
    Ask,
    Audit,
    Billed,
    Caller,
    Decided,
    LedgerRow,
    Outcome,
    OutcomeKind,
    Reply,
    Verdict,
)
from router.wire.reading import Reading
from router.wire.reply import outcome_kind, read_reply
from router.wire.sse import Splitter, encode

from .rulebooks import default_rules


class ScriptedClock:
    """Time stands still until somebody sleeps; the dice always show what the test says."""

    def __init__(self, dice: float = 0.5) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []
        self._dice = dice
        self._ids = 0

    def now_ms(self) -> int:
        return 1_795_000_000_000 + round(self.now_s * 1000)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)

    def dice(self) -> float:
        return self._dice

    def new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids}"


def message(text: str = "Paris.", *, stop: str = "end_turn", model: str = "claude-sonnet-5-5") -> bytes:
    content = [{"type": "text", "text": text}] if text else []
    usage = {"input_tokens": 100, "output_tokens": 10}
    fields = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
    return msgspec.json.encode({**fields, "stop_reason": stop, "stop_sequence": None, "usage": usage})


def events(*texts: str, model: str = "claude-sonnet-5-5") -> list[bytes]:
    """The frames of a whole stream, one delta a text."""
    opening = msgspec.json.decode(message("", model=model))
    opening |= {"stop_reason": None, "usage": {"input_tokens": 100, "output_tokens": 1}}
    start: dict[str, object] = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    deltas: list[dict[str, object]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts
    ]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    ending: dict[str, object] = {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 10}}
    all_events: list[dict[str, object]] = [
        {"type": "message_start", "message": opening},
        start,
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        ending,
        {"type": "message_stop"},
    ]
    return [encode(str(event["type"]), msgspec.json.encode(event)) for event in all_events]


class ScriptedAnswer:
    """One answer, as the script has it."""

    def __init__(
        self,
        *,
        status: int = 200,
        body: bytes = b"",
        outcome: Outcome | None = None,
        frames: list[bytes | Outcome] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.headers = {"request-id": "up_1", "content-type": "application/json", **(headers or {})}
        self.body = body
        self.outcome = outcome
        self.reply: Reply | None = None
        self.reading = Reading() if frames is not None else None
        self.closed = 0
        self._frames = frames or []
        if outcome is None and frames is None:
            self.reply = read_reply(body)
            self.outcome = Outcome(kind=outcome_kind(self.reply), status=200, billed=Billed.SETTLED)

    async def frames(self) -> AsyncIterator[bytes]:
        assert self.reading is not None
        for frame in self._frames:
            await asyncio.sleep(0)
            if isinstance(frame, Outcome):
                raise Broken(frame)
            for event in Splitter().feed(frame):
                self.reading.observe(event)
            yield frame

    async def close(self) -> None:
        self.closed += 1


def answered(text: str = "Paris.", **more: str) -> ScriptedAnswer:
    return ScriptedAnswer(body=message(text, **more))


def streamed(*frames: bytes | Outcome) -> ScriptedAnswer:
    return ScriptedAnswer(frames=list(frames), headers={"content-type": "text/event-stream"})


def failed(
    kind: OutcomeKind, status: int = 0, *, retry_after_s: float | None = None, body: bytes = b""
) -> ScriptedAnswer:
    billed = Billed.UNKNOWN if kind in (OutcomeKind.TIMED_OUT, OutcomeKind.CONNECTION_LOST) else Billed.VOID
    outcome = Outcome(kind=kind, status=status, retry_after_s=retry_after_s, billed=billed)
    assert kind not in ANSWERS
    return ScriptedAnswer(status=status, body=body, outcome=outcome)


class ScriptedUpstream:
    """Gives the scripted answers in order and keeps the calls. `never` hangs until it is cancelled."""

    def __init__(self, *script: ScriptedAnswer | str) -> None:
        self.calls: list[Call] = []
        self.answers = [answer for answer in script if isinstance(answer, ScriptedAnswer)]
        self.waiting = asyncio.Event()
        self.takes_s = 0.0  # of the clock, for each call
        self.clock: ScriptedClock | None = None
        self._script = deque(script)

    async def send(self, call: Call) -> ScriptedAnswer:
        self.calls.append(call)
        if self.clock is not None:
            self.clock.now_s += self.takes_s
        answer = self._script.popleft()
        if isinstance(answer, str):
            self.waiting.set()
            await asyncio.Event().wait()
            raise AssertionError("never comes here")
        return answer

    @property
    def models(self) -> list[str]:
        return [msgspec.json.decode(call.body)["model"] for call in self.calls]


class ListLedger:
    """The books as two lists."""

    def __init__(self) -> None:
        self.intents: list[LedgerRow] = []
        self.rows: list[LedgerRow] = []
        self.notes: list[Decided | Audit] = []

    def intend(self, row: LedgerRow) -> None:
        self.intents.append(row)

    def settle(self, row: LedgerRow) -> None:
        self.rows.append(row)

    def note(self, record: Decided | Audit) -> None:
        self.notes.append(record)


class SaidVerdict:
    """A classifier that always says the same."""

    def __init__(self, verdict: Verdict) -> None:
        self.questions: list[Question] = []
        self.then: Verdict | None = None  # from the second question on
        self._verdict = verdict

    async def listen(self, question: Question, _rules: Rulebook) -> Verdict:
        self.questions.append(question)
        return self.then if self.then is not None and len(self.questions) > 1 else self._verdict


class ListEvents:
    def __init__(self) -> None:
        self.requests: list[Mapping[str, object]] = []
        self.counts: list[tuple[str, str]] = []
        self.said: list[tuple[str, Mapping[str, object]]] = []

    def request(self, fields: Mapping[str, object]) -> None:
        self.requests.append(fields)

    def count(self, name: str, label: str = "") -> None:
        self.counts.append((name, label))

    def say(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))


class FixedSteering:
    """One policy for everybody, maybe with another in its shadow."""

    def __init__(self, rules: Callable[[], Rulebook]) -> None:
        self.shadow: Rulebook | None = None
        self.candidate = False
        self.watched: list[Watched] = []
        self.differences: list[tuple[str, bool | None, str]] = []
        self._rules = rules

    def steer(self, _ask: Ask, _caller: Caller) -> Steered:
        return Steered(rules=self._rules(), shadow=self.shadow, candidate=self.candidate)

    def watch(self, served: Watched) -> None:
        self.watched.append(served)

    def differed(self, shadow: str, differs: bool | None, words: str) -> None:
        self.differences.append((shadow, differs, words))


class World:
    """The trunk with everything around it scripted."""

    def __init__(
        self,
        *script: ScriptedAnswer | str,
        verdict: Verdict | None = None,
        rules: Callable[[], Rulebook] = default_rules,
        upstream: Upstream | None = None,
    ) -> None:
        self.clock = ScriptedClock()
        self.upstream = ScriptedUpstream(*script)
        self.ledger = ListLedger()
        self.events = ListEvents()
        silent = Verdict(task=None, difficulty=None, source="unavailable", detail="scripted")
        self.classifier = SaidVerdict(verdict or silent)
        self.pins = MemoryPins(self.clock)
        self.prefixes = MemoryPrefixes(self.clock)
        caches = Caches(prefixes=self.prefixes, events=self.events, clock=self.clock)
        attempts = Attempts(upstream=upstream or self.upstream, ledger=self.ledger, clock=self.clock)
        self.listening = Listening(attempts=attempts, clock=self.clock)
        self.steering = FixedSteering(rules)
        self.spend = MemorySpend()
        self.warned: list[tuple[str, str]] = []
        affording = Affording(purse=self.spend, warn=lambda kind, words: self.warned.append((kind, words)))
        self.pipeline = Pipeline(
            recalling=Recalling(steering=self.steering, pins=self.pins, caches=caches, clock=self.clock),
            listen=(self.classifier, self.listening),
            affording=affording,
            dispatch=Dispatch(attempts=attempts, caches=caches, clock=self.clock),
            settling=Settling(
                pins=self.pins,
                clock=self.clock,
                told=(self.events, self.ledger, self.steering),
                shadowing=Shadowing(steering=self.steering, classifier=self.classifier),
                affording=affording,
            ),
            clock=self.clock,
        )
