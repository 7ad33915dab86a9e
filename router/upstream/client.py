"""The SDK's client, built so that only what is passed in can decide where a call goes and as whom.

Rule: nothing of the environment. The SDK reads ANTHROPIC_* variables, profiles and proxies; each is
shut off here, and tests/upstream/test_environment.py sets them all.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping

import anthropic
import httpx2

from .caps import Caps, Guard

# One hour is no timeout: every wait of a call is bounded above the SDK, where it is known what it is for.
TIMEOUT = httpx2.Timeout(3600.0, connect=5.0, pool=5.0)
_IDLE_CONNECTION_S = 30.0
_KEPT_HEADERS = ("accept", "content-type", "authorization", "anthropic-version")


class Client(anthropic.AsyncAnthropic):
    """AsyncAnthropic with its headers fixed at the start, instead of put together for each call.

    The headers that describe this process (x-stainless-os and so on) are left out: they say nothing
    about the caller, and building them is a tenth of a call.
    """

    def __init__(self, *, base_url: str, api_key: str | None, auth_token: str | None, http: httpx2.AsyncClient) -> None:
        keyless = not api_key and not auth_token
        super().__init__(
            base_url=base_url,
            api_key=api_key or None,
            # An empty token stops the SDK from looking for another one; it is never sent.
            auth_token="" if keyless else (None if api_key else auth_token),
            webhook_key="",
            max_retries=0,
            timeout=TIMEOUT,
            open_telemetry=False,
            http_client=http,
        )
        self._custom_headers = {}  # ANTHROPIC_CUSTOM_HEADERS, which no argument turns off
        every = {name.lower(): value for name, value in super().default_headers.items()}
        self._fixed: dict[str, str | anthropic.Omit] = {name: every[name] for name in _KEPT_HEADERS if name in every}
        if keyless:
            self._fixed["authorization"] = anthropic.Omit()
        self._fixed["user-agent"] = f"AsyncAnthropic/Python {anthropic.__version__}"
        self._fixed["accept-encoding"] = "identity"

    @property
    def default_headers(self) -> dict[str, str | anthropic.Omit]:
        return self._fixed


def open_client(*, base_url: str, api_key: str | None, auth_token: str | None, connections: int, caps: Caps) -> Client:
    """A client with its own pool of connections."""
    for name in ("anthropic", "httpx2", "httpcore2"):
        # ANTHROPIC_LOG=debug would write prompts into the log.
        logging.getLogger(name).setLevel(logging.WARNING)
    # A body of ours is bytes by design; beyond one MiB aiohttp would advise a stream, in every call.
    warnings.filterwarnings("ignore", "Sending a large body directly", ResourceWarning)
    http = anthropic.DefaultAioHttpClient(
        follow_redirects=False,
        trust_env=False,
        timeout=TIMEOUT,
        limits=httpx2.Limits(max_connections=connections, keepalive_expiry=_IDLE_CONNECTION_S),
        event_hooks={"response": [Guard(caps)]},
    )
    http.headers.clear()  # of its own it would add what we say ourselves, and merge the two in every call
    return Client(base_url=base_url, api_key=api_key, auth_token=auth_token, http=http)


def headers_to_send(headers: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """The caller's anthropic-* headers, which win over ours. Nothing else of a caller's travels on."""
    return {name: value for name, value in headers if name.startswith("anthropic-")}
