"""What a test scripts: a clock, the answers of an API, and gates that are open.

Each fake is exact about its port; the real edges are held to the same stories in tests/end_to_end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping

import msgspec

from router.decide.policy import Rulebook
from router.errors import Broken, RequestError
from router.ports import Call, Pass, Want
from router.vocabulary import ANSWERS, Ask, Billed, Caller, Job, Outcome, OutcomeKind, Reply, Usage
from router.wire.reading import Reading
from router.wire.reply import outcome_kind, read_reply
from router.wire.sse import Splitter, encode


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


class OpenLeave:
    """Leave for one call, from gates that never shut."""

    waited_s = 0.0

    def __init__(self, gates: OpenGates, want: Want) -> None:
        self._gates = gates
        self._want = want

    def began(self, _headers: Mapping[str, str], _status: int = 200) -> None:
        self._gates.began += 1

    def ended(self, outcome: Outcome | None, _usage: Usage | None = None) -> None:
        self._gates.ended.append((self._want.model, None if outcome is None else outcome.kind))


class OpenGates:
    """Everybody passes, unless a test has shut a model's gate."""

    def __init__(self) -> None:
        self.wants: list[Want] = []
        self.began = 0
        self.ended: list[tuple[str, OutcomeKind | None]] = []
        self.shut: dict[str, Outcome] = {}

    async def enter(self, want: Want, _rules: Rulebook) -> Pass | Outcome:
        self.wants.append(want)
        return self.shut.get(want.model) or OpenLeave(self, want)


class NoJobs:
    """Nothing can be put off here."""

    def check(self, _ask: Ask) -> None:
        raise RequestError("router_bad_request", "no jobs here")

    async def defer(self, _ask: Ask, _caller: Caller) -> Job:
        raise RequestError("router_overloaded", "no jobs here")
