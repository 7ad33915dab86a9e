"""The nouns that are kept: a row for each attempt, what was decided about each request, and who changed what.

Rule: flat, and read back by name: a later version still reads what an earlier one wrote. Never text, never a key.
"""

from __future__ import annotations

from .noun import Noun
from .prefix import Warmth
from .request import Facts, Verdict, Words


class LedgerRow(Noun, frozen=True, kw_only=True):
    """One attempt in the books. Written twice under one id: as an intent, then as it ended."""

    attempt_id: str
    request_id: str
    at_ms: int
    # A call: answer | classifier | prewarm | check. No call, for nothing: cache | stale | canned | shared.
    role: str = "answer"
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
    prefix: str = ""  # of tools and system, by digest
    plain_pico: int = 0  # what the same would have cost without any caching
    cache_write_pico: int = 0  # of the cost: what was written to the prompt cache
    cache_expected_tokens: int = 0  # should have been read from the prompt cache
    cache_cause: str = ""  # why no more was read
    cache_at: str = ""  # where the prompt was another one than before
    cache_lost_tokens: int = 0  # that could have been read but for the cause


class Decided(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided about one request, with all that the decision looked at except the text."""

    request_id: str
    at_ms: int
    tenant: str = ""
    door: str = ""
    policy_hash: str = ""
    candidate: bool = False  # served by the candidate of a rollout
    facts: Facts
    words: Words
    headers: tuple[tuple[str, str], ...] = ()  # only those that a rule of the policy names, and the harness's hints
    texts: tuple[tuple[str, bool], ...] = ()  # what rules asked of the text, by the condition's digest, and the answer
    verdict: Verdict | None = None
    pinned: str | None = None  # the tier that the conversation was on
    calm: int = 0  # turns before this one that needed less than the tier they were on
    came_down: bool = False  # it has moved down before
    warmth: tuple[Warmth, ...] = ()  # which models had it in their cache
    rule: str | None = None
    tier: str | None = None
    model: str = ""
    task: str = ""
    reason: str = ""
    edits: tuple[str, ...] = ()  # what was changed in the body, in words


class Audit(Noun, frozen=True, kw_only=True):
    """Who changed what the service does, and when. Never changed, never removed."""

    audit_id: str
    at_ms: int
    who: str  # `file`, `signal`, `start`, `guardrail` or the admin who asked
    action: str  # load | reload | reload_failed | promote | rollback | abort | ...
    old_hash: str = ""
    new_hash: str = ""
    diff: str = ""  # what is different in the policy, in its own words; secrets are never in it
    detail: str = ""
