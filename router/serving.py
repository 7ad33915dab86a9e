"""The labels on what the caller gets: headers, the receipt, and the one log line of a request.

Rule: trunk, pure. /v1/messages gets the API's own bytes and our words in headers only; /complete
gets a Messages API message plus a `router` object.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

import msgspec

from .attempt import Running
from .decide.budget import usd
from .decide.policy import Rulebook
from .decide.price import cost
from .dispatch import Ended
from .ports import Watched
from .story import Story
from .vocabulary import ANSWERS, Cost, LedgerRow, OutcomeKind, Usage

K = OutcomeKind

WARNINGS: dict[OutcomeKind, str] = {
    K.REFUSED: "the model refused to answer",
    K.CUT_AT_MAX_TOKENS: "the answer is cut off: it reached max_tokens",
    K.CONTEXT_EXCEEDED: "the answer is cut off: the context window is full",
    K.EMPTY: "the answer is empty",
    K.CUT: "the answer broke off before its end",
    K.STALLED: "the model fell silent before the end of its answer",
    K.STREAM_ERROR: "the API failed before the end of its answer",
    K.OVERLOADED: "the API was overloaded before the end of its answer",
    K.DEADLINE: "the deadline passed before the end of the answer",
    K.DRAINING: "the service stopped before the end of the answer",
}
FORWARDED = ("anthropic-", "request-id", "retry-after", "x-should-retry")


class Served(msgspec.Struct, kw_only=True):
    """What a door writes. `chunks` must always be closed with aclose()."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    chunks: AsyncGenerator[bytes, None] | None = None


def forwarded_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The API's own headers that a client reads, as they came."""
    return [(name, value) for name, value in headers.items() if name.startswith(FORWARDED)]


def labels(story: Story, ended: Ended) -> list[tuple[str, str]]:
    """Our words about an answer, as headers."""
    chosen, running = story.chosen, ended.answered
    row = running.row
    waited = [("x-router-waited-ms", str(round(running.waited_s * 1000)))] if running.waited_s else []
    return [
        *waited,
        ("x-router-model", row.model),
        ("x-router-tier", row.tier or "none"),
        ("x-router-task", chosen.task),
        ("x-router-reason", ascii_words(chosen.reason)),
        ("x-router-attempts", str(len(ended.attempts))),
        ("x-router-served-by", "model"),
        ("x-router-fallback", "none" if row.model == chosen.model else "tier"),
    ]


def ascii_words(text: str) -> str:
    """As a header can carry it."""
    return text.encode("ascii", "replace").decode()


def receipt(story: Story, ended: Ended, ended_as: OutcomeKind, now_s: float) -> dict[str, object]:
    """The `router` object of an answer, as it ended for its caller: another reader's may run on."""
    running = ended.answered
    usage = running.reply.usage if running.reply is not None else Usage()
    spent = spent_pico(story, ended)
    exact = all(attempt.cost.exact for attempt in ended.attempts)
    outcome = K.BROKEN_CONTRACT if running.broken is not None else K.DISAGREED if running.doubt else ended_as
    warnings = [WARNINGS.get(ended_as), running.broken, running.doubt]
    return {
        **choice_words(story),
        "model": running.row.model,
        "tier": running.row.tier,
        "attempts": [attempt_words(attempt) for attempt in ended.attempts],
        "served_by": "model",
        "shared": ended.host is not None,
        "outcome": outcome.value,
        "degraded": running.row.model != story.chosen.model,
        "warnings": [warning for warning in warnings if warning],
        "cost_usd": usd(spent),
        "cost_exact": exact,
        "saved_usd": usd(_dearest_pico(usage, story.rules, story.started_ms) - spent),
        "usage": msgspec.structs.asdict(usage),
        "timing": timing(story, running, now_s),
    }


def choice_words(story: Story) -> dict[str, object]:
    """What is known before the answer: the choice and its reasons."""
    chosen, verdict = story.chosen, story.verdict
    return {
        "request_id": story.caller.request_id,
        "model": chosen.model,
        "tier": chosen.tier,
        "task": chosen.task,
        "rule": chosen.rule,
        "reason": chosen.reason,
        "candidate": story.candidate,
        "verdict": None
        if verdict is None
        else {
            "task": verdict.task,
            "difficulty": verdict.difficulty.value if verdict.difficulty else None,
            "source": verdict.source,
            "detail": verdict.detail,
        },
        "policy": story.rules.hash,
    }


def spent_pico(story: Story, ended: Ended) -> int:
    """Everything this request cost: each attempt, and the classifier."""
    return story.verdict_pico + sum(attempt.cost.pico for attempt in ended.attempts)


TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
NOT_OURS = frozenset({None, K.BAD_REQUEST, K.TOO_LARGE, K.CALLER_GONE, K.DRAINING})


