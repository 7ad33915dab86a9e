"""Answers that are none, bad input, and the books against the bill."""

from __future__ import annotations

from pathlib import Path

import anthropic
import msgspec
import pytest

from router.ledger.report import rows

from ..processes import Process, service
from .street import TURN, Street, events_of


@pytest.mark.anyio
async def test_a_whole_answer_of_64k_tokens_is_not_refused(client: anthropic.AsyncAnthropic, street: Street) -> None:
    message = await client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=64_000,
        messages=[TURN],
        timeout=60,
    )
    assert (message.stop_reason, message.content[-1].type) == ("end_turn", "text")
    assert msgspec.json.decode(street.arrived()[-1])["stream"] is True


@pytest.mark.parametrize("kind", ["html", "null", "stream_error", "garbage", "close", "redirect", "cut"])
def test_a_200_that_is_no_message_is_not_passed_on(street: Street, kind: str) -> None:
    """Row 26 and U14: another model answers, and the caller never sees what was no answer."""
    street.fault(kind=kind, model="claude-sonnet-5-5", location="http://127.0.0.1:1/")
    status, body = street.front.request("POST", "/complete", msgspec.json.encode({"prompt": "hi", "model": "sonnet"}))
    told = msgspec.json.decode(body)
    served = {"redirect": "canned"}.get(kind, "model")
    assert (status, told["router"]["served_by"]) == (200, served)
    assert told["router"]["degraded"] is True


def test_when_nothing_answers_the_caller_of_complete_gets_the_canned_reply(street: Street) -> None:
    street.fault(kind="status", status=529)
    status, body = street.front.request("POST", "/complete", msgspec.json.encode({"prompt": "hi"}))
    told = msgspec.json.decode(body)
    assert (status, told["model"], told["router"]["served_by"]) == (200, "router/canned", "canned")
    assert told["router"]["request_id"] in told["content"][0]["text"]


def test_a_canned_reply_streams_when_a_stream_was_asked_for(street: Street) -> None:
    street.fault(kind="status", status=529)
    _, body = street.front.request("POST", "/complete", msgspec.json.encode({"prompt": "hi", "stream": True}))
    assert events_of(body)[-2:] == ["message_stop", "router"]


def test_without_a_classifier_every_request_is_still_answered(street: Street) -> None:
    """Row C1."""
    street.fault(kind="status", status=500, match="request-to-judge")
    status, body = street.front.request("POST", "/complete", msgspec.json.encode({"prompt": "An unheard-of thing"}))
    router = msgspec.json.decode(body)["router"]
    assert (status, router["served_by"], router["tier"]) == (200, "model", "sonnet")
    assert router["reason"].startswith("no verdict")


BAD: dict[str, bytes] = {
    "not json": b"hello",
    "wrong types": b'{"prompt": 5}',
    "both": b'{"prompt": "a", "messages": []}',
    "neither": b"{}",
    "unknown router key": b'{"prompt": "a", "router": {"deadlin_s": 1}}',
    "nested": b'{"prompt": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "invalid utf-8": b'{"prompt": "\xff"}',
    "nul": b'{"prompt": "\x00"}',
    "negative max_tokens": b'{"prompt": "a", "max_tokens": -1}',
    "unknown model": b'{"prompt": "a", "model": "gpt-4"}',
    "unknown task": b'{"prompt": "a", "router": {"task": "nope"}}',
    "impossible parameter": b'{"prompt": "a", "model": "opus", "tool_choice": {"type": "any"}, "temperature": 0.2}',
    "33 MB": b'{"prompt": "' + b"a" * (33 * 1024 * 1024) + b'"}',
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_clear_error_and_sends_nothing(street: Street, name: str) -> None:
    known = len(rows(street.data_dir))
    status, body = street.front.request("POST", "/complete", BAD[name])
    told = msgspec.json.decode(body)
    assert 400 <= status < 500
    assert told["error"]["details"]["error_code"].startswith("router_")
    assert len(told["error"]["message"]) > 20
    assert (street.calls(), len(rows(street.data_dir))) == (0, known)


def test_usage_is_the_bill(street: Street, tmp_path: Path) -> None:
    """Every call with a message, the classifier's included, at its very price."""
    folder = tmp_path / "own"
    folder.mkdir()
    with service(folder, street.back.url) as front:
        for number in range(6):
            fields = {"prompt": f"Explain thing {number}", "stream": number % 2 == 0, "router": {"feature": "docs"}}
            status, _ = front.request("POST", "/complete", msgspec.json.encode(fields))
            assert status == 200
        usage = Process("usage", "--data-dir", str(folder / "data"), "--json", log=folder / "usage.log", port=False)
        assert usage.wait() == 0
        told = msgspec.json.decode((folder / "usage.log").read_bytes())
    bill = msgspec.json.decode(street.back.get("/_standin/bill")[1])
    assert told["total"]["attempts"] == bill["attempts"] == 12
    assert told["total"]["cost_usd"] == bill["cost_usd"]
