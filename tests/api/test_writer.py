"""What was begun is ended: the source of a stream is closed on every way out, also before its first chunk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from litestar.types import Message

from router.api.writer import Writer
from router.serving import Served


class Source:
    """A stream that notes how it ended."""

    def __init__(self) -> None:
        self.settled = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            yield b"two"
        finally:
            self.settled += 1


@pytest.mark.parametrize("fails_at", [0, 1, 2, 3])
@pytest.mark.anyio
async def test_a_stream_is_settled_once_wherever_its_caller_is_lost(fails_at: int) -> None:
    source, sent = Source(), 0

    async def send(_message: Message) -> None:
        nonlocal sent
        if sent == fails_at:
            raise asyncio.CancelledError
        sent += 1

    with pytest.raises(asyncio.CancelledError):
        await Writer(send, "req").serve(Served(status=200, headers=(), chunks=source.chunks()))
    assert source.settled == 1
