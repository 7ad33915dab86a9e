"""What must be true of every request, each as one function that gives its complaint, or nothing.

Rule: a promise looks at what the caller got and at what the API did, never into the router.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from router.decide.policy import Rulebook
from router.errors import CODES
from router.vocabulary import PICO_PER_USD
from router.wire.sse import Splitter, parse

from .bodies import text_of
from .client import Got
from .traffic import Request
from .truth import Truth

TICK_S = 1.0
LONGEST_STREAM_S = 3600.0
MESSAGES_TIMEOUT_S = 600.0
SERVED_BY = frozenset({"model", "cache", "stale", "canned", "deferred"})
SHARED = frozenset({"cache", "stale", "shared"})  # roles of answers that were made for another request
CANNED = "router/canned"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one request when it has ended."""

    request: Request
    got: Got
    rules: Rulebook
    told: tuple[Mapping[str, object], ...]  # what the router logged of it
    calls: int  # for its answer
    cost_pico: tuple[int, int]  # in the books: of its answer, of its classifier
    roles: frozenset[str]  # in the books, of what answered without a call
    made: Mapping[int, Truth]  # the API's calls, by number

    @property
    def is_streamed(self) -> bool:
        return self.got.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def stayed(self) -> bool:
        return not self.got.left and self.got.cancelled != "kill"


def ends_in_time(case: Case) -> str | None:
    got, limit_s = case.got, _limit_s(case)
    took_s = got.ended_s - got.began_s - got.dawdled_s
    return f"it took {took_s:.3f} s of {limit_s:.3f} s" if took_s > limit_s + TICK_S else None


def _limit_s(case: Case) -> float:
    """How long the router may take: the caller's word, else the door's, else the policy's."""
    request, limits = case.request, case.rules.deadline_s
    if request.deadline_s is not None:
        return request.deadline_s
    if request.stream and case.is_streamed:
        return LONGEST_STREAM_S
    if not request.own_door:
        return MESSAGES_TIMEOUT_S
    task = case.rules.tasks.get(str(case.told[-1]["task"])) if case.told else None
    return (task.timeout_s if task is not None else None) or limits[request.workload]


def answers_once(case: Case) -> str | None:
    got = case.got
    if got.fault:
        return got.fault
    if got.heads > 1 or got.ends > 1 or got.late:
        return f"{got.heads} heads, {got.ends} ends, {got.late} pieces after the end"
    if case.stayed and (got.heads, got.ends) != (1, 1):
        return f"nobody left, and there were {got.heads} heads and {got.ends} ends"
    return None


def is_told_once(case: Case) -> str | None:
    if len(case.told) > 1:
        return f"it was told {len(case.told)} times how it ended"
    if case.stayed and case.got.status == 200 and not case.told:
        return "an answer went out and nothing was told of it"
    return None


def is_labelled(case: Case) -> str | None:
    got = case.got
    if not case.stayed:
        return None
    if got.status >= 400:
        return _error_shape(got.body)
    if got.status == 500:
        return "an error of our own"
    label = got.headers.get("x-router-fallback")
    if case.is_streamed or not case.request.own_door:
        return None if label else "an answer without x-router-fallback"
    router = _decoded(got.body).get("router")
    served_by = router.get("served_by") if isinstance(router, dict) else None
    return None if served_by in SERVED_BY else f"served by {served_by!r}"


def is_no_fault_of_ours(case: Case) -> str | None:
    return "500 router_internal" if b'"router_internal"' in case.got.body else None


def _error_shape(body: bytes) -> str | None:
    fields = _decoded(body)
    error = fields.get("error")
    if fields.get("type") != "error" or not isinstance(error, dict) or not isinstance(error.get("type"), str):
        return "an error in another shape than the one"
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    if isinstance(code, str) and code.startswith("router_") and code not in CODES:
        return f"{code} is no code of ours"
    return None


def text_is_the_models(case: Case) -> str | None:
    """A whole answer is one call's whole text; half of one is never passed off as it."""
    got = case.got
    if case.is_streamed or got.status != 200 or not case.stayed:
        return None
    message = _decoded(got.body)
    text = "".join(block.get("text", "") for block in message.get("content", []))
    return _same_model(case, str(message.get("model"))) or _text(case, text, message, whole=True)


