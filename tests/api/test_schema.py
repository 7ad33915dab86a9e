"""GET /schema tells the truth about the paths, and is a document that a generator of clients can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from litestar import Litestar

from router.api.openapi import DOCUMENT
from router.errors import CODES

from .street import ask, get, open_doors, post

TOLD: dict[str, Any] = msgspec.json.decode(DOCUMENT)
OPERATIONS = [(path, method) for path, methods in TOLD["paths"].items() for method in methods if method != "parameters"]


def parts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


@pytest.mark.anyio
async def test_it_is_served() -> None:
    async with open_doors() as street:
        told = await ask(street, get("/schema"))
        assert (200, TOLD) == (told.status, msgspec.json.decode(told.body))


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
async def test_every_path_that_is_told_of_is_there(path: str, method: str) -> None:
    named = path.replace("{name}", "x")
    async with open_doors() as street:
        request = get(named) if method == "get" else post(b"", named).replace(b"POST", method.upper().encode(), 1)
        told = await ask(street, request)
        assert told.status != 405
        assert str(told.status) in TOLD["paths"][path][method]["responses"]


@pytest.mark.anyio
async def test_every_path_that_is_there_is_told_of() -> None:
    async with open_doors() as street:
        routes = cast(Litestar, street.server.config.app).routes
        there = {route.path.replace("{name:str}", "{name}") for route in routes}
        assert set(TOLD["paths"]) == there


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    used = {part["$ref"].removeprefix("#/components/schemas/") for part in parts(TOLD) if "$ref" in part}
    assert set(TOLD["components"]["schemas"]) == used


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [TOLD["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", ["/complete", "/v1/messages", "/v1/messages/count_tokens", "/explain"])
def test_a_door_tells_of_every_code_it_may_answer_with(path: str) -> None:
    told = " ".join(response["description"] for response in TOLD["paths"][path]["post"]["responses"].values())
    silent = {"router_method"} | {name for name, code in CODES.items() if code.status < 400}
    assert set() == {name for name in CODES if f"`{name}`" not in told} - silent


def test_every_object_says_what_else_it_may_hold() -> None:
    """Without it a strict client drops what it does not know, such as the next version's fields."""
    silent = [part for part in parts(TOLD["components"]["schemas"]) if part.get("type") == "object"]
    assert [] == [part for part in silent if "properties" not in part and "additionalProperties" not in part]
