"""The paths that change what the service does, behind the admin key.

Rule: a caller's key opens none of them, and who asked goes on record with what was changed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
from litestar import Request, Response, get, post

from ..errors import RequestError
from ..ports import Clock
from .auth import presented
from .request import headers_of, request_id_of

FILE = "admin.key"
WHO = "admin"
AnyRequest = Request[Any, Any, Any]


class Administers(Protocol):
    async def reload(self, who: str) -> dict[str, object]: ...
    def promote(self, who: str) -> dict[str, object]: ...
    def abort(self, who: str) -> dict[str, object]: ...
    def status(self) -> dict[str, object]: ...


class AdminKey:
    """The one key. Without a setting it is made anew at each start, and left where only this user reads it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises RequestError(router_admin), the same for a missing and a wrong key."""
        if not hmac.compare_digest(presented(headers).encode("utf-8", "replace"), self._secret):
            where = f"TIERWISE_ADMIN_KEY, or the file {FILE} in the data directory where that is not set"
            raise RequestError("router_admin", f"this path needs the admin key ({where}), as `x-api-key`")


def leave_key(folder: Path, secret: str) -> None:
    """So that `tierwise rollout` on this machine finds it. Raises OSError."""
    path = folder / FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret, encoding="ascii")


def admin_routes(key: AdminKey, helm: Administers, clock: Clock) -> list[Any]:
    def told(request: AnyRequest, fields: dict[str, object], status: int = 200) -> Response[bytes]:
        request_id = request_id_of(headers_of(request.scope), clock)
        named = {"x-request-id": request_id, "request-id": request_id}
        return Response(msgspec.json.encode(fields), status_code=status, media_type="application/json", headers=named)

    @get("/admin/policy")
    async def policy(request: AnyRequest) -> Response[bytes]:
        key.check(headers_of(request.scope))
        return told(request, helm.status())

    @post("/admin/reload", status_code=200)
    async def reload(request: AnyRequest) -> Response[bytes]:
        key.check(headers_of(request.scope))
        return told(request, await helm.reload(WHO))

    @post("/admin/rollout/promote", status_code=200)
    async def promote(request: AnyRequest) -> Response[bytes]:
        key.check(headers_of(request.scope))
        return told(request, helm.promote(WHO))

    @post("/admin/rollout/abort", status_code=200)
    async def abort(request: AnyRequest) -> Response[bytes]:
        key.check(headers_of(request.scope))
        return told(request, helm.abort(WHO))

    return [policy, reload, promote, abort]
