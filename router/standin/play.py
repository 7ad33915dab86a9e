"""A response as a play: a head, frames with pauses between them, and how it ends.

Rule: pure data and pure changes of it. A fault is a change of a play that would have gone well;
connection.py performs whatever comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec

from .bill import Entry
from .faults import Fault
from .messages import Frame, event

PADDING = b"a" * 65_536
HUGE_BYTES = 40 * 1024 * 1024
ERROR_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 408: "timeout_error", 409: "conflict_error", 413: "request_too_large",
    429: "rate_limit_error", 500: "api_error", 503: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


class Ending(Enum):
    CLEAN = "clean"
    CUT = "cut"  # the connection is closed in the middle
    SILENT = "silent"  # nothing more comes until the client leaves


class Play(msgspec.Struct, kw_only=True):
    """One response, ready to be performed."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    frames: list[Frame]
    stream: bool = False
    head_delay_s: float = 0.0
    speechless: bool = False  # not even a head
    ending: Ending = Ending.CLEAN
    whole: bool = True  # it will be the answer that was meant
    length: int | None = None  # the content-length that is promised; None: that of the frames
    begin: Callable[[], None] | None = None  # called when the first byte goes out
    entry: Entry | None = None
    stop_reason: str = ""
    thinking_tokens: int = 0


def spoil(play: Play, fault: Fault) -> None:
    """Change a play as the fault says. Kinds that change the answer itself are not for here."""
    if fault.kind == "slow_head":
        play.head_delay_s += fault.delay_s if fault.delay_s is not None else 60.0
    elif fault.kind in ("cut", "stall", "garbage"):
        _break_off(play, fault)
    elif fault.kind == "huge":
        _swell(play, fault)
    elif play.stream:
        _spoil_stream(play, fault)


def error_type(fault: Fault, status: int) -> str:
    return fault.error_type or ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def _break_off(play: Play, fault: Fault) -> None:
    if not play.stream:
        play.length = sum(len(frame.data) for frame in play.frames)
    before, after = _parted(play, fault)
    if fault.kind == "stall" and fault.delay_s is not None:
        play.frames = [*before, after[0]._replace(pause_s=fault.delay_s), *after[1:]] if after else before
        return
    play.frames = before
    play.whole = False
    if fault.kind == "cut":
        play.ending = Ending.CUT
    elif fault.kind == "stall":
        play.ending = Ending.SILENT
    else:
        play.length = None
        rubbish = b'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n' if play.stream else b""
        play.frames.append(Frame(rubbish, before[-1].output_tokens if before else 0))


def _parted(play: Play, fault: Fault) -> tuple[list[Frame], list[Frame]]:
    """The frames before and after the break: by events, by bytes, or in the middle."""
    if fault.after_bytes is None and play.stream:
        count = fault.after_events if fault.after_events is not None else len(play.frames) // 2
        return play.frames[:count], play.frames[count:]
    left = fault.after_bytes if fault.after_bytes is not None else len(play.frames[0].data) // 2
    before: list[Frame] = []
    for index, frame in enumerate(play.frames):
        if left < len(frame.data):
            rest = frame._replace(data=frame.data[left:], pause_s=0.0)
            return [*before, *([frame._replace(data=frame.data[:left])] if left else [])], [
                rest,
                *play.frames[index + 1 :],
            ]
        before.append(frame)
        left -= len(frame.data)
    return before, []


def _spoil_stream(play: Play, fault: Fault) -> None:
    count = fault.after_events
    if fault.kind == "no_message_stop":
        play.frames = play.frames[: count if count is not None else -1]
        play.whole = False
    elif fault.kind == "drop_event":
        dropped = count if count is not None else 1
        play.frames = [frame for index, frame in enumerate(play.frames) if index != dropped]
    elif fault.kind == "stream_error":
        kept = play.frames[: count if count is not None else 1]
        status = fault.status if fault.status != 500 else 529
        error: dict[str, object] = {"type": error_type(fault, status), "message": fault.message or "Overloaded"}
        if fault.error_code is not None:
            error["details"] = {"error_code": fault.error_code}
        play.frames = [*kept, Frame(event("error", {"error": error}), kept[-1].output_tokens if kept else 0)]
        play.whole = False


def _swell(play: Play, fault: Fault) -> None:
    """Far more bytes than anybody asked for: in a stream as one endless line."""
    size = fault.after_bytes if fault.after_bytes is not None else HUGE_BYTES
    padding = [Frame(PADDING, play.frames[-1].output_tokens)] * (-(-size // len(PADDING)))
    if play.stream:
        tokens = play.frames[0].output_tokens
        opening = Frame(b'event: ping\ndata: {"type":"ping","padding":"', tokens)
        padding = [Frame(PADDING, tokens)] * len(padding)
        play.frames = [play.frames[0], opening, *padding, Frame(b'"}\n\n', tokens), *play.frames[1:]]
        return
    body, tokens = play.frames[0].data, play.frames[0].output_tokens
    play.frames = [Frame(body[:-1] + b',"padding":"', tokens), *padding, Frame(b'"}', tokens)]
