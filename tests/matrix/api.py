"""An API that plays for each model what a test says, with every byte in its own hand; left alone, it answers well.

Rule: no test here. A play gets the connection and the request, and says whether the connection is good for another
one; every request is remembered with the moment when it came.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ..upstream.rawserver import JSON, Request, Wire, chunked, events, http, message

Play = Callable[[Wire, Request], Awaitable[bool | None]]
CLOSE = "connection: close"
HAIKU = "claude-haiku-5-5"  # whom rawserver's samples name


class Api:
    def __init__(self) -> None:
        self.fresh()

    def fresh(self) -> None:
        self._plays: dict[str, list[Play]] = {}
        self.models: list[str] = []  # who was asked, one after the other
        self.bodies: list[dict[str, Any]] = []
        self.at_s: list[float] = []
        self.connections = 0

    def on(self, model: str, *plays: Play) -> None:
        """The plays of this model's calls, one after the other; the last one is repeated."""
        self._plays[model] = list(plays)

    async def play(self, wire: Wire) -> None:
        """One connection."""
        self.connections += 1
        while await self._answer(wire, await wire.request()):
            pass

    async def _answer(self, wire: Wire, request: Request) -> bool | None:
        body = msgspec.json.decode(request.body)
        self.at_s.append(time.monotonic())
        self.models.append(body["model"])
        self.bodies.append(body)
        plays = self._plays.get(body["model"], [well])
        play = plays.pop(0) if len(plays) > 1 else plays[0]
        return await play(wire, request)


async def well(wire: Wire, request: Request) -> bool:
    """A good answer, in the form that was asked for, by the model that was asked."""
    body = msgspec.json.decode(request.body)
    answer = chunked(*stream_of(body["model"])) if body.get("stream") else http(200, message(model=body["model"]))
    await wire.send(answer)
    return True


def stream_of(model: str, *texts: str) -> tuple[bytes, ...]:
    return tuple(event.replace(HAIKU.encode(), model.encode()) for event in events(*texts))


def sends(*parts: bytes) -> Play:
    """These bytes, and the end of the connection."""

    async def play(wire: Wire, _request: Request) -> None:
        for part in parts:
            await wire.send(part)

    return play


def says(status: int, body: bytes, *headers: str) -> Play:
    """A whole response."""
    return sends(http(status, body, *(headers or (JSON,)), CLOSE))


def then_silence(*parts: bytes) -> Play:
    """These bytes, and nothing more until the service hangs up."""

    async def play(wire: Wire, _request: Request) -> None:
        for part in parts:
            await wire.send(part)
        await wire.gone()

    return play


async def hangs_up(_wire: Wire, _request: Request) -> None:
    """Not a byte."""


async def resets(wire: Wire, _request: Request) -> None:
    wire.cut()
