"""One attempt: its intent is in the books before a byte leaves, and it is settled exactly once.

Rule: trunk. Settling is synchronous, so no cancellation can come between an end and its row.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import msgspec

from .caching import Watch
from .decide.policy import PriceBook
from .decide.price import cost, written_pico
from .ports import Answer, Call, Clock, Ledger, Pass, Upstream
from .vocabulary import Billed, Cost, LedgerRow, Outcome, OutcomeKind, Reply, Usage
from .wire.joining import frames_of

# A careful figure for output that was seen but not yet counted by the API (docs/money.md).
BYTES_PER_TOKEN = 2.5
PREWARM = "prewarm"  # the role of a call that only keeps a prefix warm


GONE = Outcome(kind=OutcomeKind.CALLER_GONE, billed=Billed.UNKNOWN, detail="the caller left before the answer")


class Running:
    """An attempt under way. `settle` may be called from every exit; the first call counts."""

    def __init__(
        self,
        row: LedgerRow,
        book: PriceBook,
        books: tuple[Ledger, Clock],
        watch: Watch | None = None,
        passed: Pass | None = None,
    ) -> None:
        self.row = row
        self.answer: Answer | None = None
        self.outcome: Outcome | None = None
        self.reply: Reply | None = None
        self.cost = Cost(pico=0)
        self.held: list[bytes] = []  # events that came before the answer was committed to
        self.frames: AsyncIterator[bytes] | None = None  # where the stream goes on after `held`
        self.whole: bytes = b""  # the answer's body, for callers who want it whole
        self.broken: str | None = None  # what is wrong with an answer that its task promises to be otherwise
        self.doubt: str | None = None  # why a second opinion does not stand behind the answer
        self.hurried = False  # it had less time to begin than the policy gives
        self.continues = False  # another attempt's answer
        self._book = book
        self._ledger, self._clock = books
        self._watch = watch
        self._passed = passed
        self.started_s = self._clock.monotonic()
        self.first_byte_s: float | None = None

    @property
    def waited_s(self) -> float:
        """For its turn at the model."""
        return 0.0 if self._passed is None else self._passed.waited_s

    def go_on_with(self, more: Running, whole: bytes) -> None:
        """The answer is longer now, and ends as the call ended that went on with it."""
        self.whole = whole
        self.outcome = more.outcome
        if self.reply is not None and more.reply is not None:
            self.reply = msgspec.structs.replace(self.reply, usage=_summed(self.reply.usage, more.reply.usage))
        self.held = frames_of(whole) if self.held else []

    def saw_first_byte(self) -> None:
        if self.first_byte_s is None:
            self.first_byte_s = self._clock.monotonic()

    def settle(self, outcome: Outcome) -> None:
        """Write the end of this attempt, with all that was read of its answer."""
        if self.outcome is not None:
            return
        if self._watch is not None:
            self._watch.over()
        reply = self._reply()
        billed = self._billed(outcome, reply)
        self.outcome = msgspec.structs.replace(outcome, billed=billed)
        self.reply = reply
        self.cost = self._cost(billed, reply)
        self.row = self._ended_row(self.outcome, reply)
        if reply is not None:
            self.row = self._cached_row(reply)
        self._ledger.settle(self.row)
        if self._passed is not None:
            # What one caller's haste cut off says nothing of the model.
            own = self.hurried and self.outcome.kind is OutcomeKind.TIMED_OUT
            told = msgspec.structs.replace(self.outcome, kind=OutcomeKind.DEADLINE) if own else self.outcome
            self._passed.ended(told, None if reply is None else reply.usage)

    def _reply(self) -> Reply | None:
        answer = self.answer
        if answer is None:
            return None
        if answer.reply is not None:
            return answer.reply
        reading = answer.reading
        if reading is None or not reading.started:
            return None
        reply = reading.reply()
        if reading.complete:
            return reply
        seen = math.ceil(reading.streamed_bytes / BYTES_PER_TOKEN)
        usage = msgspec.structs.replace(reply.usage, output_tokens=max(reply.usage.output_tokens, seen))
        return msgspec.structs.replace(reply, usage=usage, complete=False)

    def _billed(self, outcome: Outcome, reply: Reply | None) -> Billed:
        if reply is None:
            return outcome.billed
        return Billed.SETTLED if reply.complete else Billed.ESTIMATED

    def _cost(self, billed: Billed, reply: Reply | None) -> Cost:
        if billed is Billed.VOID:
            return Cost(pico=0)
        if reply is None:
            return Cost(pico=self.row.worst_pico, exact=False, note="no figures were seen: an upper bound")
        # A model that answers under a name without a price is billed as the one that was asked.
        model = reply.model if reply.model in self._book.by_model else self.row.model
        priced = cost(reply.usage, model, self._book, self.row.at_ms)
        if billed is Billed.ESTIMATED:
            # More than the worst case it cannot be: bytes are a guess, max_tokens is not.
            pico = min(priced.pico, self.row.worst_pico) if self.row.worst_pico else priced.pico
            note = "cut short: output counted from what was seen"
            return msgspec.structs.replace(priced, pico=pico, exact=False, note=note)
        return priced

    def _ended_row(self, outcome: Outcome, reply: Reply | None) -> LedgerRow:
        usage = reply.usage if reply is not None else Usage()
        now_s = self._clock.monotonic()
        first_s = self.first_byte_s
        return msgspec.structs.replace(
            self.row,
            outcome=outcome.kind.value,
            billed=outcome.billed.value,
            status=outcome.status,
            stop_reason=reply.stop_reason if reply is not None else None,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            thinking_tokens=usage.thinking_tokens,
            cost_pico=self.cost.pico,
            cost_note=self.cost.note,
            latency_ms=round((now_s - self.started_s) * 1000),
            ttft_ms=None if first_s is None else round((first_s - self.started_s) * 1000),
            upstream_request_id=self.answer.headers.get("request-id") if self.answer is not None else None,
            message_id=reply.message_id if reply is not None else None,
        )

    def _cached_row(self, reply: Reply) -> LedgerRow:
        """What the prompt cache did, and what the same would have cost without it."""
        usage, pico = reply.usage, self.cost.pico
        told = {} if self._watch is None else self._watch.ended(reply)
        model = reply.model if reply.model in self._book.by_model else self.row.model
        plain, written = pico, 0
        if usage.prompt_tokens != usage.input_tokens:
            nothing = dict.fromkeys(("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"), 0)
            uncached = msgspec.structs.replace(usage, input_tokens=usage.prompt_tokens, **nothing)
            plain = cost(uncached, model, self._book, self.row.at_ms).pico
            written = written_pico(usage, model, self._book, self.row.at_ms)
        if self.row.role == PREWARM:
            plain = 0  # without a cache nobody would have made this call
        return msgspec.structs.replace(self.row, plain_pico=plain, cache_write_pico=written, **told)


def _summed(one: Usage, other: Usage) -> Usage:
    counted = {name: value for name, value in msgspec.structs.asdict(one).items() if isinstance(value, int)}
    return msgspec.structs.replace(one, **{name: value + getattr(other, name) for name, value in counted.items()})


class Attempts:
    """Makes single attempts. It never tries twice: that is decided elsewhere."""

    def __init__(self, *, upstream: Upstream, ledger: Ledger, clock: Clock) -> None:
        self._upstream = upstream
        self._ledger = ledger
        self._clock = clock

    async def send(
        self,
        call: Call,
        row: LedgerRow,
        book: PriceBook,
        begun: list[Running],
        watch: Watch | None = None,
        passed: Pass | None = None,
    ) -> Running:
        """Intent, then the call. A whole answer and a failure come back settled; a stream runs on.

        What was begun is in `begun` at once: when this is cancelled, it is all that the caller of it has.
        """
        running = Running(row, book, (self._ledger, self._clock), watch, passed)
        running.hurried = call.hurried
        self._intend(row, passed)
        if watch is not None:
            watch.sent()
        begun.append(running)
        try:
            running.answer = answer = await self._upstream.send(call)
        finally:
            if running.answer is None:  # cancelled: the caller left, or the service is stopping
                running.settle(GONE)
        if passed is not None and (answer.status or answer.headers):
            passed.began(answer.headers, answer.status)
        if watch is not None and answer.status == 200:
            watch.began()
        if answer.reading is None:
            running.saw_first_byte()
            running.whole = answer.body
            running.settle(answer.outcome or Outcome(kind=OutcomeKind.ANSWERED, status=answer.status))
        return running

    def _intend(self, row: LedgerRow, passed: Pass | None) -> None:
        try:
            self._ledger.intend(row)
        except BaseException:
            if passed is not None:
                passed.ended(None)
            raise
