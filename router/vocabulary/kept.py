"""The nouns of answers that are given again, and of requests that are learnt from.

Rule: no behaviour, and no import of any other room. The body is an answer's text: it is never logged.
"""

from __future__ import annotations

from .noun import Noun

EMPTY_BIN = 2**32 - 1  # in a signature: nothing fell into this bin


class KeptReply(Noun, frozen=True, kw_only=True):
    """A whole answer of a model, as it may be given again. Times are of the wall clock: many machines share it."""

    tenant: str  # whose it is; "" where the policy shares answers
    body: bytes  # the whole message, as the API sent it or as its stream was put together
    model: str
    tier: str | None
    task: str
    made_ms: int
    fresh_ms: int  # until then it is as good as asking again
    stale_ms: int  # until then it is better than nothing


class Fingerprint(Noun, frozen=True, kw_only=True):
    """A question's likeness: what it can be compared by, without its words."""

    scope: bytes  # digest of everything that must be equal: tenant, policy, system text, tools, earlier turns, ...
    guard: bytes  # digest of what turns a meaning around: numbers, negations, names
    signature: tuple[int, ...]  # MinHash of the last turn's character n-grams, one number a bin


class Observed(Noun, frozen=True, kw_only=True):
    """A question and its answer, as far as a threshold of likeness is fitted from them. Digests, no words."""

    at_ms: int
    request_id: str
    tenant: bytes  # a digest
    task: str
    scope: bytes  # these three as in the fingerprint of the question
    guard: bytes
    signature: tuple[int, ...]
    answer_signature: tuple[int, ...]  # likewise, of the answer's text
    answer_digest: bytes  # of the answer without what does not matter in it
    exact: bool = False  # JSON, or one of a few values: another digest is another answer


class Sampled(Noun, frozen=True, kw_only=True):
    """A request and its answer as they were, kept because the policy wants to learn from them. Text: never logged."""

    request_id: str
    at_ms: int
    tenant: str = ""
    feature: str | None = None
    door: str = ""
    task: str = ""
    tier: str | None = None
    model: str = ""
    policy_hash: str = ""
    verdict_task: str | None = None  # what the classifier said, where it was asked
    verdict_difficulty: str | None = None
    body: bytes  # the Messages body, before it was dressed for a model
    answer: bytes  # the whole message
    cost_pico: int = 0
    latency_ms: int = 0
