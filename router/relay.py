"""Passes a committed stream on, event by event, and settles it exactly once on every exit.

Rule: trunk. Nothing is buffered, nothing is changed; after the first content a failure ends the
stream with an `error` event, never with a silent change of model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

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


async def relay(
    running: Running,
    *,
    clock: Clock,
    until_s: float,
    request_id: str,
    own_words: bool,
    ended: Callable[[Outcome], bytes],
) -> AsyncGenerator[bytes, None]:
    """The stream's bytes from the first held event on. `ended` is called once, after settling, and
    what it returns is sent last (nothing, or the closing `router` event of /complete)."""
    answer = running.answer
    assert answer is not None, "only an answered attempt is relayed"
    assert answer.reading is not None, "only a stream is relayed"
    try:
        try:
            for run in running.held:
                yield run
            running.held.clear()
            async for run in _rest(running, clock, until_s):
                yield run
            running.settle(Outcome(kind=outcome_kind(answer.reading.reply()), status=answer.status))
        except Broken as broken:
            running.settle(broken.outcome)
            as_it_came = b"" if own_words else broken.frame
            yield as_it_came or error_event(broken.outcome.kind, request_id)
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (DRAINING,):
                raise
            running.settle(Outcome(kind=OutcomeKind.DRAINING, billed=Billed.UNKNOWN))
            yield error_event(OutcomeKind.DRAINING, request_id)
        assert running.outcome is not None, "settled above"
        last_word = ended(running.outcome)
        if last_word:
            yield last_word
    finally:
        if running.outcome is None:
            running.settle(GONE)
            ended(GONE)
        with anyio.CancelScope(shield=True):
            await answer.close()


async def _rest(running: Running, clock: Clock, until_s: float) -> AsyncGenerator[bytes, None]:
    frames = running.frames
    if frames is None:
        return
    while True:
        try:
            async with asyncio.timeout(until_s - clock.monotonic()):
                run = await anext(frames)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Broken(Outcome(kind=OutcomeKind.DEADLINE, billed=Billed.UNKNOWN)) from None
        yield run


def error_event(kind: OutcomeKind, request_id: str) -> bytes:
    """The API's own shape for an error inside a stream, with one of our codes."""
    code, message = STREAM_CODES.get(kind, _TRUNCATED)
    error = {"type": CODES[code].type, "message": message, "details": {"error_code": code}}
    return encode("error", msgspec.json.encode({"type": "error", "error": error, "request_id": request_id}))
