"""Cache diagnostics of the stand-in, as the SDK asks for them and as the router does when its policy says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import msgspec
import pytest

from router.clock import SystemClock
from router.standin import running_standin
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Caller
from router.wire.ask import read_messages

from ..rulebooks import rules_from
from ..worlds import World

MODEL = "claude-sonnet-5-5"
SYSTEM = "You help. " * 400
TOOL: Any = {"name": "a", "description": "b", "input_schema": {"type": "object"}}
BASE: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 60,
    "system": SYSTEM,
    "tools": [TOOL],
    "messages": [{"role": "user", "content": "one"}],
}
NEXT = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "two"},
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"messages": NEXT}, None),
        ({"model": "claude-opus-5-5"}, "model_changed"),
        ({"tools": [{**TOOL, "name": "z"}]}, "tools_changed"),
        ({"system": "!" + SYSTEM}, "system_changed"),
        ({"messages": [{"role": "user", "content": "other"}]}, "messages_changed"),
    ],
)
async def test_the_first_level_that_differs_is_named(changes: dict[str, Any], said: str | None) -> None:
    async with running_standin(clock=SystemClock()) as standin:
        client = anthropic.AsyncAnthropic(base_url=standin.url, api_key="k")
        first = await client.messages.create(**BASE, extra_body={"diagnostics": {"previous_message_id": None}})
        asked = {"diagnostics": {"previous_message_id": first.id}}
        second = await client.messages.create(**{**BASE, **changes}, extra_body=asked)
        odd = {"diagnostics": {"previous_message_id": "msg_gone"}}
        third = await client.messages.create(**BASE, extra_body=odd)
        await client.close()
    found, missing = second.to_dict().get("diagnostics"), third.to_dict().get("diagnostics")
    assert first.to_dict().get("diagnostics") is None
    assert missing == {"cache_miss_reason": {"type": "previous_message_not_found"}}
    if said is None:
        assert found is None
    else:
        assert isinstance(found, dict)
        assert found["cache_miss_reason"]["type"] == said
        assert found["cache_miss_reason"]["cache_missed_input_tokens"] > 0


POLICY = """
tiers: {sonnet: {model: claude-sonnet-5-5}}
classifier: {enabled: false}
cache: {diagnostics: true}
"""


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_the_router_asks_and_the_ledger_holds_what_the_api_says(stream: bool, tmp_path: Path) -> None:
    async with running_standin(clock=SystemClock()) as standin:
        upstream = ClaudeUpstream(base_url=standin.url, api_key="k")
        world = World(upstream=upstream, rules=lambda: rules_from(POLICY, tmp_path))
        for system, turns in ((SYSTEM, BASE["messages"]), ("!" + SYSTEM, NEXT)):
            body = {**BASE, "model": "auto", "system": system, "messages": turns, "stream": stream}
            ask = read_messages(msgspec.json.encode(body), {"x-router-session": "s"})
            served = await world.pipeline.handle(ask, Caller(tenant="t", request_id="r"))
            if served.chunks is not None:
                assert b"message_stop" in b"".join([chunk async for chunk in served.chunks])
        await upstream.close()
    first, second = world.ledger.rows
    assert first.cache_cause == "first"
    assert second.cache_cause in ("prefix_changed", "first")
