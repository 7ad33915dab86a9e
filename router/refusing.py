"""What the caller gets when no model answered: a canned reply, the API's own error, or ours.

Rule: trunk, pure. On /complete a raw API error never reaches an end user; on /v1/messages the API's
error travels byte for byte, because its clients read it.
"""

from __future__ import annotations

import msgspec

from .decide.budget import usd
from .decide.choosing import answers_itself
from .dispatch import Ended
from .errors import CODES, RequestError
from .serving import Served, attempt_words, choice_words, forwarded_headers, spent_pico, timing
from .story import Story
from .vocabulary import Door, Outcome, OutcomeKind, Usage
from .wire.reply import read_error_message

K = OutcomeKind
RETRY_AFTER_S_MAX = 60

# An upstream failure, as the caller of /complete sees it when nothing is left to try.
FAILURES: dict[OutcomeKind, tuple[str, str]] = {
    K.RATE_LIMITED: ("router_rate_limited", "every model that may answer this request is rate limited"),
    K.RAMP_LIMITED: ("router_rate_limited", "traffic grew faster than the API allows"),
    K.SPEND_LIMITED: ("router_all_tiers_down", "the API account has reached its spend limit"),
    K.BILLING: ("router_all_tiers_down", "the API account has a billing problem"),
    K.OVERLOADED: ("router_tier_overloaded", "every model that may answer this request is overloaded"),
    K.UPSTREAM_TIMEOUT: ("router_upstream_slow", "the model did not answer in time"),
    K.TIMED_OUT: ("router_upstream_slow", "the model did not begin to answer in time"),
    K.STALLED: ("router_upstream_slow", "the model fell silent"),
    K.DEADLINE: ("router_deadline", "no answer before the deadline"),
    K.AUTHENTICATION: ("router_upstream_auth", "the API refused the service's own credentials"),
    K.PERMISSION: ("router_upstream_auth", "the service's own credentials may not use this model"),
    K.BAD_ANSWER: ("router_bad_upstream", "the API answered with something that is no message"),
    K.TOO_BIG: ("router_bad_upstream", "the API's answer was larger than any answer can be"),
    K.CUT: ("router_bad_upstream", "the API broke off in the middle of its answer"),
    K.STREAM_ERROR: ("router_bad_upstream", "the API failed in the middle of its answer"),
    K.REDIRECTED: ("router_redirect", "the API redirected, which is never followed"),
    K.BAD_REQUEST: ("router_bad_request", "the API refused the request"),
    K.TOO_LARGE: ("router_too_large", "the API found the request too large"),
    K.NOT_FOUND: ("router_unknown_model", "the API does not know the model"),
}
_DOWN = ("router_all_tiers_down", "no model answered and nothing is left to try")
_AUTH = frozenset({K.AUTHENTICATION, K.PERMISSION})
_SLOW = frozenset({K.TIMED_OUT, K.STALLED})


def canned_text(story: Story) -> str | None:
    """The last resort, where the policy has one, the door is ours and the caller did not turn it off."""
    if story.ask.door is not Door.COMPLETE or story.ask.words.fallback == "off":
        return None
    template = story.task.canned or story.rules.policy.fallbacks.canned
    return None if template is None else template.replace("{request_id}", story.caller.request_id)


def canned_message(text: str, request_id: str) -> dict[str, object]:
    """A Messages API message that no model wrote, and that says so."""
    return {
        "id": f"msg_canned_{request_id}"[:64],
        "type": "message",
        "role": "assistant",
        "model": "router/canned",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def canned_events(message: dict[str, object], text: str) -> list[dict[str, object]]:
    """The same message as the events of a stream."""
    opening = {**message, "content": [], "stop_reason": None}
    block = {"type": "text", "text": ""}
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": opening},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 0}},
        {"type": "message_stop"},
    ]


def canned_receipt(story: Story, ended: Ended, now_s: float) -> dict[str, object]:
    by_rule = answers_itself(story.rule)
    reason = ended.stop.reason if ended.stop else "unknown"
    return {
        **choice_words(story),
        "attempts": [attempt_words(attempt) for attempt in ended.attempts],
        "served_by": "canned",
        "outcome": "canned",
        "degraded": not by_rule,
        "warnings": [] if by_rule else [f"no model answered: {reason}"],
        "cost_usd": usd(spent_pico(story, ended)),
        "cost_exact": all(attempt.cost.exact for attempt in ended.attempts),
        "saved_usd": "0",
        "usage": msgspec.structs.asdict(Usage()),
        "timing": timing(story, ended.last, now_s),
    }


def failure(story: Story, ended: Ended, now_s: float) -> RequestError:
    """The honest error, in our words, when there is no canned reply."""
    last = ended.last
    outcome = last.outcome if last is not None else None
    if outcome is None:
        return RequestError("router_deadline", "the deadline passed before anything could be sent")
    late = outcome.kind in _SLOW and story.left_s(now_s) <= 0
    code, message = FAILURES[K.DEADLINE] if late else FAILURES.get(outcome.kind, _DOWN)
    if outcome.kind in (K.BAD_REQUEST, K.TOO_LARGE) and last is not None and last.answer is not None:
        message = f"{message}: {read_error_message(last.answer.body) or 'it did not say why'}"
    return RequestError(
        code,
        f"{message} ({len(ended.attempts)} attempt{'s' if len(ended.attempts) != 1 else ''})",
        retry_after_s=_retry_after(outcome, code),
        status=outcome.status if outcome.kind is K.BAD_REQUEST and outcome.status else None,
    )


def passed_on(ended: Ended) -> Served | None:
    """On /v1/messages: the API's own error, byte for byte, unless it is about our own key."""
    last = ended.last
    if last is None or last.outcome is None or last.answer is None:
        return None
    answer, kind = last.answer, last.outcome.kind
    if answer.status < 400 or kind in _AUTH or not answer.body:
        return None
    headers = forwarded_headers(answer.headers)
    content_type = answer.headers.get("content-type", "application/json")
    if len(ended.attempts) > 1 and "x-should-retry" not in answer.headers:
        # Our budget is spent; a client's own retries would only multiply it.
        headers.append(("x-should-retry", "false"))
    headers += [("content-type", content_type), ("x-router-attempts", str(len(ended.attempts)))]
    return Served(status=answer.status, headers=tuple(headers), body=answer.body)


def _retry_after(outcome: Outcome, code: str) -> int | None:
    if outcome.retry_after_s is not None:
        return max(1, min(RETRY_AFTER_S_MAX, round(outcome.retry_after_s + 0.5)))
    return 5 if CODES[code].status in (429, 503, 529) else None
