"""Who may ask: one of the keys, sent either way, and nothing that helps to guess one."""

from __future__ import annotations

import pytest

from router.api.auth import Keys
from router.errors import RequestError

from .street import ask, get, open_doors, post

KEYS = {"first-secret-of-team-a": "team-a", "second-secret-of-a-team": "team-b"}
PEPPER = bytes(32)
RIGHT: dict[str, dict[str, str]] = {
    "bearer": {"authorization": "Bearer first-secret-of-team-a"},
    "bearer in lower case": {"authorization": "bearer  first-secret-of-team-a "},
    "x-api-key": {"x-api-key": "first-secret-of-team-a"},
    "both": {"x-api-key": "first-secret-of-team-a", "authorization": "Bearer first-secret-of-team-a"},
    "another scheme beside a key": {"x-api-key": "first-secret-of-team-a", "authorization": "Basic YTpi"},
}
WRONG: dict[str, dict[str, str]] = {
    "missing": {},
    "empty": {"authorization": "Bearer ", "x-api-key": ""},
    "malformed": {"authorization": "first-secret-of-team-a"},
    "another scheme": {"authorization": "Basic first-secret-of-team-a"},
    "wrong": {"x-api-key": "third-secret-of-nobody"},
    "a key's beginning": {"x-api-key": "first-secret-of-team-"},
    "a key and more": {"authorization": "Bearer first-secret-of-team-a2"},
    "not ASCII": {"x-api-key": "first-secret-of-t\xe9am-a"},
    "a tenant's name": {"x-api-key": "team-a"},
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_key_names_its_tenant(name: str) -> None:
    caller = Keys(KEYS, PEPPER).caller(RIGHT[name], "req_1")
    assert ("team-a", "req_1") == (caller.tenant, caller.request_id)


@pytest.mark.anyio
async def test_a_missing_a_malformed_and_a_wrong_key_get_the_very_same_answer() -> None:
    async with open_doors(keys=KEYS) as street:
        said = {name.replace(" ", ""): headers for name, headers in WRONG.items()}
        told = [await ask(street, post(x_request_id="same", **headers)) for headers in said.values()]
        assert {(401, "router_key_invalid", told[0].body)} == {(one.status, one.code, one.body) for one in told}
        assert "authentication_error" == told[0].error["type"]
        assert [] == street.pipeline.asked


def test_two_different_keys_are_refused_as_a_contradiction() -> None:
    with pytest.raises(RequestError) as caught:
        Keys(KEYS, PEPPER).caller(
            {"x-api-key": "first-secret-of-team-a", "authorization": "Bearer second-secret-of-a-team"}, "req_1"
        )
    assert (400, "router_bad_request", "x-api-key") == (caught.value.status, caught.value.code, caught.value.field)


@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_without_keys_everybody_is_local(name: str) -> None:
    headers = {**RIGHT, **WRONG}[name]
    assert "local" == Keys({}, PEPPER).caller(headers, "req_1").tenant


def test_no_key_is_kept_or_shown() -> None:
    keys = Keys(KEYS, PEPPER)
    assert "secret" not in repr(keys) + repr(vars(keys))


@pytest.mark.anyio
async def test_models_ask_for_a_key_and_probes_do_not() -> None:
    async with open_doors(keys=KEYS) as street:
        told = {path: (await ask(street, get(path))).status for path in ("/v1/models", "/v1/models/x", "/health/live")}
        assert {"/v1/models": 401, "/v1/models/x": 401, "/health/live": 200} == told
        assert 200 == (await ask(street, get("/v1/models", x_api_key="first-secret-of-team-a"))).status


@pytest.mark.anyio
async def test_the_key_is_asked_for_before_the_body_is_read() -> None:
    async with open_doors(keys=KEYS) as street:
        told = await ask(street, b"POST /complete HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert (401, 0) == (told.status, street.admission.body_bytes)
