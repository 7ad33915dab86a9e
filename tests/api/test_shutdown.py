"""P1 with the real thing: SIGTERM in the middle of answers, and the process ends well, with its books closed."""

from __future__ import annotations

import http.client
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from router.ledger.report import rows

from ..processes import Process, service, standin

STALL = {"kind": "stall", "after_events": 6, "delay_s": 60}
FIELDS = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with standin(tmp_path_factory.mktemp("back")) as process:
        process.request("POST", "/_standin/faults", msgspec.json.encode([STALL]))
        yield process


def begun(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """A stream that has come to its first content, and goes no further."""
    connection.request("POST", "/v1/messages", msgspec.json.encode({**FIELDS, "stream": True}))
    answer = connection.getresponse()
    while b"content_block_delta" not in answer.readline():
        pass
    return answer


@pytest.mark.parametrize(("drain_s", "signals"), [("0.2", [signal.SIGTERM]), ("300", [signal.SIGTERM, signal.SIGINT])])
def test_what_runs_at_the_limit_ends_with_an_error_event_and_a_row(
    back: Process, tmp_path: Path, drain_s: str, signals: list[signal.Signals]
) -> None:
    with (
        service(tmp_path, back.url, TIERWISE_DRAIN_S=drain_s) as front,
        closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)) as connection,
    ):
        answer = begun(connection)
        for number in signals:
            front.child.send_signal(number)
        last = answer.read().rpartition(b"event: ")[2]
        assert last.startswith(b"error\n")
        assert b"router_draining" in last
        assert (0, b"") == (front.wait(), answer.read())
    (row,) = rows(tmp_path / "data")
    assert ("draining", "estimated") == (row.outcome, row.billed)
    assert row.output_tokens > 0
    assert b"Traceback" not in front.log.read_bytes()
