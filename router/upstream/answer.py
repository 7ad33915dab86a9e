"""What came back of one call: a failure, a whole answer, or a stream that is still running.

Rule: a 200 proves nothing. A whole answer is read as the message it claims to be, and a stream event by
event, before anybody else sees it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

import msgspec

from ..errors import Broken, WireError
from ..vocabulary import Billed, Outcome, OutcomeKind, Reply
from ..wire.reading import Reading
from ..wire.sse import Splitter
from .body import Body
from .faults import outcome_of_event, outcome_of_exception

K = OutcomeKind


class ClaudeAnswer:
    """Implements ports.Answer."""

    def __init__(
        self,
        *,
        status: int,
        headers: Mapping[str, str],
        body: bytes = b"",
        outcome: Outcome | None = None,
        reply: Reply | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.outcome = outcome
        self.reply = reply
        self._stream = stream

    @property
    def reading(self) -> Reading | None:
        return None if self._stream is None else self._stream.reading

    def frames(self) -> AsyncGenerator[bytes, None]:
        assert self._stream is not None, "only a stream has frames"
        return self._stream.frames()

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.close()


def failed(outcome: Outcome, headers: Mapping[str, str] | None = None, body: bytes = b"") -> ClaudeAnswer:
    """An answer that is none."""
    return ClaudeAnswer(status=outcome.status, headers=headers or {}, body=body, outcome=outcome)


class Stream:
    """A running event stream. What one read brought is passed on at once, as far as it is whole."""

    def __init__(self, body: Body, idle_s: float, event_bytes: int) -> None:
        self.reading = Reading()
        self._splitter = Splitter(event_bytes)
        self._body = body
        self._idle_s = idle_s

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Runs of whole events, until `message_stop`. Raises Broken when the stream fails before it."""
        while not self.reading.complete:
            run, broken = self._take(await self._read())
            if run:
                yield run
            if broken is not None:
                raise broken

    async def close(self) -> None:
        await self._body.close(complete=self.reading.complete)

    async def _read(self) -> bytes:
        try:
            chunk = await self._body.read(self._idle_s)
        except TimeoutError:
            raise self._broken(K.STALLED, f"silence for {self._idle_s:g} s") from None
        except Exception as error:
            outcome = outcome_of_exception(error, sent=True)
            kind = K.CUT if outcome.kind is K.CONNECTION_LOST else outcome.kind
            raise self._broken(kind, outcome.detail) from error
        if not chunk:
            raise self._broken(K.CUT, "the stream ended without message_stop")
        return chunk

    def _take(self, chunk: bytes) -> tuple[bytes, Broken | None]:
        """The whole events that this chunk completed, up to the first that breaks the stream."""
        try:
            events = self._splitter.feed(chunk)
        except WireError:
            return b"", self._broken(K.TOO_BIG, "an event passed its cap")
        reading = self.reading
        for number, event in enumerate(events):
            try:
                reading.observe(event)
            except WireError:
                return b"".join(events[:number]), self._broken(K.BAD_ANSWER, "an event that is no event")
            if reading.error_seen:
                outcome = outcome_of_event(reading.error_data or b"")
                return b"".join(events[:number]), self._broken_by(outcome, event)
            if reading.complete:
                return b"".join(events[: number + 1]), None
        return b"".join(events), None

    def _broken(self, kind: OutcomeKind, detail: str) -> Broken:
        billed = Billed.ESTIMATED if self.reading.started else Billed.UNKNOWN
        return Broken(Outcome(kind=kind, status=200, billed=billed, detail=detail))

    def _broken_by(self, outcome: Outcome, event: bytes) -> Broken:
        if self.reading.started:
            outcome = msgspec.structs.replace(outcome, billed=Billed.ESTIMATED)
        return Broken(outcome, event)
