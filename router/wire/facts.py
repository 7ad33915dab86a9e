"""What decisions may know of a Messages body: sizes and shapes, read in one typed pass, never text.

Rule: pure. Only what a fact needs is built; unknown fields and block types pass unseen. A wrong type
is a RequestError that names its path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ..errors import RequestError
from ..vocabulary import Facts

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType


class Mark(msgspec.Struct):
    ttl: str | None = None


class Inner(msgspec.Struct):
    """A block inside a tool result."""

    type: str = ""
    cache_control: Mark | None = None


class Block(msgspec.Struct):
    type: str = ""
    content: msgspec.Raw | Unset = UNSET  # of a tool result; looked into only where there is one
    cache_control: Mark | None = None


class Turn(msgspec.Struct):
    role: str
    content: str | list[Block]


class Tool(msgspec.Struct):
    cache_control: Mark | None = None


class OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: msgspec.Raw | None = None


class Typed(msgspec.Struct):
    type: str | None = None


_TURNS = msgspec.json.Decoder(list[Turn])
_INNER = msgspec.json.Decoder(list[Inner])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_TOOLS = msgspec.json.Decoder(list[Tool])
_SYSTEM = msgspec.json.Decoder(str | list[Block])
_MARK = msgspec.json.Decoder(Mark | None)
_OUTPUT = msgspec.json.Decoder(OutputConfig)
_TYPED = msgspec.json.Decoder(Typed | None)
_STRING = msgspec.json.Decoder(str)
_OPTIONAL_STRING = msgspec.json.Decoder(str | None)
_BOOL = msgspec.json.Decoder(bool, strict=True)
_WHOLE = msgspec.json.Decoder(int, strict=True)
_NUMBER = msgspec.json.Decoder(float | None)

_PATH = re.compile(r" - at `\$(.*)`$")
_SAMPLING = ("temperature", "top_p", "top_k")


def read_facts(fields: Mapping[str, msgspec.Raw], headers: Mapping[str, str], body_bytes: int) -> Facts:
    """The facts of a Messages body. Raises RequestError(router_bad_request) with the field's path."""
    turns = _turns(fields)
    system = _read(_SYSTEM, fields, "system", "")
    tools = _read(_TOOLS, fields, "tools", [])
    output = _read(_OUTPUT, fields, "output_config", OutputConfig())
    ttls = tuple(_ttls(fields, tools, system, turns))
    last = turns[-1]
    betas = headers.get("anthropic-beta", "")
    return Facts(
        model=_read(_STRING, fields, "model", ""),
        stream=_read(_BOOL, fields, "stream", False),
        max_tokens=_max_tokens(fields),
        body_bytes=body_bytes,
        tools_bytes=_size(fields, "tools"),
        system_bytes=_size(fields, "system"),
        messages_bytes=_size(fields, "messages"),
        tool_count=len(tools),
        image_count=_count(turns, "image"),
        document_count=_count(turns, "document"),
        turns=len(turns),
        last_role=last.role,
        last_is_tool_result=_is_tool_result(last),
        has_thinking_blocks=_count(turns, "thinking") + _count(turns, "redacted_thinking") > 0,
        thinking=_kind(fields, "thinking"),
        effort=output.effort,
        has_format=output.format is not None,
        tool_choice=_kind(fields, "tool_choice"),
        sampling=_sampling(fields),
        prefill=last.role == "assistant",
        speed=_read(_OPTIONAL_STRING, fields, "speed", None),
        inference_geo=_read(_OPTIONAL_STRING, fields, "inference_geo", None),
        marks=len(ttls),
        mark_ttls=ttls,
        prefix_fingerprint=_digest(fields.get("tools", b""), fields.get("system", b"")),
        session=_session(fields, headers),
        betas=tuple(beta.strip() for beta in betas.split(",") if beta.strip()),
        api_version=headers.get("anthropic-version", ""),
    )


def _turns(fields: Mapping[str, msgspec.Raw]) -> list[Turn]:
    if "messages" not in fields:
        raise wrong("messages", "is required: a list of turns")
    turns: list[Turn] = _read(_TURNS, fields, "messages", [])
    if not turns:
        raise wrong("messages", "needs at least one turn")
    return turns


