"""What the story needs from the world, as protocols. Edges implement them; tests fake them.

Rule: only types here. `app/` chooses who stands behind each port.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import msgspec

from .decide.policy import Rulebook
from .vocabulary import (
    Ask,
    Audit,
    Caller,
    Decided,
    Fingerprint,
    KeptReply,
    Known,
    LedgerRow,
    Observed,
    Outcome,
    Path,
    Reply,
    Sampled,
    Scope,
    Usage,
    Verdict,
    Words,
)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP call to the API. `headers` are added to the edge's own (key, version, encoding)."""

    body: bytes
    path: str = "/v1/messages"
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    stream: bool = False
    first_byte_s: float = 60.0  # to the response's head
    hurried: bool = False  # its caller gave it less time to begin than the policy does: its being late says nothing
    idle_s: float = 45.0  # between two reads of a body
    total_s: float = 600.0  # of a body that is read whole


class Reading(Protocol):
    """What has been read of a running stream so far; grows while `frames()` is iterated."""

    @property
    def started(self) -> bool: ...  # message_start was seen and was valid
    @property
    def begun(self) -> bool: ...  # a content_block_start was seen: the model answers, or thinks
    @property
    def content_seen(self) -> bool: ...  # a content_block_delta was seen: no way back
    @property
    def complete(self) -> bool: ...  # message_stop was seen
    @property
    def error_seen(self) -> bool: ...  # an `error` event was the last thing seen
    @property
    def streamed_bytes(self) -> int: ...  # of text, thinking and tool JSON, for estimates
    def reply(self) -> Reply: ...  # as far as it got


class Answer(Protocol):
    """What came back.

    A failure: `outcome` says which, `body` holds the API's own bytes (maybe empty).
    A whole 200: `body` and `reply`; `outcome` says how the message ended.
    A stream: `outcome` is None and `reading` is set; `frames()` yields runs of whole SSE events, as
    the very bytes that came, and raises errors.Broken when the stream fails (an `error` event
    inside it is in Broken.frame). `close()` ends the upstream call; call it always, twice is fine.
    """

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...  # lower-case names
    @property
    def body(self) -> bytes: ...
    @property
    def outcome(self) -> Outcome | None: ...
    @property
    def reply(self) -> Reply | None: ...
    @property
    def reading(self) -> Reading | None: ...
    def frames(self) -> AsyncIterator[bytes]: ...
    async def close(self) -> None: ...


class Upstream(Protocol):
    """One attempt, no retries. Never raises for what the API or the network does."""

    async def send(self, call: Call) -> Answer: ...


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """A call that somebody would like to make to a model."""

    model: str
    workload: str = "interactive"  # interactive goes first
    input_tokens: int = 0  # about so many that count against the limit: what is read from the prompt cache does not
    within_s: float = 0.0  # the longest wait for its turn
    cost: float = 0.0  # in a model's retry budget: 0 for a request's first call
    elsewhere: bool = False  # another model could be asked instead
    stands_in: bool = False  # the model is not the one that was chosen
    charge: str = ""  # whose failure it mends: that model's budget pays for it


class Pass(Protocol):
    """Leave for one call. `ended` exactly once, on every exit; `None`: it came to nothing by the caller's doing."""

    @property
    def waited_s(self) -> float: ...
    def began(self, headers: Mapping[str, str], status: int = 200) -> None: ...  # the head of an answer came
    def ended(self, outcome: Outcome | None, usage: Usage | None = None) -> None: ...


class Gates(Protocol):
    """Before each call: may it be made now? Breakers, rate limits, calls at once and the retry budget, by model."""

    async def enter(self, want: Want, rules: Rulebook) -> Pass | Outcome:
        """A pass, maybe after a wait; or why not: HELD_BACK or BREAKER_OPEN, with `retry_after_s` where known."""


