"""A stream as it comes over the network: pieces of bytes with pauses between them, and how it ends.

Rule: stands where upstream/body.py stands, with the same two promises: `read` in time, and `close` at any time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from random import Random

import aiohttp
import msgspec

from . import bodies
from .truth import Truth

PING_EVERY_S = 8.0
EVENT_BYTES_MAX = 64 * 1024  # so that one that is too big need not be very big


class Chunk(msgspec.Struct):
    """What comes at once."""

    after_s: float
    data: bytes
    seen_output: int = -1  # how many tokens are out, when it has come whole


class SimBody:
    """Bytes under way."""

    def __init__(self, chunks: deque[Chunk], end: str, truth: Truth) -> None:
        self._chunks = chunks
        self._end = end  # eof | hang_up | stall
        self._truth = truth

    async def read(self, within_s: float) -> bytes:
        if not self._chunks:
            return await self._ended(within_s)
        chunk = self._chunks[0]
        if chunk.after_s > within_s:
            await asyncio.sleep(within_s)
            raise TimeoutError
        if chunk.after_s > 0:
            await asyncio.sleep(chunk.after_s)
        self._chunks.popleft()
        self._truth.seen_output = max(self._truth.seen_output, chunk.seen_output)
        return chunk.data

    async def close(self, *, complete: bool = False) -> None:
        self._chunks.clear()
        self._end = "closed"

    async def _ended(self, within_s: float) -> bytes:
        if self._end == "stall":
            await asyncio.sleep(within_s)
            raise TimeoutError
        if self._end == "hang_up":
            raise aiohttp.ClientPayloadError
        return b""


def stream_of(
    opened: Mapping[str, object], answer: tuple[str, int, str], token_s: float, truth: Truth, dice: Random
) -> tuple[deque[Chunk], str]:
    """The whole stream, and what its fault makes of it."""
    text, tokens, stop_reason = answer
    chunks = [Chunk(0.0, bodies.start(opened) + bodies.BLOCK_START, 0)]
    out = 0
    for data, seen in bodies.pieces(text, tokens):
        pause_s = (seen - out) * token_s
        while pause_s > PING_EVERY_S:
            chunks.append(Chunk(PING_EVERY_S, bodies.PING))
            pause_s -= PING_EVERY_S
        chunks.append(Chunk(pause_s, data, seen))
        out = seen
    chunks.append(Chunk(0.0, bodies.BLOCK_STOP + bodies.ending(stop_reason, tokens) + bodies.STOP, tokens))
    spoilt, end = _spoilt(chunks, opened, truth, dice)
    if dice.random() < 0.1:
        spoilt = [part for chunk in spoilt for part in _torn(chunk, dice)]
    return deque(spoilt), end


def _spoilt(chunks: list[Chunk], opened: Mapping[str, object], truth: Truth, dice: Random) -> tuple[list[Chunk], str]:
    fault = truth.fault
    at = int(dice.random() * len(chunks))
    if fault in ("hang_up", "stall"):
        return chunks[:at], fault
    if fault == "cut":
        last = chunks[at]
        return [*chunks[:at], Chunk(last.after_s, last.data[: int(dice.random() * len(last.data))])], "eof"
    if fault == "early_error":
        truth.billed = False
        return [Chunk(0.0, bodies.error_event("overloaded_error"))], "eof"
    late = {
        "garbage_event": dice.choice(bodies.GARBAGE_EVENTS),
        "error_event": bodies.error_event(dice.choice(("overloaded_error", "api_error", "unheard_of"))),
        "second_start": bodies.start(opened),
        "too_big": b"data: " + b"x" * EVENT_BYTES_MAX,
    }.get(fault)
    if late is None:
        return chunks, "eof"
    at = max(1, at)
    return [*chunks[:at], Chunk(0.0, late), *chunks[at:]], "eof"


def _torn(chunk: Chunk, dice: Random) -> list[Chunk]:
    """The network cuts where it likes; what is out counts when the last byte has come."""
    at = int(dice.random() * len(chunk.data))
    return [Chunk(chunk.after_s, chunk.data[:at]), Chunk(0.0, chunk.data[at:], chunk.seen_output)] if at else [chunk]
