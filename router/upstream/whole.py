"""A body that was read whole: is it what a 200 claims to be?

Rule: pure. What is no message is BAD_ANSWER, what is an error in disguise ends as that error.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..errors import WireError
from ..ports import Call
from ..vocabulary import Billed, Outcome, OutcomeKind
from ..wire.reply import outcome_kind, read_error, read_reply
from .answer import ClaudeAnswer, failed
from .faults import outcome_of_event

_MESSAGES = "/v1/messages"


def judged(call: Call, headers: Mapping[str, str], body: bytes) -> ClaudeAnswer:
    """The answer that this body is."""
    if call.stream:
        return _bad("a whole body where a stream was asked for", headers, body)
    if call.path.partition("?")[0] != _MESSAGES:
        return _other(headers, body)
    try:
        reply = read_reply(body)
    except WireError:
        return _bad(f"{len(body)} bytes that are no message", headers, body)
    outcome = Outcome(kind=outcome_kind(reply), status=200, billed=Billed.SETTLED)
    return ClaudeAnswer(status=200, headers=headers, body=body, outcome=outcome, reply=reply)


def _other(headers: Mapping[str, str], body: bytes) -> ClaudeAnswer:
    """Counts and lists cost nothing; they only have to be an object."""
    try:
        fields = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # every error of msgspec's and of a wrong encoding is a ValueError
        fields = None
    if not isinstance(fields, dict) or fields.get("type") == "error":
        return _bad(f"{len(body)} bytes that are no JSON object", headers, body)
    outcome = Outcome(kind=OutcomeKind.ANSWERED, status=200, billed=Billed.VOID)
    return ClaudeAnswer(status=200, headers=headers, body=body, outcome=outcome)


def _bad(detail: str, headers: Mapping[str, str], body: bytes) -> ClaudeAnswer:
    if read_error(body) != (None, None):
        return failed(outcome_of_event(body), headers, body)
    outcome = Outcome(kind=OutcomeKind.BAD_ANSWER, status=200, billed=Billed.UNKNOWN, detail=detail)
    return failed(outcome, headers, body)