def watched(story: Story, ended: Ended, served_by: str, now_s: float) -> Watched:
    """What guardrails and alarms look at."""
    last = ended.last
    outcome = (last.outcome if last is not None else None) or ended.shut
    kind = outcome.kind if outcome is not None else None
    whole = served_by == "model" and kind in ANSWERS
    swapped = last is not None and last.row.model != story.chosen.model
    by_rule = story.rule is not None and last is None
    return Watched(
        candidate=story.candidate,
        session=story.ask.words.session or story.ask.facts.session or "",
        failed=served_by in ("model", "nobody") and not whole and not by_rule and kind not in NOT_OURS,
        degraded=(served_by in ("canned", "stale") and not by_rule) or (whole and swapped),
        refused=kind is K.REFUSED,
        truncated=kind in (K.CUT_AT_MAX_TOKENS, K.CONTEXT_EXCEEDED),
        latency_ms=round((now_s - story.started_s) * 1000),
        cost_pico=spent_pico(story, ended),
    )


def timing(story: Story, running: Running | None, now_s: float) -> dict[str, object]:
    row = running.row if running is not None else None
    return {
        "total_ms": round((now_s - story.started_s) * 1000),
        "classifier_ms": round(story.verdict_s * 1000),
        "model_ms": row.latency_ms if row else None,
        "first_byte_ms": row.ttft_ms if row else None,
        "waited_ms": round(running.waited_s * 1000) if running is not None else 0,
    }


def event(story: Story, ended: Ended, served_by: str, now_s: float) -> dict[str, object]:
    """The one log line of a request: ids, names, figures. Never text, never a key."""
    words, chosen = story.ask.words, story.chosen
    last = ended.last
    return {
        "request_id": story.caller.request_id,
        "door": story.ask.door.value,
        "tenant": story.caller.tenant,
        "feature": words.feature,
        "user": words.user,
        "session": words.session,
        "task": chosen.task,
        "tier": chosen.tier,
        "model": chosen.model,
        "rule": chosen.rule,
        "reason": chosen.reason,
        "candidate": story.candidate,
        "verdict": story.verdict.source if story.verdict else None,
        "served_by": served_by,
        "stop": ended.stop.reason if ended.stop is not None else None,
        "attempts": len(ended.attempts),
        "cost_usd": usd(spent_pico(story, ended)),
        "policy": story.rules.hash,
        **_of_the_cache(ended),
        **_of_the_row(None if last is None else last.row, is_own=ended.host is None),
        **timing(story, last, now_s),
    }


def _of_the_cache(ended: Ended) -> dict[str, object]:
    """What the prompt cache did for the answer, and what it saved over all attempts; below zero: what it cost."""
    rows = [attempt.row for attempt in ended.attempts]
    last = rows[-1] if rows else None
    return {
        "cache_cause": last.cache_cause if last is not None else "",
        "cache_expected_tokens": last.cache_expected_tokens if last is not None else 0,
        "answered_usd": usd(sum(row.cost_pico for row in rows if row.plain_pico)),
        "uncached_usd": usd(sum(row.plain_pico for row in rows)),
        "cache_saved_usd": usd(sum(row.plain_pico - row.cost_pico for row in rows if row.plain_pico)),
    }


def _of_the_row(row: LedgerRow | None, *, is_own: bool) -> dict[str, object]:
    """What the last attempt adds to the log line; without one, nobody was asked."""
    if row is None:
        figures = dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"), 0)
        return {"outcome": "nothing_sent", "stop_reason": None, "upstream_request_id": None, **figures}
    if not is_own:  # another request's call answers this one too: its tokens are counted there
        row = msgspec.structs.replace(row, **dict.fromkeys(TOKENS, 0))
    return {
        "tier": row.tier,
        "model": row.model,
        "outcome": row.outcome,
        "stop_reason": row.stop_reason,
        "upstream_request_id": row.upstream_request_id,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cache_read_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_5m_tokens + row.cache_write_1h_tokens,
    }


def attempt_words(attempt: Running) -> dict[str, object]:
    row = attempt.row
    return {
        "model": row.model,
        "role": row.role,
        "outcome": row.outcome,
        "status": row.status,
        "billed": row.billed,
        "cost_usd": usd(attempt.cost.pico),
        "latency_ms": row.latency_ms,
        "upstream_request_id": row.upstream_request_id,
    }


def _dearest_pico(usage: Usage, rules: Rulebook, at_ms: int) -> int:
    """The same tokens, uncached, on the highest tier that a verdict can reach."""
    cap = rules.policy.classifier.cap_tier or rules.tier_order[-1]
    model = rules.ids[rules.policy.tiers[cap].model]
    plain = Usage(input_tokens=usage.prompt_tokens, output_tokens=usage.output_tokens)
    priced: Cost = cost(plain, model, rules.prices, at_ms)
    return priced.pico
