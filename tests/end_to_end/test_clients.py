"""An unchanged Anthropic client in front: what travels, travels unchanged; errors keep their bytes."""

from __future__ import annotations

from typing import Any

import anthropic
import msgspec
import pytest

from .street import BETA, PIXEL, TOOL, TURN, Street, messages, raw


@pytest.mark.anyio
async def test_the_sdk_gets_a_message(client: anthropic.AsyncAnthropic) -> None:
    message = await client.messages.create(model="claude-auto", max_tokens=500, messages=[TURN])
    assert message.content[-1].type == "text"
    assert (message.stop_reason, message.model) == ("end_turn", "claude-haiku-5-5")


@pytest.mark.anyio
async def test_the_sdk_streams_a_message(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(model="claude-auto", max_tokens=500, messages=[TURN]) as stream:
        message = await stream.get_final_message()
    assert (message.stop_reason, message.content[-1].type) == ("end_turn", "text")


@pytest.mark.anyio
async def test_the_sdk_sends_tools_images_system_blocks_and_thinking(client: anthropic.AsyncAnthropic) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    content: Any = [{"type": "text", "text": "use the tool"}, image]
    message = await client.messages.create(
        model="claude-auto",
        max_tokens=2000,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        tools=[TOOL],
        thinking={"type": "adaptive"},
        messages=[{"role": "user", "content": content}],
    )
    assert (message.stop_reason, message.content[-1].type) == ("tool_use", "tool_use")


@pytest.mark.anyio
async def test_the_sdk_gets_structured_output(client: anthropic.AsyncAnthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    message = await client.messages.create(
        model="claude-auto",
        max_tokens=500,
        messages=[TURN],
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    said = message.content[-1]
    assert said.type == "text"
    assert list(msgspec.json.decode(said.text)) == ["city"]


@pytest.mark.anyio
async def test_a_conversation_with_thinking_and_tool_results_goes_on(client: anthropic.AsyncAnthropic) -> None:
    asked: list[Any] = [{"role": "user", "content": "use the tool"}]
    first = await client.messages.create(model="claude-auto", max_tokens=2000, tools=[TOOL], messages=asked)
    used = first.content[-1]
    assert used.type == "tool_use"
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "42"}
    said = [block.model_dump(exclude_none=True) for block in first.content]
    turns = [*asked, {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    second = await client.messages.create(model="claude-auto", max_tokens=2000, tools=[TOOL], messages=turns)
    assert (second.model, second.stop_reason) == (first.model, "end_turn")


BODIES: dict[str, dict[str, Any]] = {
    "plain": messages(),
    "unknown fields": messages(context_management={"edits": [{"type": "x"}]}, brand_new=[1, {"a": None}]),
    "marks on tools, system, results": messages(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        tools=[{**TOOL, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[
            {"role": "user", "content": "use the tool"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "tu_1", "name": "look_up", "input": {"what": "x"}}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "tu_1",
                        "content": [{"type": "text", "text": "42"}],
                        "cache_control": {"type": "ephemeral"},
                    }
                ],
            },
        ],
    ),
    "a mark at the top": messages(cache_control={"type": "ephemeral"}),
    "odd spellings": messages(metadata={"user_id": "é \u2028 \U0001f600"}, stop_sequences=["\n\nHuman:"]),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_for_a_named_model_arrives_as_the_bytes_that_left(street: Street, name: str) -> None:
    body = msgspec.json.encode(BODIES[name])
    status, answer = street.front.request("POST", "/v1/messages?beta=true", body, BETA)
    assert status == 200, answer
    assert street.arrived() == [body]


@pytest.mark.parametrize("name", BODIES)
def test_a_routed_body_keeps_every_mark_and_every_byte_but_the_model(street: Street, name: str) -> None:
    sent = {**BODIES[name], "model": "sonnet"}
    status, _ = street.front.request("POST", "/v1/messages", msgspec.json.encode(sent), BETA)
    assert status == 200
    arrived = msgspec.json.decode(street.arrived()[-1], type=dict[str, msgspec.Raw])
    kept = {key: bytes(value) for key, value in arrived.items() if key != "model"}
    expected = {key: msgspec.json.encode(value) for key, value in sent.items() if key != "model"}
    assert (list(arrived), kept) == (list(sent), expected)


def test_headers_for_the_api_arrive_and_the_callers_key_does_not(street: Street) -> None:
    raw(street, messages(), anthropic_beta="a-1,b-2", anthropic_version="2023-06-01", x_api_key="callers-own-secret")
    arrived = street.headers_arrived()
    assert (arrived["anthropic-beta"], arrived["anthropic-version"]) == ("a-1,b-2", "2023-06-01")
    assert "callers-own-secret" not in str(arrived)


@pytest.mark.anyio
async def test_headers_of_the_api_come_back(client: anthropic.AsyncAnthropic) -> None:
    response = await client.messages.with_raw_response.create(
        model="claude-sonnet-5-5",
        max_tokens=500,
        messages=[TURN],
    )
    for name in ("request-id", "anthropic-organization-id", "anthropic-ratelimit-requests-remaining"):
        assert name in response.headers
    assert response.headers["x-router-model"] == "claude-sonnet-5-5"


@pytest.mark.anyio
async def test_a_token_count_is_the_apis_own(street: Street, client: anthropic.AsyncAnthropic) -> None:
    body: Any = {"model": "claude-sonnet-5-5", "messages": [TURN], "tools": [TOOL], "system": "Be brief."}
    async with anthropic.AsyncAnthropic(base_url=street.back.url, api_key="direct") as direct:
        theirs = await direct.messages.count_tokens(**body)
    ours = await client.messages.count_tokens(**body)
    assert ours.input_tokens == theirs.input_tokens


@pytest.mark.anyio
async def test_the_models_are_listed_with_the_one_that_routes_first(client: anthropic.AsyncAnthropic) -> None:
    listed = [model.id async for model in await client.models.list(limit=1000)]
    assert listed[0] == "claude-auto"
    assert "claude-opus-5-5" in listed


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "rate_limit_error"), (529, "overloaded_error"), (500, "api_error"), (404, "not_found_error")],
)
def test_an_error_of_the_api_arrives_as_it_left(street: Street, status: int, kind: str) -> None:
    street.fault(kind="status", status=status, retry_after=17 if status == 429 else None, message="Wörds of its own")
    asked = messages(
        model="claude-opus-4-7" if status == 429 else "claude-sonnet-5-5"
    )  # which is left alone for 17 s then
    got, body = raw(street, asked, x_request_id="me-1")
    direct, theirs = street.back.request(
        "POST", "/v1/messages", msgspec.json.encode(asked), {"x-api-key": "k", "anthropic-version": "2026-10-21"}
    )
    said = msgspec.json.decode(body)
    assert (got, direct) == (status, status)
    assert said["error"] == msgspec.json.decode(theirs)["error"]
    assert said["error"]["type"] == kind


@pytest.mark.anyio
async def test_retry_after_and_the_request_id_travel_with_a_rate_limit(
    street: Street, client: anthropic.AsyncAnthropic
) -> None:
    street.fault(kind="status", status=429, retry_after=17)
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(model="claude-haiku-4-5", max_tokens=500, messages=[TURN])
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["request-id"].startswith("req_")) == ("17", True)


@pytest.mark.anyio
async def test_a_client_with_its_default_retries_does_not_multiply_ours(street: Street) -> None:
    street.fault(kind="status", status=529)
    async with anthropic.AsyncAnthropic(base_url=street.front.url, api_key="k") as client:  # two retries by default
        with pytest.raises(anthropic.OverloadedError):
            await client.messages.create(model="sonnet", max_tokens=500, messages=[TURN])
    assert street.calls() == 3
