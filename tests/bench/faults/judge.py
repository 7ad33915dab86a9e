"""What an answer is to the one who asked: whole, an error, or a part that is passed off as the whole.

Rule: pure, and strict: whole is only what the stand-in would have said, word for word, or what says of itself
that it is canned. Whoever passes off a part is counted, whichever system it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Ended = Literal["clean", "broken", "timeout", "refused"]  # how the response's framing ended
Kind = Literal["whole", "error", "passed_off", "silent"]
CANNED = "router/canned"


@dataclass(frozen=True)
class Raw:
    """One response as it came over the socket."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    ended: Ended


@dataclass(frozen=True)
class Verdict:
    """`silent` is a stream whose framing is in order, without its end and without an error: SDKs take it as it is."""

    kind: Kind
    why: str = ""
    message_id: str = ""
    model: str = ""
    served_by: str = ""  # as the answer says itself; empty: it does not say


def judge(raw: Raw, expected: str, stream: bool) -> Verdict:
    if raw.status != 200:
        return Verdict("error", why=raw.ended if raw.ended != "clean" else f"status {raw.status}")
    if stream:
        return _judge_stream(raw, expected)
    return _judge_whole(raw, expected)


def _judge_whole(raw: Raw, expected: str) -> Verdict:
    if raw.ended != "clean":
        return Verdict("error", why=raw.ended)
    try:
        message = json.loads(raw.body)
    except ValueError:
        return Verdict("error", why="no JSON")
    if not isinstance(message, dict) or message.get("type") != "message":
        return Verdict("error", why="no message")
    text = "".join(block.get("text", "") for block in message.get("content", ()) if block.get("type") == "text")
    receipt = message.get("router") or {}
    return _weighed(text, expected, message, _served_by(raw, receipt, message))


def _judge_stream(raw: Raw, expected: str) -> Verdict:
    """Reads to the end first: an error makes whatever came before it an honest part."""
    message: dict[str, Any] = {}
    receipt: dict[str, Any] = {}
    text, stopped, begun = [], False, 0
    for name, data in events(raw.body):
        if data is None or name == "error":
            return Verdict("error", why="no JSON" if data is None else "error event")
        if name == "message_start":
            message, begun = data.get("message") or {}, begun + 1
        elif name == "content_block_delta":
            text.append(data.get("delta", {}).get("text", ""))
        elif name == "router":
            receipt |= data
        stopped = stopped or name == "message_stop"
    if not stopped:
        return Verdict("silent", why="no message_stop") if raw.ended == "clean" else Verdict("error", why=raw.ended)
    if begun != 1:
        return Verdict("passed_off", why=f"{begun} message_start")
    return _weighed("".join(text), expected, message, _served_by(raw, receipt, message))


def _weighed(text: str, expected: str, message: Mapping[str, Any], served_by: str) -> Verdict:
    """An answer that claims to be whole, and whether it is."""
    kind: Kind = "whole" if text == expected or served_by == "canned" else "passed_off"
    return Verdict(
        kind,
        why="" if kind == "whole" else "another text",
        message_id=str(message.get("id", "")),
        model=str(message.get("model", "")),
        served_by=served_by,
    )


def _served_by(raw: Raw, receipt: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """Our own receipts and headers; other systems say nothing here."""
    if message.get("model") == CANNED:
        return "canned"
    said = receipt.get("served_by") or raw.headers.get("x-router-served-by")
    fallback = raw.headers.get("x-router-fallback", "")
    return str(said or (fallback if fallback in ("canned", "stale", "cache") else ""))


def events(body: bytes) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The name and data of every event that is whole; None for data that does not parse."""
    *blocks, _unfinished = body.replace(b"\r\n", b"\n").split(b"\n\n")
    for block in blocks:
        name, data = "", b""
        for line in block.split(b"\n"):
            if line.startswith(b"event:"):
                name = line[6:].strip().decode()
            elif line.startswith(b"data:"):
                data += line[5:].strip()
        if data:
            yield name, _read(data)


def _read(data: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(data)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
