"""The table of failures: every row, every code that the SDK knows, and what a header may say."""

from __future__ import annotations

import ssl

import aiohttp
import anthropic
import httpx2
import pytest
from aiohttp.client_reqrep import ConnectionKey
from anthropic._error_classes import ERROR_CLASSES

from router.upstream.caps import TooBig
from router.upstream.faults import (
    CLASSES,
    TABLE,
    Key,
    outcome_of_event,
    outcome_of_exception,
    outcome_of_response,
    retry_after_s,
)
from router.vocabulary import ANSWERS, Billed, OutcomeKind

from .rawserver import error

K = OutcomeKind
# What may have been generated although no answer was seen: only these may leave the bill open.
OPEN_ENDED = {408, 499, 502, 504, 524}


@pytest.mark.parametrize("key", [key for key in TABLE if key[0] is not None])
def test_every_row_with_a_status_is_what_that_response_means(key: Key) -> None:
    status, error_type, _ = key
    assert status is not None
    outcome = outcome_of_response(status, {}, error(error_type) if error_type else b"")
    assert (TABLE[key].kind, TABLE[key].billed, status) == (outcome.kind, outcome.billed, outcome.status)


@pytest.mark.parametrize("key", [key for key in TABLE if key[0] is None and key[1] is not None])
def test_every_row_of_a_type_is_what_that_event_means(key: Key) -> None:
    assert key[1] is not None
    outcome = outcome_of_event(error(key[1]))
    assert (TABLE[key].kind, TABLE[key].billed, key[1]) == (outcome.kind, outcome.billed, outcome.error_type)


@pytest.mark.parametrize("key", [key for key in TABLE if key[2] is not None])
@pytest.mark.parametrize("status", [400, 402, 403, 429, 500])
def test_a_code_wins_over_every_status_and_type(key: Key, status: int) -> None:
    body = error("rate_limit_error", key[2])
    outcome = outcome_of_response(status, {}, body)
    assert (TABLE[key].kind, key[2]) == (outcome.kind, outcome.error_code)
    assert TABLE[key].kind == outcome_of_event(body).kind


def test_every_status_ends_in_a_failure_of_its_class_and_only_an_open_end_is_an_open_bill() -> None:
    for status in range(100, 1000):
        outcome = outcome_of_response(status, {}, b"")
        known = TABLE.get((status, None, None))
        row = known or CLASSES.get(status // 100)
        open_ended = status in OPEN_ENDED if known else status // 100 not in {3, 4}
        assert (row.kind if row else K.BAD_ANSWER) == outcome.kind
        assert (Billed.UNKNOWN if open_ended else Billed.VOID) == outcome.billed, status
        assert outcome.kind not in ANSWERS


@pytest.mark.parametrize(("status", "code"), sorted(ERROR_CLASSES, key=str))
def test_every_error_that_the_sdk_knows_is_found_by_status_or_code(status: int, code: str | None) -> None:
    outcome = outcome_of_response(status, {}, error("invalid_request_error", code))
    assert (status, None, None) in TABLE, "a status that the SDK has a class for has a row of its own"
    row = TABLE.get((None, None, code), TABLE[status, None, None]) if code else TABLE[status, None, None]
    assert (row.kind, code) == (outcome.kind, outcome.error_code)


@pytest.mark.parametrize("code", sorted(code for _, code in ERROR_CLASSES if code and "spend_limit_reached" in code))
def test_every_spend_limit_of_the_sdk_is_one_here(code: str) -> None:
    assert K.SPEND_LIMITED == outcome_of_response(429, {}, error("rate_limit_error", code)).kind


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"<html>", b"\xff", b"[" * 100_000, b'{"error":[]}', b'{"error":{"type":7}}']
)
def test_an_error_body_that_is_none_leaves_the_status_to_speak(body: bytes) -> None:
    outcome = outcome_of_response(429, {}, body)
    assert (K.RATE_LIMITED, None, None) == (outcome.kind, outcome.error_type, outcome.error_code)
    assert K.STREAM_ERROR == outcome_of_event(body).kind


