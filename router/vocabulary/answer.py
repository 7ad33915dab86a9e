"""The nouns of an answer: how a call ended, what it used and what that cost.

Rule: no behaviour beyond a property that reads its own fields, and no import of any other room.
"""

from __future__ import annotations

from enum import StrEnum

from .noun import Noun


class OutcomeKind(StrEnum):
    """Everything that a call to the API can end in. docs/fallbacks.md has a row for each."""

    ANSWERED = "answered"
    REFUSED = "refused"  # HTTP 200, stop_reason refusal
    CUT_AT_MAX_TOKENS = "cut_at_max_tokens"
    CONTEXT_EXCEEDED = "context_exceeded"  # HTTP 200, model_context_window_exceeded
    EMPTY = "empty"
    BROKEN_CONTRACT = "broken_contract"  # a whole answer that is not what its task promises
    DISAGREED = "disagreed"  # a whole answer that a second cheap one does not agree with, or none was to be had
    RATE_LIMITED = "rate_limited"
    RAMP_LIMITED = "ramp_limited"
    SPEND_LIMITED = "spend_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"  # the API said so: 408, 504
    CONNECT_FAILED = "connect_failed"  # provably not sent
    CONNECTION_LOST = "connection_lost"  # sent, no answer seen
    TIMED_OUT = "timed_out"  # no first byte in time
    STALLED = "stalled"  # silence in the middle of a stream
    CUT = "cut"  # the stream ended without message_stop
    STREAM_ERROR = "stream_error"  # an `error` event inside a 200
    BAD_ANSWER = "bad_answer"  # a 200 that is no message, or an event that is no event
    TOO_BIG = "too_big"  # the answer passed our caps
    REDIRECTED = "redirected"
    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    BILLING = "billing"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    CONFLICT = "conflict"
    HELD_BACK = "held_back"  # ours: its turn at the model would come too late; nothing was sent
    BREAKER_OPEN = "breaker_open"  # ours: the model is being left alone; nothing was sent
    CALLER_GONE = "caller_gone"
    DEADLINE = "deadline"  # ours: the caller's time was up
    DRAINING = "draining"  # ours: the service is shutting down


ANSWERS = frozenset(
    {
        OutcomeKind.ANSWERED,
        OutcomeKind.REFUSED,
        OutcomeKind.CUT_AT_MAX_TOKENS,
        OutcomeKind.CONTEXT_EXCEEDED,
        OutcomeKind.EMPTY,
        OutcomeKind.BROKEN_CONTRACT,
        OutcomeKind.DISAGREED,
    }
)
# No call was made: it costs nothing and counts as no attempt.
UNSENT = frozenset({OutcomeKind.HELD_BACK, OutcomeKind.BREAKER_OPEN})


class Billed(StrEnum):
    """What the books can say of an attempt."""

    SETTLED = "settled"  # the API gave the figures
    ESTIMATED = "estimated"  # partial figures, the rest counted by us
    VOID = "void"  # provably nothing was generated
    UNKNOWN = "unknown"  # sent, outcome not seen: the cost is an upper bound


class Outcome(Noun, frozen=True, kw_only=True):
    """How one attempt ended. By status, type and code; never by the text of a message."""

    kind: OutcomeKind
    status: int = 0  # the HTTP status, 0 when there was none
    error_type: str | None = None
    error_code: str | None = None
    retry_after_s: float | None = None
    should_retry: bool | None = None  # x-should-retry, when the API sent it
    billed: Billed = Billed.VOID
    detail: str = ""  # for logs and /explain: our own words, never the API's or the caller's


class Usage(Noun, frozen=True, kw_only=True):
    """Token classes as the API bills them: disjoint, so that cost is linear in each."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    thinking_tokens: int = 0  # part of output_tokens
    inference_geo: str | None = None
    speed: str | None = None
    service_tier: str | None = None
    server_tool_requests: int = 0

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


class Cost(Noun, frozen=True, kw_only=True):
    """What an attempt cost. `exact` is false when a figure or a price was missing."""

    pico: int
    exact: bool = True
    note: str = ""


class Reply(Noun, frozen=True, kw_only=True):
    """What the router read of an answer: enough to settle and to label it, never the text."""

    usage: Usage
    stop_reason: str | None
    model: str
    message_id: str
    empty: bool = False  # no text, no tool use
    complete: bool = True
    miss: str = ""  # why the prompt cache was missed, as the API says
    missed_tokens: int = 0
