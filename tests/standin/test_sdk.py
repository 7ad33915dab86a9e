"""The real anthropic client takes the stand-in for the API: plain, streamed, tools, thinking, schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from router.standin import Fault, StandIn, running_standin

from .scene import StoppedClock, says

pytestmark = pytest.mark.anyio

TOOL: Any = {
    "name": "look",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
async def standin() -> AsyncIterator[StandIn]:
    async with running_standin(clock=StoppedClock(), keep_requests=True) as running:
        yield running


@pytest.fixture
async def client(standin: StandIn) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=standin.url, api_key="test", max_retries=0) as made:
        yield made


async def test_a_plain_message(client: anthropic.AsyncAnthropic, standin: StandIn) -> None:
    message = await client.messages.create(model="claude-opus-5-5", max_tokens=500, messages=says("hi"))
    assert ["thinking", "text"] == [block.type for block in message.content]
    assert ("end_turn", 4, 54) == (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens)
    assert message.usage.output_tokens_details is not None
    assert 48 == message.usage.output_tokens_details.thinking_tokens
    assert [message._request_id] == [row.request_id for row in standin.bill().rows]


async def test_a_stream_puts_together_what_the_plain_message_says(client: anthropic.AsyncAnthropic) -> None:
    ask: Any = {"model": "claude-sonnet-5-5", "max_tokens": 500, "messages": says("tell me more " * 9)}
    plain = await client.messages.create(**ask)
    async with client.messages.stream(**ask) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_message()
    assert (plain.content[1].text, plain.usage.output_tokens) == (final.content[1].text, final.usage.output_tokens)  # type: ignore[union-attr]
    assert ("message_start", "message_stop") == (kinds[0], kinds[-1])


@pytest.mark.parametrize("display", ["omitted", "summarized"])
async def test_thinking_is_streamed_with_its_signature(client: anthropic.AsyncAnthropic, display: Any) -> None:
    async with client.messages.stream(
        model="claude-haiku-5-5",
        max_tokens=500,
        messages=says("hi"),
        thinking={"type": "adaptive", "display": display},
    ) as stream:
        final = await stream.get_final_message()
    block = final.content[0]
    assert block.type == "thinking"
    assert (display == "summarized", True) == (bool(block.thinking), block.signature.startswith("standin."))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called_and_its_result_taken(client: anthropic.AsyncAnthropic, streamed: bool) -> None:
    ask: Any = {"model": "claude-haiku-5-5", "max_tokens": 500, "tools": [TOOL]}
    turns: list[Any] = says("use the tool for Paris")
    if streamed:
        async with client.messages.stream(**ask, messages=turns) as stream:
            message = await stream.get_final_message()
    else:
        message = await client.messages.create(**ask, messages=turns)
    call = next(block for block in message.content if block.type == "tool_use")
    assert ("tool_use", {"city": "use the tool for Paris"}) == (message.stop_reason, call.input)
    turns += [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    after = await client.messages.create(**ask, messages=turns)
    assert "You asked: sunny" == next(block.text for block in after.content if block.type == "text")


class Verdict(BaseModel):
    task: str
    sure: bool


async def test_structured_output_is_parsed(client: anthropic.AsyncAnthropic) -> None:
    parsed = await client.messages.parse(
        model="claude-haiku-5-5", max_tokens=500, messages=says("hi"), output_format=Verdict
    )
    assert Verdict(task="hi", sure=True) == parsed.parsed_output


async def test_counting_and_models(client: anthropic.AsyncAnthropic) -> None:
    counted = await client.messages.count_tokens(model="claude-haiku-5-5", messages=says("a" * 25))
    models = [model async for model in client.models.list(limit=3)]
    one = await client.models.retrieve("claude-haiku-5-5")
    assert (13, 16, 1_000_000) == (counted.input_tokens, len(models), one.max_input_tokens)
    assert one.capabilities is not None
    assert one.capabilities.thinking.types.disabled.supported


async def test_a_batch_from_start_to_results(client: anthropic.AsyncAnthropic) -> None:
    params: Any = {"model": "claude-haiku-5-5", "max_tokens": 500, "messages": says("hi")}
    batch = await client.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
    ended = await client.messages.batches.retrieve(batch.id)
    found = [item async for item in await client.messages.batches.results(batch.id)]
    assert ("in_progress", "ended") == (batch.processing_status, ended.processing_status)
    assert [("a", "succeeded")] == [(item.custom_id, item.result.type) for item in found]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, None, anthropic.RateLimitError),
        (429, "ramp_limit_exceeded", anthropic.RampLimitExceededError),
        (401, None, anthropic.AuthenticationError),
        (404, None, anthropic.NotFoundError),
        (529, None, anthropic.OverloadedError),
        (504, None, anthropic.GatewayTimeoutError),
    ],
)
async def test_each_error_is_the_clients_own_exception(
    client: anthropic.AsyncAnthropic, standin: StandIn, status: int, code: str | None, error: type[Exception]
) -> None:
    standin.faults.add(Fault(kind="status", status=status, error_code=code))
    with pytest.raises(error):
        await client.messages.create(model="claude-haiku-5-5", max_tokens=500, messages=says("hi"))


async def test_the_client_sends_its_key_as_a_bearer_token(client: anthropic.AsyncAnthropic, standin: StandIn) -> None:
    await client.messages.create(model="claude-haiku-5-5", max_tokens=500, messages=says("hi"))
    seen = standin.seen.requests[-1].headers
    assert ("Bearer test", "2026-10-21") == (seen["authorization"], seen["anthropic-version"])
