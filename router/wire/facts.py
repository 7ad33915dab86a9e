"""What decisions may know of a Messages body: sizes and shapes, read in one typed pass, never text.

Rule: pure. A wrong type is a RequestError that names its path; what is not named here is not looked at.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from ..vocabulary import Facts
from .blocks import MARK, SYSTEM, TOOLS, TURNS, Tally, Turn
from .fields import read, wrong

_HARNESS = "x-claude-code-session-id"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SAMPLING = ("temperature", "top_p", "top_k")
# Of a longer opener only both ends and the length are hashed: a picture's bytes differ early.
_OPENER_END = 64 * 1024


class Typed(msgspec.Struct):
    type: str | None = None


class OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: Typed | None = None


_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_OUTPUT = msgspec.json.Decoder(OutputConfig)
_TYPED = msgspec.json.Decoder(Typed | None)
_STRING = msgspec.json.Decoder(str)
_OPTIONAL_STRING = msgspec.json.Decoder(str | None)
_BOOL = msgspec.json.Decoder(bool)
_WHOLE = msgspec.json.Decoder(int)
_NUMBER = msgspec.json.Decoder(float | None)
_NO_OUTPUT = OutputConfig()


def read_facts(fields: Mapping[str, msgspec.Raw], headers: Mapping[str, str], body_bytes: int) -> Facts:
    """The facts of a Messages body. Raises RequestError(router_bad_request) with the field's path."""
    turns = _turns(fields)
    system = read(SYSTEM, fields, "system", "")
    tools = read(TOOLS, fields, "tools", [])
    output = read(_OUTPUT, fields, "output_config", _NO_OUTPUT)
    tally = Tally()
    tally.tools(tools)
    tally.system(system)
    tally.turns(turns)
    tally.mark(read(MARK, fields, "cache_control", None))
    kinds = tally.kinds
    last = turns[-1]
    return Facts(
        model=read(_STRING, fields, "model", ""),
        stream=read(_BOOL, fields, "stream", False),
        max_tokens=_max_tokens(fields),
        body_bytes=body_bytes,
        tools_bytes=_size(fields, "tools"),
        system_bytes=_size(fields, "system"),
        messages_bytes=_size(fields, "messages"),
        media_bytes=tally.media_bytes,
        tool_count=len(tools),
        image_count=kinds.get("image", 0),
        document_count=kinds.get("document", 0),
        turns=len(turns),
        last_role=last.role,
        last_is_tool_result=_is_tool_result(last),
        has_thinking_blocks="thinking" in kinds or "redacted_thinking" in kinds,
        thinking=_kind(fields, "thinking"),
        effort=output.effort,
        has_format=output.format is not None,
        tool_choice=_kind(fields, "tool_choice"),
        sampling=_sampling(fields),
        prefill=last.role == "assistant",
        speed=read(_OPTIONAL_STRING, fields, "speed", None),
        inference_geo=read(_OPTIONAL_STRING, fields, "inference_geo", None),
        marks=len(tally.ttls),
        mark_ttls=tuple(tally.ttls),
        prefix_fingerprint=_digest(fields.get("tools", b""), fields.get("system", b"")),
        session=session_of_harness(headers) or _session_of_opener(fields),
        betas=tuple(beta.strip() for beta in headers.get("anthropic-beta", "").split(",") if beta.strip()),
        api_version=headers.get("anthropic-version", ""),
    )


def session_of_harness(headers: Mapping[str, str]) -> str | None:
    """The session that a coding harness names; an odd name is known by its hash."""
    named = headers.get(_HARNESS)
    if not named:
        return None
    return f"cc:{named if _PLAIN_ID.fullmatch(named) else _digest(named.encode('utf-8', 'replace'))}"


def _session_of_opener(fields: Mapping[str, msgspec.Raw]) -> str:
    """The body's own: conversations that began with the same words, tools and system are taken for one."""
    opener = memoryview(_ELEMENTS.decode(fields["messages"])[0])
    ends: tuple[memoryview | bytes, ...] = (opener,)
    if len(opener) > 2 * _OPENER_END:
        ends = (opener[:_OPENER_END], opener[-_OPENER_END:], str(len(opener)).encode())
    return f"op:{_digest(fields.get('tools', b''), fields.get('system', b''), *ends)}"


def _turns(fields: Mapping[str, msgspec.Raw]) -> list[Turn]:
    if "messages" not in fields:
        raise wrong("messages", "is required: a list of turns")
    turns = read(TURNS, fields, "messages", [])
    if not turns:
        raise wrong("messages", "needs at least one turn")
    return turns


def _max_tokens(fields: Mapping[str, msgspec.Raw]) -> int | None:
    if "max_tokens" not in fields:
        return None
    value = read(_WHOLE, fields, "max_tokens", 0)
    if not 0 <= value < 2**63:
        raise wrong("max_tokens", "must not be negative, nor larger than any model's output")
    return value


def _sampling(fields: Mapping[str, msgspec.Raw]) -> tuple[tuple[str, float], ...]:
    given = ((name, read(_NUMBER, fields, name, None)) for name in _SAMPLING if name in fields)
    return tuple((name, value) for name, value in given if value is not None)


def _kind(fields: Mapping[str, msgspec.Raw], name: str) -> str | None:
    found = read(_TYPED, fields, name, None)
    return None if found is None else found.type


def _size(fields: Mapping[str, msgspec.Raw], name: str) -> int:
    raw = fields.get(name)
    return 0 if raw is None else len(memoryview(raw))


def _is_tool_result(turn: Turn) -> bool:
    blocks = turn.content
    return (
        turn.role == "user"
        and isinstance(blocks, list)
        and bool(blocks)
        and all(b.type == "tool_result" for b in blocks)
    )


def _digest(*parts: msgspec.Raw | memoryview | bytes) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
        digest.update(b"\x00")
    return digest.hexdigest()
