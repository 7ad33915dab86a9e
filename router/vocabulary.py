"""The nouns. Everything that one room hands to another is one of these frozen records.

Rule: no behaviour beyond a property that reads its own fields, and no import of any other room.
Money is an integer number of pico-dollars (1e-12 USD), in which every price times every modifier
is exact. Times are milliseconds since the epoch (`_ms`, wall clock) or seconds (`_s`, durations).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

PICO_PER_USD = 1_000_000_000_000


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen record; evolve it with `msgspec.structs.replace`."""


class Door(StrEnum):
    COMPLETE = "complete"
    MESSAGES = "messages"


class Workload(StrEnum):
    INTERACTIVE = "interactive"
    BACKGROUND = "background"
    BATCH = "batch"


class Caller(Noun, frozen=True, kw_only=True):
    """Who asks. `tenant` scopes everything that is remembered; it is never a key."""

    tenant: str = "local"
    request_id: str = ""


class Words(Noun, frozen=True, kw_only=True):
    """What only the router reads: the `router` object of /complete or the x-router-* headers."""

    task: str | None = None
    feature: str | None = None
    user: str | None = None
    session: str | None = None
    workload: Workload = Workload.INTERACTIVE
    deadline_s: float | None = None
    max_cost_pico: int | None = None
    cache: str = "use"  # use | refresh | off
    fallback: str = "auto"  # auto | same | off


class Facts(Noun, frozen=True, kw_only=True):
    """What decisions may know about a request. Sizes and shapes, never text."""

    model: str = ""  # as the caller wrote it; "" when absent
    stream: bool = False
    max_tokens: int | None = None
    body_bytes: int = 0
    tools_bytes: int = 0
    system_bytes: int = 0
    messages_bytes: int = 0
    media_bytes: int = 0  # of these, what images and documents carry inside: it is not read as text
    tool_count: int = 0
    image_count: int = 0
    document_count: int = 0
    turns: int = 0  # messages in the conversation, the new one included
    last_role: str = "user"
    last_is_tool_result: bool = False  # the newest turn only carries tool results
    has_thinking_blocks: bool = False  # an earlier assistant turn carries thinking
    thinking: str | None = None  # the type of the `thinking` parameter
    effort: str | None = None  # output_config.effort
    has_format: bool = False  # output_config.format
    tool_choice: str | None = None  # the type of `tool_choice`
    sampling: tuple[tuple[str, float], ...] = ()  # temperature, top_p, top_k as given
    prefill: bool = False  # the last message is an assistant's
    speed: str | None = None
    inference_geo: str | None = None
    marks: int = 0  # cache_control marks that the caller placed, the top-level one included
    mark_ttls: tuple[str, ...] = ()  # in body order
    prefix_fingerprint: str = ""  # of tools + system, as sent
    session: str | None = None  # from the body's metadata or the conversation's opener
    betas: tuple[str, ...] = ()
    api_version: str = ""


class Ask(Noun, frozen=True, kw_only=True):
    """One request, read once. `fields` holds every top-level value as the bytes the caller sent."""

    door: Door
    raw: bytes  # the body as it arrived
    fields: Mapping[str, msgspec.Raw]  # the Messages body: for the short form, the one built from it
    facts: Facts
    words: Words
    headers: tuple[tuple[str, str], ...] = ()  # anthropic-* headers to forward, lower-case names
    short_form: bool = False


class Difficulty(StrEnum):
    SIMPLE = "simple"
    COMPLEX = "complex"
    EDGE_CASE = "edge_case"


class Verdict(Noun, frozen=True, kw_only=True):
    """What kind of request this is. `source` says who answered, `detail` why there is no answer."""

    task: str | None
    difficulty: Difficulty | None
    source: str  # classifier | memory | caller | skipped | unavailable | invalid
    detail: str = ""


class Choice(Noun, frozen=True, kw_only=True):
    """Where the request goes, and why, in words."""

    tier: str | None  # None when the caller named a model that no tier holds
    model: str
    task: str
    reason: str
    named_by_caller: bool = False  # a model id in the request: it is never swapped for another
    verdict: Verdict | None = None


class Edit(Noun, frozen=True, kw_only=True):
    """Set one top-level key of the body, or remove it (`value` None). `why` is shown in /explain."""

    key: str
    value: msgspec.Raw | None
    why: str


class Dressed(Noun, frozen=True, kw_only=True):
    """A choice made ready to send: what is edited, for which model, and what was left as it was."""

    model: str
    tier: str | None
    edits: tuple[Edit, ...] = ()
    notes: tuple[str, ...] = ()


class OutcomeKind(StrEnum):
    """Everything that a call to the API can end in. docs/fallbacks.md has a row for each."""

    ANSWERED = "answered"
    REFUSED = "refused"  # HTTP 200, stop_reason refusal
    CUT_AT_MAX_TOKENS = "cut_at_max_tokens"
    CONTEXT_EXCEEDED = "context_exceeded"  # HTTP 200, model_context_window_exceeded
    EMPTY = "empty"
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
    }
)


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


class Attempt(Noun, frozen=True, kw_only=True):
    """One call to the API, as the request's story tells it."""

    attempt_id: str
    model: str
    tier: str | None
    outcome: Outcome
    started_s: float = 0.0  # monotonic
    ended_s: float = 0.0
    sent_text: bool = False  # a byte of this attempt reached the caller


class LedgerRow(Noun, frozen=True, kw_only=True):
    """One attempt in the books. Written twice under one id: as an intent, then as it ended."""

    attempt_id: str
    request_id: str
    at_ms: int
    role: str = "answer"  # answer | classifier
    number: int = 1  # of the attempts of this request
    door: str = ""
    tenant: str = ""
    session: str | None = None
    user: str | None = None
    feature: str | None = None
    task: str | None = None
    workload: str = ""
    tier: str | None = None
    model: str = ""
    reason: str = ""
    outcome: str = "intent"
    billed: str = "intent"  # intent | settled | estimated | void | unknown
    status: int = 0
    stop_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    thinking_tokens: int = 0
    cost_pico: int = 0  # for `unknown` rows: the upper bound
    worst_pico: int = 0  # what was held when the attempt began
    cost_note: str = ""
    latency_ms: int = 0
    ttft_ms: int | None = None
    upstream_request_id: str | None = None
    message_id: str | None = None
    policy_hash: str = ""
    prices_hash: str = ""