class Replies(Protocol):
    """Answers that may be given again. Never raises; what cannot be reached is not there."""

    async def get(self, key: bytes, tenant: str) -> KeptReply | None: ...  # fresh or stale: the caller looks
    def put(self, key: bytes, kept: KeptReply, fingerprint: Fingerprint | None = None) -> None: ...
    async def near(self, fingerprint: Fingerprint, tenant: str, threshold: float) -> KeptReply | None: ...


class Samples(Protocol):
    """Requests that are kept to learn from. Never raises, never waits: under pressure one is dropped."""

    def keep(self, sampled: Sampled, days: int, max_mb: int) -> None: ...  # for so long, and at most so much in all


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the classifier is asked: the text to judge, already cut to size, and whose it is."""

    text: str
    key: bytes  # what its verdict is remembered by
    tenant: str
    request_id: str
    words: Words = Words()
    within_s: float = 60.0  # of the caller's own time; the policy's deadline may be shorter


class Classifier(Protocol):
    """Names the task and the difficulty. Never raises; no answer in time is a Verdict too."""

    async def listen(self, question: Question, rules: Rulebook) -> Verdict: ...


class Ledger(Protocol):
    """The books. Every call is synchronous: the row is with the operating system on return.

    `intend` raises RequestError(router_ledger_unavailable) when the books cannot be written.
    `settle` and `note` never raise.
    """

    def intend(self, row: LedgerRow) -> None: ...
    def settle(self, row: LedgerRow) -> None: ...
    def note(self, record: Decided | Audit | Observed) -> None: ...


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """Which model a conversation is on."""

    model: str
    tier: str
    task: str
    until_s: float  # monotonic
    calm: int = 0  # turns in a row that needed less than this tier
    came_down: bool = False
    message_id: str | None = None  # of its last answer


class Pins(Protocol):
    def get(self, tenant: str, session: str) -> Pin | None: ...
    def put(self, tenant: str, session: str, pin: Pin) -> None: ...


class Prefixes(Protocol):
    """Which prefixes of prompts come back, and which entries the API's prompt cache should hold now."""

    def look(self, scope: Scope, path: Path) -> Known: ...
    def was_on(self, tenant: str, path: Path) -> frozenset[str]: ...
    def sent(self, scope: Scope, path: Path) -> None: ...
    def began(self, scope: Scope, path: Path, marked: tuple[tuple[int, str], ...], sent_s: float) -> None: ...
    def settled(self, scope: Scope, path: Path, marked: tuple[tuple[int, str], ...], usage: Usage) -> None: ...
    def dropped(self, scope: Scope, path: Path) -> None: ...


class Steered(msgspec.Struct, frozen=True, kw_only=True):
    """Which policy serves a request, and which one only decides beside it."""

    rules: Rulebook
    candidate: bool = False  # the candidate of a rollout serves it
    shadow: Rulebook | None = None


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was served, as guardrails and alarms look at it."""

    candidate: bool = False
    session: str = ""  # what broke together is one thing that broke
    failed: bool = False  # nobody answered, and it was not the caller's doing
    degraded: bool = False  # another model or a canned reply answered
    refused: bool = False
    truncated: bool = False
    latency_ms: int = 0
    cost_pico: int = 0


class Steering(Protocol):
    """Which policy serves whom. A request keeps the policy that it began with."""

    def steer(self, ask: Ask, caller: Caller) -> Steered: ...
    def watch(self, served: Watched) -> None: ...
    def differed(self, shadow: str, differs: bool | None, words: str) -> None: ...  # None: cannot be known


class Clock(Protocol):
    def now_ms(self) -> int: ...  # wall clock
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    def dice(self) -> float: ...  # uniform in [0, 1)
    def new_id(self, prefix: str) -> str: ...  # unguessable, url-safe, at most 40 characters


class Events(Protocol):
    """One event a request, and counters with bounded labels. Never prompt text, never a key."""

    def request(self, fields: Mapping[str, object]) -> None: ...
    def count(self, name: str, label: str = "") -> None: ...
    def say(self, event: str, **fields: object) -> None: ...  # a line about the service itself
