"""What the caller gets when no model answered: a canned reply, the API's own error, or ours.

Rule: trunk, pure. On /complete a raw API error never reaches an end user; on /v1/messages the API's
error travels byte for byte, because its clients read it.
"""

from __future__ import annotations

import math

import msgspec

from .decide.budget import usd
from .decide.canned import canned
from .decide.choosing import answers_itself
from .dispatch import Ended
from .errors import CODES, RequestError
from .serving import Served, attempt_words, choice_words, forwarded_headers, spent_pico, timing
from .story import Story
from .vocabulary import Billed, Outcome, OutcomeKind, Usage
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
    K.HELD_BACK: ("router_rate_limited", "every model that may answer this request is at its limit"),
    K.BREAKER_OPEN: ("router_all_tiers_down", "every model that may answer this request has failed too often"),
}
_DOWN = ("router_all_tiers_down", "no model answered and nothing is left to try")
# Between the API and this service: no client of ours can do anything about it.
_OURS = frozenset({K.AUTHENTICATION, K.PERMISSION, K.BILLING, K.SPEND_LIMITED})
_SLOW = frozenset({K.TIMED_OUT, K.STALLED})
_GONE = ("router_bad_upstream", "the API knows none of the models that the policy has for this")


def canned_text(story: Story) -> str | None:
    """The last resort, where the policy has one for this door and the caller did not turn it off."""
    policy, words = story.rules.policy, story.ask.words
    if story.ask.door.value not in policy.fallbacks.canned_on or words.fallback == "off":
        return None
    template = canned(policy, story.task, story.ask.sent_headers.get("accept-language", ""))
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


def canned_receipt(story: Story, ended: Ended, now_s: float) -> dict[str, object]:
    by_rule = answers_itself(story.rule)
    reason = ended.stop.reason if ended.stop else "unknown"
    return {
        **choice_words(story),
        "model": "router/canned",
        "tier": None,
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
    error = _failure(story, ended, now_s)
    outcomes = [attempt.outcome for attempt in ended.attempts]
    error.spent = any(outcome is None or outcome.billed is not Billed.VOID for outcome in outcomes)
    return error


def _failure(story: Story, ended: Ended, now_s: float) -> RequestError:
    last = ended.last
    outcome = (last.outcome if last is not None else None) or ended.shut
    if story.broke is not None:
        return RequestError("router_budget", story.broke)
    if outcome is None:
        return RequestError("router_deadline", "the deadline passed before anything could be sent")
    late = outcome.kind in _SLOW and story.left_s(now_s) <= 0
    code, message = FAILURES[K.DEADLINE] if late else FAILURES.get(outcome.kind, _DOWN)
    if _is_our_model(outcome.kind, story):
        code, message = _GONE
    if outcome.kind in (K.BAD_REQUEST, K.TOO_LARGE) and last is not None and last.answer is not None:
        message = f"{message}: {read_error_message(last.answer.body) or 'it did not say why'}"
    return RequestError(
        code,
        f"{message} ({len(ended.attempts)} attempt{'s' if len(ended.attempts) != 1 else ''})",
        retry_after_s=_retry_after(outcome, CODES[code].status),
        status=outcome.status if outcome.kind is K.BAD_REQUEST and outcome.status else None,
    )


def passed_on(ended: Ended) -> Served | None:
    """On /v1/messages: the API's own error, byte for byte, unless it is about what is ours: the key, the account."""
    last = ended.last
    if last is None or last.outcome is None or last.answer is None:
        return None
    answer, kind = last.answer, last.outcome.kind
    if answer.status < 400 or kind in _OURS or not answer.body:
        return None
    # We have tried what there was; a client's own retries would only multiply it, whatever the API says.
    headers = [pair for pair in forwarded_headers(answer.headers) if pair[0] not in ("x-should-retry", "retry-after")]
    headers.append(("x-should-retry", "false"))
    retry_after_s = _retry_after(last.outcome, answer.status)
    if retry_after_s is not None:
        headers.append(("retry-after", str(retry_after_s)))
    content_type = answer.headers.get("content-type", "application/json")
    headers += [("content-type", content_type), ("x-router-attempts", str(len(ended.attempts)))]
    return Served(status=answer.status, headers=tuple(headers), body=answer.body)


def _is_our_model(kind: OutcomeKind, story: Story) -> bool:
    """The API does not know a model, and it was the policy that named it."""
    return kind is K.NOT_FOUND and not story.chosen.named_by_caller


def _retry_after(outcome: Outcome, status: int) -> int | None:
    """A whole minute at most: clients give up on more."""
    if outcome.retry_after_s is not None:
        return max(1, min(RETRY_AFTER_S_MAX, math.ceil(outcome.retry_after_s)))
    return 5 if status in (429, 503, 529) else None
