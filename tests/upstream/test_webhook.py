"""Alerts reach the operator's address signed, in a few tries, and never get in anybody's way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from router.upstream.webhook import TRIES, Webhook

from ..worlds import ScriptedClock

ALARM: dict[str, object] = {"type": "alert", "kind": "budget", "words": "spent"}
SECRET = "the-secret-of-the-hook"


class Receiver:
    """A real server that answers as the script says, and keeps what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.redirected = 0

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status = self.statuses.pop(0)
        if status == 0:
            await asyncio.Event().wait()
        headers = {"location": "/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers)

    async def elsewhere(self, _request: web.Request) -> web.StreamResponse:
        self.redirected += 1
        return web.Response()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    app.router.add_route("*", "/elsewhere", receiver.elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def told(receiver: Receiver, clock: ScriptedClock | None = None, secret: str = SECRET) -> bool:
    async with receiving(receiver) as url:
        webhook = Webhook(url, secret, clock=clock or ScriptedClock(), timeout_s=0.2)
        try:
            return await webhook.tell(ALARM)
        finally:
            await webhook.close()


@pytest.mark.anyio
async def test_an_alert_arrives_with_a_signature_that_verifies() -> None:
    receiver = Receiver(204)
    assert await told(receiver)
    ((headers, body),) = receiver.came
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert f"v1,{base64.b64encode(digest).decode()}" == headers["webhook-signature"]
    assert b'{"type":"alert","kind":"budget","words":"spent"}' == body


@pytest.mark.anyio
async def test_without_a_secret_nothing_is_signed() -> None:
    receiver = Receiver(200)
    assert await told(receiver, secret="")
    assert "webhook-signature" not in receiver.came[0][0]


@pytest.mark.anyio
async def test_a_failure_is_tried_again_under_the_same_id_after_a_growing_wait() -> None:
    receiver, clock = Receiver(500, 503, 200), ScriptedClock()
    assert await told(receiver, clock)
    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.came})
    assert [0.75, 1.5] == clock.slept


@pytest.mark.anyio
async def test_after_three_tries_it_is_given_up() -> None:
    receiver = Receiver(*[500] * 5)
    assert not await told(receiver)
    assert TRIES == len(receiver.came)


@pytest.mark.anyio
async def test_a_redirect_is_not_followed() -> None:
    receiver = Receiver(302, 307, 301)
    assert not await told(receiver)
    assert 0 == receiver.redirected


@pytest.mark.anyio
async def test_a_server_that_hangs_is_left_after_its_time() -> None:
    receiver = Receiver(0, 0, 200)
    assert await told(receiver)


@pytest.mark.anyio
async def test_a_dead_address_is_no_exception() -> None:
    webhook = Webhook("http://127.0.0.1:1/hook", SECRET, clock=ScriptedClock())
    assert not await webhook.tell(ALARM)
    await webhook.close()
    assert "Webhook()" == repr(webhook)
