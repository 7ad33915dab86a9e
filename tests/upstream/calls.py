"""Calls as tests make them: to a server of their own, with short patience."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.errors import Broken
from router.ports import Call
from router.upstream.answer import ClaudeAnswer
from router.upstream.caps import DEFAULT_CAPS, Caps
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Outcome

from .rawserver import RawServer, Script, answering, serving

BODY = b'{"model":"claude-haiku-5-5","max_tokens":9,"messages":[{"role":"user","content":"Where is the Louvre?"}]}'
PLAIN = Call(body=BODY)
STREAM = Call(body=BODY, stream=True)


@asynccontextmanager
async def upstream_to(
    script: Script, *, connections: int = 10, caps: Caps = DEFAULT_CAPS
) -> AsyncIterator[tuple[ClaudeUpstream, RawServer]]:
    async with serving(script) as server:
        upstream = ClaudeUpstream(base_url=server.url, api_key="key-of-the-test", connections=connections, caps=caps)
        try:
            yield upstream, server
        finally:
            await upstream.close()


async def answer_to(response: bytes, call: Call = PLAIN, *, caps: Caps = DEFAULT_CAPS) -> ClaudeAnswer:
    """What becomes of one response."""
    async with upstream_to(answering(response), caps=caps) as (upstream, _):
        return await upstream.send(call)


async def outcome_to(response: bytes, call: Call = PLAIN, *, caps: Caps = DEFAULT_CAPS) -> Outcome:
    answer = await answer_to(response, call, caps=caps)
    assert answer.outcome is not None
    return answer.outcome


async def frames_of(answer: ClaudeAnswer) -> tuple[list[bytes], Broken | None]:
    """Every run of a stream, and what broke it."""
    runs: list[bytes] = []
    try:
        async for run in answer.frames():
            runs.append(run)  # noqa: PERF401 - what came before a break counts
    except Broken as broken:
        return runs, broken
    finally:
        await answer.close()
    return runs, None


async def stream_of(script: Script, call: Call = STREAM, *, caps: Caps = DEFAULT_CAPS) -> tuple[bytes, Broken | None]:
    """All bytes of one stream, and what broke it."""
    async with upstream_to(script, caps=caps) as (upstream, _):
        runs, broken = await frames_of(await upstream.send(call))
        return b"".join(runs), broken
