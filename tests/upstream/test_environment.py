"""Nothing in the environment of the service decides where a call goes, as whom, or what is logged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from .rawserver import Request, Wire, answering, http, message, serving

pytestmark = pytest.mark.anyio

CHILD = """
import asyncio, sys
from router.ports import Call
from router.upstream.claude import ClaudeUpstream

async def main():
    for key in ("key-of-the-test", None):
        upstream = ClaudeUpstream(base_url=sys.argv[1], api_key=key)
        answer = await upstream.send(Call(body=b'{"q":"Where is the Louvre?"}'))
        assert answer.reply is not None, answer.outcome
        await upstream.close()

asyncio.run(main())
"""
PROFILE = '{"version":"1.0","authentication":{"type":"user_oauth","access_token":"leak"},"base_url":"http://leak.test"}'


def hostile(trap: str, folder: Path) -> dict[str, str]:
    """An environment in which everything that the SDK and its transports read points elsewhere."""
    (folder / "configs").mkdir()
    (folder / "configs" / "leak.json").write_text(PROFILE)
    (folder / "netrc").write_text("default login leak password leak\n")
    proxies = {name: trap for upper in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in (upper, upper.lower())}
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HOME": str(folder),
        "NETRC": str(folder / "netrc"),
        "SSL_CERT_FILE": "/nonexistent",
        "ANTHROPIC_API_KEY": "leak-key",
        "ANTHROPIC_AUTH_TOKEN": "leak-token",
        "ANTHROPIC_BASE_URL": trap,
        "ANTHROPIC_CUSTOM_HEADERS": "x-leak: leak\nanthropic-version: leak\nauthorization: leak\nuser-agent: leak",
        "ANTHROPIC_CONFIG_DIR": str(folder),
        "ANTHROPIC_PROFILE": "leak",
        "ANTHROPIC_WORKSPACE_ID": "leak",
        "ANTHROPIC_WEBHOOK_SIGNING_KEY": "leak",
        "ANTHROPIC_LOG": "debug",
        "ANTHROPIC_OPEN_TELEMETRY": "true",
        "ANTHROPIC_OPEN_TELEMETRY_PROPAGATION": "true",
        "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
        **proxies,
    }


async def test_a_hostile_environment_changes_no_call_and_logs_no_prompt(tmp_path: Path) -> None:
    seen: list[Request] = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(http(200, message()))

    async with serving(script) as api, serving(answering(http(200, message()))) as trap:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, api.url, env=hostile(trap.url, tmp_path), stderr=asyncio.subprocess.PIPE
        )
        _, said = await child.communicate()
        assert (0, b"") == (child.returncode, said)
        assert 0 == trap.connections
    with_key, without_key = seen
    assert "Bearer key-of-the-test" == with_key.headers["authorization"]
    assert "authorization" not in without_key.headers
    assert ["2026-10-21"] * 2 == [request.headers["anthropic-version"] for request in seen]
    assert not [value for request in seen for value in (*request.headers, *request.headers.values()) if "leak" in value]
