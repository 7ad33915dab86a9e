"""Which answers may be given again: a request's key, what is never kept, and how old an answer may be.

Rule: pure; the time is an argument. On any doubt an answer is not kept: asking again costs money, a wrong answer
costs trust.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..vocabulary import Ask, Caller, KeptReply, Reply
from ..wire.blocks import MEDIA, TURNS, Block
from .policy import Keep, Rulebook
from .sameness import add_body, begun, repeatable

ENDED = frozenset({"end_turn", "stop_sequence"})
PLAIN = frozenset({"text", "thinking", "redacted_thinking"})  # an answer of anything else has begun to act
# A clock that is set back must not keep answers alive for as long as it was wrong.
AHEAD_MS_MAX = 60_000


class _Named(msgspec.Struct):
    name: str = ""


class _Typed(msgspec.Struct):
    type: str = ""


class _Source(msgspec.Struct):
    type: str = ""
    content: msgspec.Raw = msgspec.Raw(b"")


class _Message(msgspec.Struct):
    content: list[_Typed]


_TOOLS = msgspec.json.Decoder(list[_Named])
_MESSAGE = msgspec.json.Decoder(_Message)
_SOURCE = msgspec.json.Decoder(_Source)
_INNER = msgspec.json.Decoder(list[Block])


class Age(StrEnum):
    FRESH = "fresh"
    STALE = "stale"  # only where no model answers
    GONE = "gone"


def reply_key(ask: Ask, caller: Caller, rules: Rulebook, rule_name: str | None) -> bytes | None:
    """What a request's answer is found by; None where its answer may neither be given again nor be shared.

    Two requests have one key when everything that an answer can hang on is the same. With nothing ignored the
    bytes of each field are compared: two orders of keys inside a value are two requests.
    """
    if not repeatable(ask):
        return None
    digest = begun(b"tierwise reply 1", ask, caller, rules, rule_name)
    add_body(digest, ask, rules.policy.replies.ignore)
    return digest.digest()


def may_share(ask: Ask, rules: Rulebook, task_name: str | None) -> bool:
    """May it be answered by the call of an equal request that is under way? Ask before there is a task, and after."""
    return rules.policy.replies.single_flight and repeatable(ask) and not _is_personal(rules, task_name)


def may_give(ask: Ask, rules: Rulebook, task_name: str | None) -> bool:
    """May it be answered from what is kept? `task_name` where it is known already."""
    return ask.words.cache == "use" and repeatable(ask) and not _is_personal(rules, task_name)


def may_keep(ask: Ask, reply: Reply, body: bytes, rules: Rulebook, task_name: str) -> Keep | None:
    """For how long this answer is kept; None where it is not. `body` is the whole message."""
    keep = keep_of(rules, task_name)
    if keep is None or not repeatable(ask) or not _has_ended(reply):
        return None
    return keep if _tools_are_safe(ask, rules) and _only_talks(body) and not _looks_elsewhere(ask) else None


def keep_of(rules: Rulebook, task_name: str | None) -> Keep | None:
    """The task's own word, else the policy's; None where nothing of it is ever kept."""
    if _is_personal(rules, task_name):
        return None
    task = rules.tasks.get(task_name or "")
    own = task.keep if task is not None else None
    keep = own or Keep(ttl_s=rules.policy.replies.ttl_s, stale_s=rules.policy.replies.stale_s)
    return keep if keep.ttl_s or keep.stale_s else None


def until_ms(keep: Keep, now_ms: int) -> tuple[int, int]:
    """Until when an answer that is made now is fresh, and until when it is better than nothing."""
    fresh_ms = now_ms + round(keep.ttl_s * 1000)
    return fresh_ms, fresh_ms + round(keep.stale_s * 1000)


def age(kept: KeptReply, now_ms: int) -> Age:
    if now_ms >= kept.stale_ms or now_ms < kept.made_ms - AHEAD_MS_MAX:
        return Age.GONE
    return Age.FRESH if now_ms < kept.fresh_ms else Age.STALE


def age_s(kept: KeptReply, now_ms: int) -> float:
    return max(0, now_ms - kept.made_ms) / 1000


def _is_personal(rules: Rulebook, task_name: str | None) -> bool:
    task = rules.tasks.get(task_name or "")
    return task is not None and task.personal


def _has_ended(reply: Reply) -> bool:
    return reply.complete and not reply.empty and reply.stop_reason in ENDED


def _tools_are_safe(ask: Ask, rules: Rulebook) -> bool:
    raw = ask.fields.get("tools")
    if raw is None:
        return True
    try:
        return all(tool.name in rules.policy.replies.safe_tools for tool in _TOOLS.decode(raw))
    except msgspec.DecodeError:
        return False


def _only_talks(body: bytes) -> bool:
    try:
        return all(block.type in PLAIN for block in _MESSAGE.decode(body).content)
    except msgspec.DecodeError:
        return False


def _looks_elsewhere(ask: Ask) -> bool:
    """Does it bring pictures or documents by address? What is there may be another thing tomorrow."""
    raw = bytes(ask.fields["messages"])
    if b"url" not in raw and b"\\u" not in raw:
        return False
    try:
        turns = TURNS.decode(raw)
        return any(_is_elsewhere(block) for turn in turns if isinstance(turn.content, list) for block in turn.content)
    except msgspec.DecodeError:
        return True


def _is_elsewhere(block: Block) -> bool:
    inner = block.content
    if block.type in MEDIA and isinstance(block.source, msgspec.Raw):
        source = _SOURCE.decode(block.source)
        if source.type == "url":
            return True
        inner = source.content
    listed = bytes(inner) if isinstance(inner, msgspec.Raw) else b""
    return listed[:1] == b"[" and any(_is_elsewhere(one) for one in _INNER.decode(listed))
