"""P19: what nobody but the caller and the API may see is nowhere else, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from ..processes import Process, service, standin

KEY, NEXT_KEY = "canary-key-of-a-caller", "canary-key-of-another"
OWN_KEY = "canary-key-of-our-own"
WRONG_KEY = "canary-key-of-nobody"
TEXT = "canary-in-a-prompt"
TURN = {"role": "user", "content": TEXT}

# Each is sent to both doors.
BODIES: dict[str, bytes] = {
    "prompt": msgspec.json.encode({"prompt": TEXT}),
    "stream": msgspec.json.encode({"prompt": TEXT, "stream": True}),
    "messages": msgspec.json.encode({"model": "auto", "max_tokens": 50, "messages": [TURN], "system": TEXT}),
    "cut": msgspec.json.encode({"prompt": TEXT})[:-2],
    "unknown model": msgspec.json.encode({"model": TEXT, "max_tokens": 50, "messages": [TURN]}),
    "wrong type": msgspec.json.encode({"prompt": {"text": TEXT}}),
    "wrong word": msgspec.json.encode({"prompt": "a", "router": {"task": TEXT}}),
    "no UTF-8": TEXT.encode() + b"\xff",
}
FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "status", "status": 529},
    {"kind": "status", "status": 401},
    {"kind": "garbage"},
    {"kind": "cut", "after_events": 5},
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """Everything that the service wrote while it was asked well, badly and by strangers."""
    folder = tmp_path_factory.mktemp("canary")
    with standin(folder) as back:
        settings = {"TIERWISE_KEYS": f"team:{KEY},other:{NEXT_KEY}", "ANTHROPIC_AUTH_TOKEN": OWN_KEY}
        with service(folder, back.url, **settings) as front:
            for body in BODIES.values():
                _ask(front, body)
            for fault in FAULTS:
                back.request("POST", "/_standin/faults", msgspec.json.encode([fault]))
                _ask(front, BODIES["stream"])
                _ask(front, BODIES["messages"])
                back.request("DELETE", "/_standin/faults")
            pages = {path: front.get(path)[1] for path in ("/metrics", "/health/ready", "/schema", "/v1/models")}
        written = {path.name: path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file()}
        yield {**pages, **written, "log": front.log.read_bytes()}


def _ask(front: Process, body: bytes) -> None:
    for path in ("/complete", "/v1/messages", "/explain", "/v1/messages/count_tokens"):
        for headers in (
            {"x-api-key": KEY},
            {"authorization": f"Bearer {NEXT_KEY}"},
            {"x-api-key": WRONG_KEY},
            {"x-api-key": KEY, "authorization": f"Bearer {NEXT_KEY}"},
            {"x-api-key": KEY, "x-request-id": f"{TEXT} with spaces"},
        ):
            status, answer = front.request("POST", path, body, headers)
            assert status != 500
            assert not any(key in answer for key in (KEY.encode(), NEXT_KEY.encode(), OWN_KEY.encode()))


@pytest.mark.parametrize("canary", [KEY, NEXT_KEY, OWN_KEY, WRONG_KEY, TEXT])
def test_no_key_and_no_prompt_is_in_a_log_a_page_or_a_file(told: dict[str, bytes], canary: str) -> None:
    assert [] == [name for name, text in told.items() if canary.encode() in text]


def test_there_was_something_to_look_through(told: dict[str, bytes]) -> None:
    assert b'"event":"request"' in told["log"]
    assert b"router_key_invalid" in told["/metrics"]
    assert any(b"claude-" in text for name, text in told.items() if name.startswith("ledger"))