def stream_is_honest(case: Case) -> str | None:
    """One beginning, one model, no text twice, and an end that says what it is."""
    if not case.is_streamed:
        return None
    events = [parse(frame) for frame in Splitter().feed(case.got.body)]
    names = [name for name, _ in events if name not in ("ping", "router")]
    starts, stops, errors = (names.count(name) for name in ("message_start", "message_stop", "error"))
    if starts > 1 or stops > 1 or errors > 1:
        return f"{starts} beginnings, {stops} ends and {errors} errors in one stream"
    if case.stayed and not stops and not errors:
        return "a stream that just ends"
    if (stops or errors) and names[-1] not in ("message_stop", "error"):
        return f"{names[-1]} after the end"
    return next(_of_events(case, events, whole=bool(stops)), None)


def is_not_both(case: Case) -> str | None:
    """A stream that is whole has not failed."""
    names = [parse(frame)[0] for frame in Splitter().feed(case.got.body)] if case.is_streamed else []
    return "a stream that is whole and failed" if "message_stop" in names and "error" in names else None


def _of_events(case: Case, events: list[tuple[str, bytes]], *, whole: bool) -> Iterator[str]:
    opened: dict[str, Any] = {}
    text, blocks = "", 0
    for name, data in events:
        fields = _decoded(data) if data else {}
        if name == "message_start":
            opened = fields["message"]
        elif name == "content_block_start":
            if fields["index"] != blocks:
                yield f"block {fields['index']} where {blocks} was due"
            blocks += 1
        elif name == "content_block_delta":
            text += fields["delta"].get("text", "")
    wrong = None
    if opened:
        wrong = _same_model(case, str(opened.get("model"))) or _text(case, text, opened, whole=whole)
    if wrong:
        yield wrong


def _same_model(case: Case, model: str) -> str | None:
    label = case.got.headers.get("x-router-model")
    if model == CANNED:
        return None if case.got.headers.get("x-router-fallback") == "canned" else "a canned reply without its label"
    return f"{model} answered, {label} is on the label" if label is not None and label != model else None


def _text(case: Case, text: str, message: Mapping[str, Any], *, whole: bool) -> str | None:
    if message.get("model") == CANNED:
        return None
    number = str(message.get("id")).removeprefix("msg_")
    made = case.made.get(int(number)) if number.isdigit() else None
    if made is None:
        return "an answer that no call made"
    if made.intent.tenant != case.request.tenant:
        return f"an answer that was made for {made.intent.tenant}"
    if made.intent.request_id != case.request.request_id and not case.roles & SHARED:
        return f"an answer that was made for {made.intent.request_id}"
    right = text_of(made.number, made.text_tokens)
    if whole and text != right:
        return f"{len(text)} of {len(right)} characters as a whole answer"
    return None if right.startswith(text) else "a text out of order"


def keeps_to_its_attempts(case: Case) -> str | None:
    allowed = case.rules.policy.fallbacks.attempts
    return f"{case.calls} calls of {allowed}" if case.calls > allowed else None


def keeps_to_its_limit(case: Case) -> str | None:
    """What the caller allowed is for all of it."""
    allowed = case.request.max_cost_usd
    spent = case.cost_pico[0]
    if allowed is None or spent <= Decimal(allowed) * PICO_PER_USD:
        return None
    return f"it cost {spent} pico-dollars, {allowed} USD were allowed"


def says_its_cost(case: Case) -> str | None:
    """What was told is what is in the books; a verdict that came too late is in the books only."""
    if not case.told or not case.stayed or (case.is_streamed and b"event: message_stop" not in case.got.body):
        return None  # what broke off for him may go on for others
    said = int(Decimal(str(case.told[0]["cost_usd"])) * PICO_PER_USD)
    answer, classifier = case.cost_pico
    return None if answer <= said <= answer + classifier else f"it says {said}, the books say {answer}+{classifier}"


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


PROMISES: tuple[Callable[[Case], str | None], ...] = (
    ends_in_time,
    answers_once,
    is_told_once,
    is_no_fault_of_ours,
    is_labelled,
    text_is_the_models,
    stream_is_honest,
    is_not_both,
    keeps_to_its_attempts,
    keeps_to_its_limit,
    says_its_cost,
)


def broken_promises(case: Case) -> Iterator[str]:
    """What is wrong with a request."""
    for promise in PROMISES:
        complaint = promise(case)
        if complaint is not None:
            yield f"{promise.__name__}: {complaint}"
