"""Passes a committed stream on, event by event, and settles it exactly once on every exit.

Rule: trunk. Nothing is buffered, nothing is changed; after the first content a failure ends the
stream with an `error` event, never with a silent change of model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

import anyio
import msgspec

from .attempt import GONE, Running
from .errors import CODES, Broken
from .ports import Clock
from .vocabulary import Billed, Outcome, OutcomeKind
from .wire.reply import outcome_kind
from .wire.sse import encode

STREAM_CODES: dict[OutcomeKind, tuple[str, str]] = {
    OutcomeKind.STALLED: ("router_stream_stall", "the model fell silent in the middle of its answer"),
    OutcomeKind.BAD_ANSWER: ("router_bad_stream", "the API sent an event that is no event"),
    OutcomeKind.TOO_BIG: ("router_bad_stream", "the answer is larger than any answer can be"),
    OutcomeKind.DEADLINE: ("router_deadline", "the caller's deadline passed in the middle of the answer"),
    OutcomeKind.DRAINING: ("router_draining", "the service is shutting down"),
}
# The message of the cancellation that ends what a shutdown could not wait for.
DRAINING = "the service is shutting down"
_TRUNCATED = ("router_truncated", "the answer broke off before its end")


class Readable(Protocol):
    """A stream, as one caller reads it."""

    @property
    def outcome(self) -> Outcome | None: ...
    def runs(self) -> AsyncGenerator[bytes, None]: ...  # whole events, from the first one on; may raise Broken
    def settle(self, outcome: Outcome | None) -> None: ...  # the first call counts; None: it came to its own end
    async def close(self) -> None: ...


class Alone:
    """A stream that nobody else reads."""

    def __init__(self, running: Running) -> None:
        self._running = running

    @property
    def outcome(self) -> Outcome | None:
        return self._running.outcome

    async def runs(self) -> AsyncGenerator[bytes, None]:
        running = self._running
        for run in running.held:
            yield run
        running.held.clear()
        if running.frames is not None:
            async for run in running.frames:
                yield run

    def settle(self, outcome: Outcome | None) -> None:
        answer = self._running.answer
        assert answer is not None, "only an answered attempt is relayed"
        if outcome is None:
            assert answer.reading is not None, "only a stream is relayed"
            outcome = Outcome(kind=outcome_kind(answer.reading.reply()), status=answer.status)
        self._running.settle(outcome)

    async def close(self) -> None:
        if self._running.answer is not None:
            await self._running.answer.close()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Of one caller."""

    until_s: float
    request_id: str
    own_words: bool
    first_word: bytes = b""
    ended: Callable[[Outcome], bytes]  # called once, after settling; what it returns is sent last


async def relay(stream: Readable, clock: Clock, terms: Terms) -> AsyncGenerator[bytes, None]:
    """The stream's bytes from the first event on, and our own last word."""
    told = False
    runs = stream.runs()
    try:
        try:
            if terms.first_word:
                yield terms.first_word
            while (run := await _next(runs, clock, terms.until_s)) is not None:
                yield run
            stream.settle(None)
        except Broken as broken:
            stream.settle(broken.outcome)
            as_it_came = b"" if terms.own_words else broken.frame
            yield as_it_came or error_event(broken.outcome.kind, terms.request_id)
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (DRAINING,):
                raise
            stream.settle(Outcome(kind=OutcomeKind.DRAINING, billed=Billed.UNKNOWN))
            yield error_event(OutcomeKind.DRAINING, terms.request_id)
        told = True
        assert stream.outcome is not None, "settled above"
        last_word = terms.ended(stream.outcome)
        if last_word:
            yield last_word
    finally:
        stream.settle(GONE)
        if not told:
            terms.ended(GONE)
        with anyio.CancelScope(shield=True):
            await runs.aclose()
            await stream.close()


async def _next(runs: AsyncGenerator[bytes, None], clock: Clock, until_s: float) -> bytes | None:
    try:
        async with asyncio.timeout(until_s - clock.monotonic()):
            return await anext(runs)
    except StopAsyncIteration:
        return None
    except TimeoutError:
        raise Broken(Outcome(kind=OutcomeKind.DEADLINE, billed=Billed.UNKNOWN)) from None


def error_event(kind: OutcomeKind, request_id: str) -> bytes:
    """The API's own shape for an error inside a stream, with one of our codes."""
    code, message = STREAM_CODES.get(kind, _TRUNCATED)
    error = {"type": CODES[code].type, "message": message, "details": {"error_code": code}}
    return encode("error", msgspec.json.encode({"type": "error", "error": error, "request_id": request_id}))
