"""What the service says of itself: a line a request, few series, and nothing that is nobody's business."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.telemetry import LABELS_MAX, JsonEvents, plain_line, plain_name

from .worlds import ScriptedClock

FIELDS: dict[str, object] = {
    "request_id": "req_1",
    "served_by": "model",
    "outcome": "answered",
    "model": "claude-haiku-5-5",
    "attempts": 2,
    "input_tokens": 10,
    "output_tokens": 3,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "feature": "search",
    "user": "u-1",
    "session": "cc:0f-1",
    "cost_usd": "0.000125",
}


class Written:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.events = JsonEvents(write=self.lines.append, clock=ScriptedClock())

    def series(self) -> dict[str, int]:
        told = [line for line in self.events.metrics().decode().splitlines() if not line.startswith("#")]
        return {name: int(value) for name, _, value in (line.rpartition(" ") for line in told)}


def test_a_request_is_one_line_of_json() -> None:
    written = Written()
    written.events.request(FIELDS)
    (line,) = written.lines
    assert (1, True) == (line.count(b"\n"), line.endswith(b"}\n"))
    told = msgspec.json.decode(line)
    assert {"event": "request", "at_ms": 1_795_000_000_000 + 1_000_000, **FIELDS, "upstream_request_id": None} == told


def test_a_request_is_counted() -> None:
    written = Written()
    written.events.request(FIELDS)
    written.events.request({**FIELDS, "served_by": "nobody"})
    series = written.series()
    assert (1, 1) == (
        series['tierwise_requests_total{kind="model"}'],
        series['tierwise_requests_total{kind="nobody"}'],
    )
    assert 4 == series['tierwise_attempts_total{kind="answer"}']
    assert (20, 6) == (series['tierwise_tokens_total{kind="input"}'], series['tierwise_tokens_total{kind="output"}'])


def test_users_features_and_sessions_add_no_series() -> None:
    """Pain 42."""
    written = Written()
    written.events.request(FIELDS)
    before = set(written.series())
    for number in range(1000):
        name = f"n{number}"
        written.events.request({**FIELDS, "user": name, "feature": name, "session": name, "request_id": name})
    assert before == set(written.series())


def test_labels_beyond_the_few_are_others() -> None:
    written = Written()
    for number in range(10 * LABELS_MAX):
        written.events.count("refusals", f"code_{number}")
    series = {name: value for name, value in written.series().items() if "refusals" in name}
    assert (LABELS_MAX + 1, 10 * LABELS_MAX) == (len(series), sum(series.values()))
    assert 9 * LABELS_MAX == series['tierwise_refusals_total{kind="other"}']


@pytest.mark.parametrize("label", ['a"b', "a\nb", "a b", "\u00e9", "x" * 129, "a{b}", "\\"])
def test_a_label_cannot_break_out(label: str) -> None:
    written = Written()
    written.events.count("refusals", label)
    assert {'tierwise_refusals_total{kind="other"}': 1} == written.series()


def test_metrics_are_what_prometheus_reads() -> None:
    written = Written()
    written.events.request(FIELDS)
    written.events.count("stalled_readers")
    line = re.compile(
        r'# HELP tierwise_\w+_total .+|# TYPE tierwise_\w+_total counter|tierwise_\w+_total(\{kind="[\w.:-]+"\})? \d+'
    )
    text = written.events.metrics().decode()
    assert [] == [told for told in text.removesuffix("\n").split("\n") if not line.fullmatch(told)]
    assert 1 == written.series()["tierwise_stalled_readers_total"]


@given(st.text())
def test_whatever_a_caller_sends_stays_in_its_line(text: str) -> None:
    """P18: only printable ASCII, and the same value when it is read back."""
    try:
        encoded = msgspec.json.encode({"reason": text})
    except UnicodeEncodeError:
        return  # half a surrogate pair cannot come from bytes that are UTF-8
    line = plain_line(encoded)
    assert re.fullmatch(rb"[ -~]+", line)
    assert {"reason": text} == msgspec.json.decode(line)


@pytest.mark.parametrize(
    "text", ["\u2028", "\u2029", "\x85", "\x7f", "\x1b[31m", "\n", "\U0001f600", '"}\n{"event":"x']
)
def test_a_line_cannot_be_broken_or_coloured(text: str) -> None:
    written = Written()
    written.events.request({**FIELDS, "reason": text})
    (line,) = written.lines
    assert re.fullmatch(rb"[ -~]+\n", line)
    assert text == msgspec.json.decode(line)["reason"]


@pytest.mark.parametrize("given_name", ["jane@example.com", "a b", "x" * 129, "line\u2028", "", '"'])
def test_a_name_that_is_not_plain_is_logged_as_its_digest(given_name: str) -> None:
    """The same for the same name, so that one user's lines still belong together."""
    logged = plain_name(given_name)
    assert isinstance(logged, str)
    assert re.fullmatch(r"digest:[0-9a-f]{16}", logged)
    assert logged == plain_name(given_name)
    assert logged != plain_name(given_name + "x")


@pytest.mark.parametrize("fault", [BrokenPipeError(), OSError(28, "full"), ValueError("closed file")])
def test_a_line_that_cannot_be_written_costs_no_request_its_answer(fault: Exception) -> None:
    def fails(_line: bytes) -> None:
        raise fault

    events = JsonEvents(write=fails, clock=ScriptedClock())
    events.request(FIELDS)
    assert b"tierwise_lost_lines_total 1\n" in events.metrics()


def test_a_log_that_is_off_still_counts() -> None:
    events = JsonEvents(write=None, clock=ScriptedClock())
    events.request(FIELDS)
    events.say("start", url="x")
    assert b'tierwise_requests_total{kind="model"} 1\n' in events.metrics()


def test_a_counter_that_nobody_described_is_no_fault() -> None:
    written = Written()
    written.events.count("surprises")
    assert 1 == written.series()["tierwise_surprises_total"]
