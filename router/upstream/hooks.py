"""Posts to an address that a caller chose: only to the public internet, and only where its name led when it was asked.

Rule: the name is resolved once for each post, every address it has is judged, and the connection goes to one of those
that were judged; the certificate must still be the name's. No redirect, no proxy, no cookie, and no word of the answer
is read but its status.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from .addresses import is_public

TIMEOUT_S = 5.0
HTTPS_PORT = 443
READ_BYTES = 4096
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def addresses_of(host: str, port: int) -> list[str]:
    """What the system's resolver says. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Hooks:
    """Implements delivering.Posts. What a test must have otherwise, its own network, comes through the constructor."""

    def __init__(
        self,
        *,
        resolve: Resolve = addresses_of,
        is_allowed: Callable[[str], bool] = is_public,
        context: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._context = context or ssl.create_default_context()
        self._timeout_s = timeout_s

    async def post(self, url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> int:
        """The status of the answer; 0 where there is none, or where nobody may be asked."""
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._judged(url)
                return await self._posted(url, body, headers, addresses) if addresses else 0
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0

    async def _judged(self, url: str) -> list[str]:
        """Where the name leads now; nowhere, if any of its addresses is not the public internet's."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            return []
        addresses = await self._resolve(parts.hostname, parts.port or HTTPS_PORT)
        return addresses if all(self._is_allowed(address) for address in addresses) else []

    async def _posted(self, url: str, body: bytes, headers: tuple[tuple[str, str], ...], addresses: list[str]) -> int:
        connector = aiohttp.TCPConnector(
            resolver=Known(addresses), ssl=self._context, force_close=True, use_dns_cache=False, limit=1
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                read_bufsize=READ_BYTES,
                auto_decompress=False,
            ) as session,
            session.post(url, data=body, headers=dict(headers), allow_redirects=False) as response,
        ):
            return response.status


class Known(AbstractResolver):
    """Leads every name to the addresses that were judged."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """It holds nothing."""
