"""CPU of one call, ours beside the SDK's own: `python -m tests.upstream.measure`.

The API is a raw server in a process of its own, so that this process's CPU time is the client's alone.
Each figure is the best of several rounds: what the code costs, not what the machine was busy with.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import cast

import anthropic
import uvloop

from router.upstream.claude import ClaudeUpstream

from .calls import BODY, PLAIN, STREAM
from .rawserver import SSE, chunk, events, head, http, message

CALLS = 400
ROUNDS = 5
DELTAS = 100
PAUSE_S = 0.001  # between two events of a stream, so that each comes in a read of its own


class Api(asyncio.Protocol):
    """Answers whatever comes, at once: a stream where the path asks for one."""

    def __init__(self) -> None:
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        headers, mark, body = self._seen.partition(b"\r\n\r\n")
        length = int(headers.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if not mark or len(body) < length or self._transport is None:
            return
        self._seen = b""
        if b"anthropic-deltas" not in headers.lower():
            self._transport.write(http(200, message("Paris. " * 20)))
            return
        count = int(headers.lower().partition(b"anthropic-deltas:")[2].partition(b"\r\n")[0])
        texts = events(*(["word "] * count)) if count else events("x")
        self._next([head(SSE), *(chunk(text) for text in texts), b"0\r\n\r\n"])

    def _next(self, parts: list[bytes]) -> None:
        assert self._transport is not None
        self._transport.write(parts.pop(0))
        if parts:
            asyncio.get_running_loop().call_later(PAUSE_S, self._next, parts)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Api, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def best_us(call: Callable[[], Awaitable[object]], calls: int = CALLS) -> float:
    """CPU microseconds of one call."""
    for _ in range(calls // 4):
        await call()
    rounds = []
    for _ in range(ROUNDS):
        before = cpu_s()
        for _ in range(calls):
            await call()
        rounds.append((cpu_s() - before) / calls * 1e6)
    return min(rounds)


async def measure(url: str) -> None:
    upstream = ClaudeUpstream(base_url=url, api_key="key")
    sdk = anthropic.AsyncAnthropic(
        base_url=url, api_key="key", max_retries=0, http_client=anthropic.DefaultAioHttpClient()
    )
    httpx_sdk = anthropic.AsyncAnthropic(base_url=url, api_key="key", max_retries=0)

    async def plain() -> None:
        answer = await upstream.send(PLAIN)
        assert answer.reply is not None

    async def typed(client: anthropic.AsyncAnthropic) -> None:
        question: anthropic.types.MessageParam = {"role": "user", "content": "Where is the Louvre?"}
        await client.messages.create(model="claude-haiku-5-5", max_tokens=9, messages=[question])

    async def streamed(deltas: int) -> None:
        answer = await upstream.send(type(STREAM)(body=BODY, stream=True, headers=(("anthropic-deltas", str(deltas)),)))
        async for _ in answer.frames():
            pass
        await answer.close()

    def say(what: str, us: float) -> None:
        sys.stdout.write(f"{what:46} {us:8.1f} us of CPU\n")

    say("our plain call", await best_us(plain))
    say("the SDK's typed messages.create, aiohttp", await best_us(lambda: typed(sdk)))
    say("the SDK's typed messages.create, httpx2", await best_us(lambda: typed(httpx_sdk)))
    short_us = await best_us(lambda: streamed(0), 20)
    long_us = await best_us(lambda: streamed(DELTAS), 10)
    say("one stream of nine events", short_us)
    say("each further delta, in a read of its own", (long_us - short_us) / (DELTAS - 1))
    for client in (upstream, sdk, httpx_sdk):
        await client.close()


def main() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.upstream.measure", "serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            uvloop.run(measure(f"http://127.0.0.1:{server.stdout.readline().strip()}"))
        finally:
            server.kill()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        main()
