"""What the prompt cache should give, and when it gives less, why.

Rule: pure. A cause is one of CAUSES; tokens lost are those that could have been read but for it.
"""

from __future__ import annotations

import msgspec

from ..vocabulary import Expected, Known, Path, Reply, Usage
from .breakpoints import TOKENS_PER_BYTE, Laid, size
from .reuse import LIFETIME_S

SHORT = "too_short"  # below the model's minimum
UNMARKED = "not_marked"  # nothing that is expected to come back often enough
FIRST = "first"  # never sent before
EXPIRED = "expired"
CHANGED = "prefix_changed"
MODEL = "model_changed"
DROPPED = "dropped"  # the entry should have been there
CAUSES = (FIRST, EXPIRED, CHANGED, MODEL, DROPPED, SHORT, UNMARKED)


def expected(path: Path, known: Known, laid: Laid, minimum: int) -> Expected:
    """Before the call."""
    if laid.expected_tokens:
        exact = any(one.warm and one.tokens == laid.expected_tokens for one in known.spots)
        before = Expected() if known.varies is None else _changed(path, known, known.varies)
        if before.lost_tokens <= laid.expected_tokens:
            return Expected(tokens=laid.expected_tokens, exact=exact)
        return msgspec.structs.replace(
            before,
            tokens=laid.expected_tokens,
            exact=exact,
            lost_tokens=before.lost_tokens - laid.expected_tokens,
        )
    if size(path, known) < minimum:
        return Expected(cause=SHORT)
    for at in range(len(known.spots) - 1, -1, -1):
        seen = known.spots[at]
        if seen.since_s is not None and seen.tokens is not None and seen.since_s >= LIFETIME_S["5m"] - 10:
            return Expected(cause=EXPIRED, lost_tokens=seen.tokens)
    if known.elsewhere is not None:
        return Expected(cause=MODEL, lost_tokens=_tokens(path, known, known.elsewhere))
    if known.varies is not None:
        return _changed(path, known, known.varies)
    return Expected(cause=FIRST if laid.marked else UNMARKED)


# What the API's own diagnostics say, as our causes and the place that they name.
DIAGNOSES = {
    "model_changed": (MODEL, ""),
    "tools_changed": (CHANGED, "tools"),
    "system_changed": (CHANGED, "system"),
    "messages_changed": (CHANGED, "messages"),
}


def judged(before: Expected, reply: Reply) -> tuple[str, str, int]:
    """After it: the cause, where the prompt was another one, and the tokens lost."""
    cause, lost = _by_figures(before, reply.usage)
    if cause and reply.miss in DIAGNOSES:
        cause, at = DIAGNOSES[reply.miss]
        return cause, at, reply.missed_tokens
    return cause, before.at if cause == before.cause else "", max(0, lost)


def _by_figures(before: Expected, usage: Usage) -> tuple[str, int]:
    missing = before.tokens - usage.cache_read_tokens
    if before.tokens and (missing > 0 if before.exact else usage.cache_read_tokens < before.tokens // 2):
        return DROPPED, missing
    if usage.cache_read_tokens > 0 and before.cause != CHANGED:
        return "", 0
    return before.cause, before.lost_tokens


def _changed(path: Path, known: Known, block: int) -> Expected:
    """The head has another block than last time: what follows it could be read, were it further back."""
    tools = int(path.shape.partition(" ")[0] or 0)
    name = f"tools[{block}]" if block < tools else f"system[{block - tools}]"
    ends = [at for at, spot in enumerate(path.spots) if spot.turn < 0]
    return Expected(cause=CHANGED, at=name, block=block, lost_tokens=_tokens(path, known, ends[-1]) if ends else 0)


def _tokens(path: Path, known: Known, at: int) -> int:
    if not path.spots:
        return 0
    spot = path.spots[at]
    return round(spot.text_bytes * (known.tokens_per_byte or TOKENS_PER_BYTE) + spot.media_tokens)
