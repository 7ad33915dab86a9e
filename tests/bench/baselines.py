"""What the service is measured beside: the bare framework, and the bare SDK inside it.

Rule: each does the least that still answers; nothing here is tuned, checked or remembered.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from litestar import Litestar, Request, Response, post

AnyRequest = Request[Any, Any, Any]


def echo() -> Litestar:
    """A handler that answers with the body it was sent: the limit of the framework and the server."""

    @post("/v1/messages", status_code=200)
    async def answer(request: AnyRequest) -> Response[bytes]:
        return Response(await request.body(), media_type="application/json")

    return Litestar([answer], openapi_config=None)


def typed() -> Litestar:
    """The SDK's typed `messages.create` over its default transport."""
    return _forwarding(AsyncAnthropic(base_url=os.environ["BENCH_UPSTREAM"], api_key="bench", max_retries=0))


def typed_aiohttp() -> Litestar:
    """The SDK's typed `messages.create` over aiohttp."""
    http_client = DefaultAioHttpClient()
    return _forwarding(
        AsyncAnthropic(base_url=os.environ["BENCH_UPSTREAM"], api_key="bench", max_retries=0, http_client=http_client)
    )


def _forwarding(client: AsyncAnthropic) -> Litestar:
    @post("/v1/messages", status_code=200)
    async def answer(request: AnyRequest) -> Response[str]:
        message = await client.messages.create(**msgspec.json.decode(await request.body()))
        return Response(message.to_json(indent=None), media_type="application/json")

    return Litestar([answer], openapi_config=None, on_shutdown=[client.close])
