"""The nouns of a request: who asks, what is known of it, and what is decided about it.

Rule: no behaviour, and no import of any other room.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from .noun import Noun
from .prefix import Expected, Mark, Scope


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
    job: bool = False  # what was put off is being answered now


class Words(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What only the router reads: the `router` object of /complete or the x-router-* headers."""

    task: str | None = None
    feature: str | None = None
    user: str | None = None
    session: str | None = None
    workload: Workload = Workload.INTERACTIVE
    deadline_s: float | None = None
    client_timeout_s: float | None = None  # for so long its SDK waits before it gives up
    max_cost_pico: int | None = None
    cache: str = "use"  # use | refresh | off
    fallback: str = "auto"  # auto | same | off | defer
    buffered: bool = False  # a stream is held back until it is whole
    webhook: str | None = None  # an address that is told when a request that was put off is answered


class Facts(Noun, frozen=True, kw_only=True, omit_defaults=True):
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
    sent_headers: Mapping[str, str] = {}  # all that came, for rules that name one; never logged, some are secrets
    short_form: bool = False


class Difficulty(StrEnum):
    SIMPLE = "simple"
    COMPLEX = "complex"
    EDGE_CASE = "edge_case"


class Verdict(Noun, frozen=True, kw_only=True, omit_defaults=True):
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
    rule: str | None = None  # the policy's rule that placed it
    verdict: Verdict | None = None
    wanted: str | None = None  # the tier that it would be, were the conversation not where it is


class Edit(Noun, frozen=True, kw_only=True):
    """Set one top-level key of the body, or remove it (`value` None). `why` is shown in /explain."""

    key: str
    value: msgspec.Raw | None
    why: str


class Caching(Noun, frozen=True, kw_only=True):
    """What is asked of the prompt cache for one call, and what is expected of it."""

    scope: Scope
    marks: tuple[Mark, ...] = ()  # ours
    marked: tuple[tuple[int, str], ...] = ()  # every mark that is sent: its place among the spots, its lifetime
    expected: Expected = Expected()
    tokens: int = 0  # of the longest prefix that is marked
    writes: tuple[int, ...] = ()  # the prefixes that are cold and long: what others may wait for


class Dressed(Noun, frozen=True, kw_only=True):
    """A choice made ready to send: what is edited, for which model, and what was left as it was."""

    model: str
    tier: str | None
    edits: tuple[Edit, ...] = ()
    caching: Caching | None = None  # None: too short to be cached, or not understood