@pytest.mark.parametrize("name", ["Where is the Louvre?", "a" * 65, "", "x y", "ärger_error", "A_ERROR"])
def test_what_is_no_name_never_becomes_a_type_or_a_code(name: str) -> None:
    outcome = outcome_of_response(500, {}, error(name, name))
    assert (None, None) == (outcome.error_type, outcome.error_code)


def test_a_type_of_tomorrow_is_kept_as_it_is() -> None:
    outcome = outcome_of_response(400, {}, error("quantum_error", "qubit_gone"))
    assert ("quantum_error", "qubit_gone", K.BAD_REQUEST) == (outcome.error_type, outcome.error_code, outcome.kind)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "99999999"}, 86400.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:30 GMT"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 -0000", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({}, None),
        *(({"retry-after": junk}, None) for junk in ("", "soon", "-1", "nan", "inf", "1e9", "0x10", "٣", "9" * 16)),
    ],
)
def test_retry_after_is_read_where_it_can_be_and_ignored_where_not(
    headers: dict[str, str], expected: float | None
) -> None:
    assert expected == retry_after_s(headers)


@pytest.mark.parametrize(("told", "expected"), [("true", True), (" False", False), ("maybe", None), (None, None)])
def test_x_should_retry_is_true_false_or_unsaid(told: str | None, expected: bool | None) -> None:
    headers = {} if told is None else {"x-should-retry": told}
    assert expected is outcome_of_response(500, headers, b"").should_retry


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (TimeoutError(), K.TIMED_OUT),
        (TooBig("x"), K.TOO_BIG),
        (anthropic.AnthropicError("x"), K.CONNECTION_LOST),
        (RecursionError(), K.CONNECTION_LOST),
        (AssertionError(), K.CONNECTION_LOST),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), K.CONNECTION_LOST),
    ],
)
def test_an_exception_whatever_it_is_leaves_the_bill_open(raised: Exception, kind: K) -> None:
    outcome = outcome_of_exception(raised, sent=False)
    assert (kind, Billed.UNKNOWN) == (outcome.kind, outcome.billed)
    assert "x" not in outcome.detail.split(), "the exception's own text may hold what nobody may log"


KEY = ConnectionKey("api.test", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("raised", "before", "after"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, OSError()), K.CONNECT_FAILED, K.CONNECTION_LOST),
        (aiohttp.ClientConnectorError(KEY, OSError()), K.CONNECT_FAILED, K.CONNECTION_LOST),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError()),
            K.CONNECT_FAILED,
            K.CONNECTION_LOST,
        ),
        (aiohttp.ConnectionTimeoutError(), K.CONNECT_FAILED, K.CONNECTION_LOST),
        (aiohttp.ServerDisconnectedError(), K.CONNECTION_LOST, K.CONNECTION_LOST),
        (aiohttp.ClientOSError(104, "reset"), K.CONNECTION_LOST, K.CONNECTION_LOST),
        (aiohttp.ClientPayloadError(), K.CONNECTION_LOST, K.CONNECTION_LOST),
    ],
)
def test_u10_only_what_failed_before_anything_left_is_void_however_the_sdk_wraps_it(
    raised: Exception, before: K, after: K
) -> None:
    wrapped = anthropic.APIConnectionError(request=httpx2.Request("POST", "http://api.test"))
    wrapped.__cause__ = httpx2.ConnectError("x")
    wrapped.__cause__.__cause__ = raised
    outcomes = [outcome_of_exception(wrapped, sent=sent) for sent in (False, True)]
    assert [before, after] == [outcome.kind for outcome in outcomes]
    void = Billed.VOID if before is K.CONNECT_FAILED else Billed.UNKNOWN
    assert [void, Billed.UNKNOWN] == [outcome.billed for outcome in outcomes]
