"""The paths that change the service ask for the admin key, and nothing else opens them."""

from __future__ import annotations

import pytest

from tests.api.street import ADMIN_KEY, ask, get, open_doors

CALLERS = {"a-callers-secret-key": "web"}
PATHS = (
    ("GET", "/admin/policy", b'{"told":"status"}'),
    ("POST", "/admin/reload", b'{"told":"reload by admin"}'),
    ("POST", "/admin/rollout/promote", b'{"told":"promote by admin"}'),
)


@pytest.mark.parametrize(("method", "path", "told"), PATHS)
@pytest.mark.parametrize("header", [f"x-api-key: {ADMIN_KEY}", f"authorization: Bearer {ADMIN_KEY}"])
@pytest.mark.anyio
async def test_the_admin_key_opens_an_admin_path(header: str, method: str, path: str, told: bytes) -> None:
    async with open_doors(keys=CALLERS) as street:
        answer = await ask(street, get(path, method, **{header.partition(": ")[0]: header.partition(": ")[2]}))
    assert (200, told) == (answer.status, answer.body)


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, _ in PATHS] + [("POST", "/admin/rollout/abort")]
)
@pytest.mark.parametrize(
    "header",
    [
        "x-nothing: 1",
        "x-api-key: a-callers-secret-key",
        "x-api-key: wrong",
        f"x-api-key: {ADMIN_KEY}x",
        "x-api-key: \xe9",
    ],
)
@pytest.mark.anyio
async def test_nothing_else_opens_it(header: str, method: str, path: str) -> None:
    async with open_doors(keys=CALLERS) as street:
        answer = await ask(street, get(path, method, **{header.partition(": ")[0]: header.partition(": ")[2]}))
    assert 403 == answer.status
    assert b'"router_admin"' in answer.body
    assert ADMIN_KEY.encode() not in answer.body


@pytest.mark.anyio
async def test_the_admin_key_is_no_callers_key() -> None:
    async with open_doors(keys=CALLERS) as street:
        answer = await ask(street, get("/v1/models", **{"x-api-key": ADMIN_KEY}))
    assert 401 == answer.status


@pytest.mark.anyio
async def test_a_conflict_is_told_in_the_one_error_shape() -> None:
    async with open_doors() as street:
        answer = await ask(street, get("/admin/rollout/abort", "POST", **{"x-api-key": ADMIN_KEY}))
    assert 409 == answer.status
    assert b"there is nothing to abort for admin" in answer.body
