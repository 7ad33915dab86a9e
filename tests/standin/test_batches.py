"""Batches run at once, cost half, and fail item by item."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.standin import StandIn
from router.standin.connection import Request

from .scene import body
from .test_server import ask, stand_in

PATH = "/v1/messages/batches"


def submit(standin: StandIn, *items: Any) -> Any:
    requests = [{"custom_id": f"item-{number}", "params": params} for number, params in enumerate(items)]
    return ask(standin, path=PATH, data=msgspec.json.encode({"requests": requests}))


def results(standin: StandIn, batch_id: str) -> list[Any]:
    play = standin.respond(ask_for(f"{PATH}/{batch_id}/results"))
    return [msgspec.json.decode(line) for line in play.frames[0].data.splitlines()]


def ask_for(path: str, key: str = "test") -> Any:
    from_headers = {"authorization": f"Bearer {key}", "anthropic-version": "2026-10-21"}
    return Request("GET", path, "", from_headers, [], b"")


def test_a_batch_starts_in_progress_and_has_ended_when_it_is_looked_at() -> None:
    standin = stand_in()
    _, created = submit(standin, body(), body())
    _, found = ask(standin, "GET", f"{PATH}/{created['id']}")
    assert ("in_progress", 2) == (created["processing_status"], created["request_counts"]["processing"])
    assert ("ended", 2) == (found["processing_status"], found["request_counts"]["succeeded"])
    assert [created["id"]] == [batch["id"] for batch in ask(standin, "GET", PATH)[1]["data"]]


def test_an_item_costs_half_of_what_the_message_costs() -> None:
    whole, half = stand_in(), stand_in()
    ask(whole, data=msgspec.json.encode(body()))
    submit(half, body())
    assert whole.bill().cost_pico == 2 * half.bill().cost_pico


def test_a_bad_item_is_an_errored_result_and_costs_nothing() -> None:
    standin = stand_in()
    bad = [body(model="claude-nothing"), body(stream=True), body(max_tokens=0), 7]
    _, created = submit(standin, body(), *bad)
    kinds = [item["result"]["type"] for item in results(standin, created["id"])]
    assert ["succeeded", *["errored"] * 4] == kinds
    assert 1 == standin.bill().attempts


@pytest.mark.parametrize(
    "batch",
    [
        {},
        {"requests": []},
        {"requests": [{"params": {}}]},
        {"requests": [{"custom_id": "a b", "params": {}}]},
        {"requests": [{"custom_id": "a"}]},
        {"requests": [{"custom_id": "a", "params": {}}, {"custom_id": "a", "params": {}}]},
    ],
)
def test_a_malformed_batch_is_refused(batch: Any) -> None:
    assert 400 == ask(stand_in(), path=PATH, data=msgspec.json.encode(batch))[0].status


def test_a_batch_is_seen_by_its_own_workspace_only() -> None:
    standin = stand_in()
    _, created = submit(standin, body())
    assert 404 == standin.respond(ask_for(f"{PATH}/{created['id']}", key="other")).status


def test_cancelling_finds_it_ended_already() -> None:
    standin = stand_in()
    _, created = submit(standin, body())
    assert "ended" == ask(standin, path=f"{PATH}/{created['id']}/cancel")[1]["processing_status"]
