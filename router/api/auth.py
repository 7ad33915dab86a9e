"""Who asks: the key of a request, compared without telling how near a wrong one was.

Rule: a key is turned into a digest before anything else is done with it, and is never logged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ..errors import RequestError
from ..vocabulary import Caller

LOCAL = "local"


class Keys:
    """The callers' keys, kept as keyed digests. Without any, everybody on this machine is `local`."""

    def __init__(self, callers: Mapping[str, str], pepper: bytes) -> None:
        self._pepper = pepper
        self._tenants = {self._digest(secret): tenant for secret, tenant in callers.items()}

    def caller(self, headers: Mapping[str, str], request_id: str) -> Caller:
        """Raises RequestError(router_key_invalid), the same for a missing, a malformed and a wrong key."""
        presented = _presented(headers)
        if not self._tenants:
            return Caller(tenant=LOCAL, request_id=request_id)
        tenant = self._tenants.get(self._digest(presented or ""))
        if tenant is None:
            raise RequestError(
                "router_key_invalid",
                "send one of this service's keys as `Authorization: Bearer KEY` or `x-api-key: KEY`",
            )
        return Caller(tenant=tenant, request_id=request_id)

    def _digest(self, secret: str) -> bytes:
        return hashlib.blake2b(secret.encode(), key=self._pepper, digest_size=32).digest()


def _presented(headers: Mapping[str, str]) -> str | None:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else None
    key = headers.get("x-api-key")
    if token and key and token != key:
        raise RequestError(
            "router_bad_request", "authorization and x-api-key hold two different keys; send one", field="x-api-key"
        )
    return key or token