def _max_tokens(fields: Mapping[str, msgspec.Raw]) -> int | None:
    if "max_tokens" not in fields:
        return None
    value: int = _read(_WHOLE, fields, "max_tokens", 0)
    if not 0 <= value < 2**63:
        raise wrong("max_tokens", "must not be negative, nor larger than any model's output")
    return value


def _sampling(fields: Mapping[str, msgspec.Raw]) -> tuple[tuple[str, float], ...]:
    given = ((name, _read(_NUMBER, fields, name, None)) for name in _SAMPLING if name in fields)
    return tuple((name, value) for name, value in given if value is not None)


def _kind(fields: Mapping[str, msgspec.Raw], name: str) -> str | None:
    found: Typed | None = _read(_TYPED, fields, name, None)
    return None if found is None else found.type


def _size(fields: Mapping[str, msgspec.Raw], name: str) -> int:
    raw = fields.get(name)
    return 0 if raw is None else len(memoryview(raw))


def _blocks(turn: Turn) -> list[Block]:
    return turn.content if isinstance(turn.content, list) else []


def _count(turns: list[Turn], kind: str) -> int:
    direct = sum(1 for turn in turns for block in _blocks(turn) if block.type == kind)
    return direct + sum(1 for turn in turns for inner in _inner(turn) if inner.type == kind)


def _inner(turn: Turn) -> Iterator[Inner]:
    for block in _blocks(turn):
        if block.type == "tool_result" and block.content is not UNSET and bytes(block.content)[:1] == b"[":
            yield from _INNER.decode(block.content)


def _is_tool_result(turn: Turn) -> bool:
    blocks = _blocks(turn)
    return turn.role == "user" and bool(blocks) and all(block.type == "tool_result" for block in blocks)


def _ttls(
    fields: Mapping[str, msgspec.Raw], tools: list[Tool], system: str | list[Block], turns: list[Turn]
) -> Iterator[str]:
    """The TTL of every mark, in the order in which the API reads the body."""
    system_blocks = system if isinstance(system, list) else []
    yield from _of_marks(tool.cache_control for tool in tools)
    yield from _of_marks(block.cache_control for block in system_blocks)
    for turn in turns:
        yield from _of_marks(block.cache_control for block in _blocks(turn))
        yield from _of_marks(inner.cache_control for inner in _inner(turn))
    yield from _of_marks((_read(_MARK, fields, "cache_control", None),))


def _of_marks(marks: Iterable[Mark | None]) -> Iterator[str]:
    return (mark.ttl or "5m" for mark in marks if mark is not None)


def _session(fields: Mapping[str, msgspec.Raw], headers: Mapping[str, str]) -> str | None:
    harness = headers.get("x-claude-code-session-id")
    if harness:
        return f"cc:{_digest(harness.encode())}"
    opener = _ELEMENTS.decode(fields["messages"])[0]
    return f"op:{_digest(fields.get('tools', b''), fields.get('system', b''), opener)}"


def _digest(*parts: msgspec.Raw | bytes) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
        digest.update(b"\x00")
    return digest.hexdigest()


def _read(decoder: Any, fields: Mapping[str, msgspec.Raw], name: str, absent: Any) -> Any:
    raw = fields.get(name)
    if raw is None:
        return absent
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong_type(name, str(error)) from None
    except (msgspec.DecodeError, RecursionError):
        raise wrong(name, "is not readable") from None


def _wrong_type(name: str, error: str) -> RequestError:
    """`Expected `str`, got `int` - at `$[0].role`` becomes `messages[0].role: expected str, got int`."""
    found = _PATH.search(error)
    path = name + (found.group(1) if found else "")
    said = error[: found.start()] if found else error
    plain = said.replace("`", "")
    return wrong(path, plain[:1].lower() + plain[1:])


def wrong(field: str, message: str) -> RequestError:
    return RequestError("router_bad_request", f"{field}: {message}", field=field)
