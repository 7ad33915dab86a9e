"""Who asks: the key of a request, compared without telling how near a wrong one was.

Rule: a key is turned into a keyed digest before anything is compared, and is never logged. The pepper is
new in each process, so how long a look-up takes says nothing about any key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ..errors import RequestError
from ..vocabulary import Caller

LOCAL = "local"


class Keys:
    """The callers' keys, as digests. Without any, everybody who can reach the service is `local`."""

    def __init__(self, callers: Mapping[str, str], pepper: bytes) -> None:
        self._pepper = pepper
        self._tenants = {self._digest(secret): tenant for secret, tenant in callers.items()}

    def __repr__(self) -> str:
        return f"Keys({len(self._tenants)} of them)"

    def caller(self, headers: Mapping[str, str], request_id: str) -> Caller:
        """Raises RequestError(router_key_invalid), the same for a missing, a malformed and a wrong key."""
        if not self._tenants:
            return Caller(tenant=LOCAL, request_id=request_id)
        tenant = self._tenants.get(self._digest(presented(headers)))
        if tenant is None:
            raise RequestError(
                "router_key_invalid",
                "send one of this service's keys as `Authorization: Bearer KEY` or `x-api-key: KEY`",
            )
        return Caller(tenant=tenant, request_id=request_id)

    def _digest(self, secret: str) -> bytes:
        return hashlib.blake2b(secret.encode(), key=self._pepper, digest_size=32).digest()


def presented(headers: Mapping[str, str]) -> str:
    """The one key that was sent; empty when there is none."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else ""
    key = headers.get("x-api-key", "")
    if token and key and token != key:
        raise RequestError(
            "router_bad_request", "authorization and x-api-key hold two different keys; send one", field="x-api-key"
        )
    return key or token
