"""What is noted of a question and its answer, so that a threshold of likeness can be fitted from them later.

Rule: pure, and digests only: no word of either is in the note.
"""

from __future__ import annotations

import hashlib

import msgspec

from ..vocabulary import Ask, Caller, Door, Fingerprint, Observed
from .likeness import signature_of
from .policy import Rulebook
from .sameness import normal_text

ANSWER_CHARS_MAX = 4_000  # of an answer's beginning: enough to see whether two say the same
LAXLY = ("whitespace", "case", "unicode")


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    content: list[_Block]


_MESSAGE = msgspec.json.Decoder(_Message)


def is_exact(ask: Ask, rules: Rulebook, task_name: str) -> bool:
    """Is its answer JSON, or one of a few values, so that any difference is another answer?"""
    task = rules.tasks.get(task_name)
    promised = task is not None and task.output.type != "text" and ask.door is Door.COMPLETE
    return promised or ask.facts.has_format


def observed(question: Fingerprint, body: bytes, caller: Caller, task: str, exact: bool, at_ms: int) -> Observed | None:
    """The note; None where the answer is none that can be compared. `body` is the whole message."""
    try:
        blocks = _MESSAGE.decode(body).content
    except msgspec.DecodeError:
        return None
    text = "".join(block.text for block in blocks if block.type == "text")
    if not text.strip():
        return None
    return Observed(
        at_ms=at_ms,
        request_id=caller.request_id,
        tenant=_digest(b"tierwise tenant", caller.tenant.encode("utf-8", "surrogatepass")),
        task=task,
        scope=question.scope,
        guard=question.guard,
        signature=question.signature,
        answer_signature=signature_of(text[:ANSWER_CHARS_MAX]),
        answer_digest=_digest(b"tierwise answer", _normal(text, exact)),
        exact=exact,
    )


def _normal(text: str, exact: bool) -> bytes:
    """JSON in one spelling; other text without what makes no other answer."""
    if exact:
        try:
            return msgspec.json.encode(msgspec.json.decode(text), order="sorted")
        except (msgspec.DecodeError, RecursionError):
            pass
    return normal_text(text, LAXLY).encode("utf-8", "surrogatepass")


def _digest(kind: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16, person=kind).digest()
