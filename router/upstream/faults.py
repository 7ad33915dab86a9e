"""What every failure of the API or of the way to it means: one table, by status, type and code.

Rule: never by the text of a message. A code names the cause and wins; then the type under its
status, then the status, then its class. An `error` event, or an error inside a 200, has no status of
its own and is found by code and type alone. `billed` says what the books may assume of the attempt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp
import httpx2

from ..vocabulary import Billed, Outcome, OutcomeKind
from ..wire.reply import read_error
from .caps import TooBig

K = OutcomeKind
Key = tuple[int | None, str | None, str | None]  # status, error.type, error.details.error_code


class Row(NamedTuple):
    kind: OutcomeKind
    billed: Billed


_VOID, _UNKNOWN = Billed.VOID, Billed.UNKNOWN

TABLE: dict[Key, Row] = {
    # A code names the cause, whatever the status around it.
    (None, None, "ramp_limit_exceeded"): Row(K.RAMP_LIMITED, _VOID),
    (None, None, "enforced_spend_limit_reached"): Row(K.SPEND_LIMITED, _VOID),
    (None, None, "contract_spend_limit_reached"): Row(K.SPEND_LIMITED, _VOID),
    (None, None, "linked_organization_spend_limit_reached"): Row(K.SPEND_LIMITED, _VOID),
    (None, None, "linked_organization_billing_unavailable"): Row(K.BILLING, _VOID),
    (None, None, "organization_on_hold"): Row(K.PERMISSION, _VOID),
    (None, None, "cmek_key_disabled"): Row(K.PERMISSION, _VOID),
    (None, None, "cmek_key_network_blocked"): Row(K.PERMISSION, _VOID),
    (None, None, "request_body_timeout"): Row(K.UPSTREAM_TIMEOUT, _VOID),
    # A type that says more than its status.
    (400, "billing_error", None): Row(K.BILLING, _VOID),
    (403, "billing_error", None): Row(K.BILLING, _VOID),
    (500, "overloaded_error", None): Row(K.OVERLOADED, _VOID),
    (503, "overloaded_error", None): Row(K.OVERLOADED, _VOID),
    # Statuses.
    (400, None, None): Row(K.BAD_REQUEST, _VOID),
    (401, None, None): Row(K.AUTHENTICATION, _VOID),
    (402, None, None): Row(K.BILLING, _VOID),
    (403, None, None): Row(K.PERMISSION, _VOID),
    (404, None, None): Row(K.NOT_FOUND, _VOID),
    (407, None, None): Row(K.AUTHENTICATION, _VOID),
    (408, None, None): Row(K.UPSTREAM_TIMEOUT, _UNKNOWN),
    (409, None, None): Row(K.CONFLICT, _VOID),
    (410, None, None): Row(K.NOT_FOUND, _VOID),
    (412, None, None): Row(K.BAD_REQUEST, _VOID),
    (413, None, None): Row(K.TOO_LARGE, _VOID),
    (422, None, None): Row(K.BAD_REQUEST, _VOID),
    (429, None, None): Row(K.RATE_LIMITED, _VOID),
    (431, None, None): Row(K.BAD_REQUEST, _VOID),
    (499, None, None): Row(K.CONNECTION_LOST, _UNKNOWN),
    (500, None, None): Row(K.SERVER_ERROR, _VOID),
    (501, None, None): Row(K.SERVER_ERROR, _VOID),
    (502, None, None): Row(K.SERVER_ERROR, _UNKNOWN),  # from something in between: the API may have answered it
    (503, None, None): Row(K.SERVER_ERROR, _VOID),
    (504, None, None): Row(K.UPSTREAM_TIMEOUT, _UNKNOWN),
    (524, None, None): Row(K.UPSTREAM_TIMEOUT, _UNKNOWN),
    (529, None, None): Row(K.OVERLOADED, _VOID),
    # No status of its own: an `error` event, or an error inside a 200.
    (None, "invalid_request_error", None): Row(K.BAD_REQUEST, _VOID),
    (None, "authentication_error", None): Row(K.AUTHENTICATION, _VOID),
    (None, "billing_error", None): Row(K.BILLING, _VOID),
    (None, "permission_error", None): Row(K.PERMISSION, _VOID),
    (None, "not_found_error", None): Row(K.NOT_FOUND, _VOID),
    (None, "conflict_error", None): Row(K.CONFLICT, _VOID),
    (None, "request_too_large", None): Row(K.TOO_LARGE, _VOID),
    (None, "rate_limit_error", None): Row(K.RATE_LIMITED, _VOID),
    (None, "overloaded_error", None): Row(K.OVERLOADED, _VOID),
    (None, "api_error", None): Row(K.SERVER_ERROR, _UNKNOWN),
    (None, "timeout_error", None): Row(K.UPSTREAM_TIMEOUT, _UNKNOWN),
    (None, None, None): Row(K.STREAM_ERROR, _UNKNOWN),
}
CLASSES: dict[int, Row] = {  # by the first digit, for a status without a row
    3: Row(K.REDIRECTED, _VOID),
    4: Row(K.BAD_REQUEST, _VOID),
    5: Row(K.SERVER_ERROR, _UNKNOWN),
}
_NO_ANSWER = Row(K.BAD_ANSWER, _UNKNOWN)  # a 1xx, a 2xx that is no 200, a status that does not exist


class Fault(NamedTuple):
    error: type[BaseException]
    row: Row
    detail: str


_NOT_SENT = Row(K.CONNECT_FAILED, _VOID)
# First match wins, from what the transport raised up to what the SDK made of it. The SDK's transport
# calls every lost connection a connect error, so only aiohttp's own exceptions can tell "never sent".
FAULTS: tuple[Fault, ...] = (
    Fault(TooBig, Row(K.TOO_BIG, _UNKNOWN), "the answer passed a cap"),
    Fault(aiohttp.http_exceptions.LineTooLong, Row(K.TOO_BIG, _UNKNOWN), "a header line passed its cap"),
    Fault(aiohttp.ClientSSLError, _NOT_SENT, "TLS failed"),
    Fault(aiohttp.ClientConnectorDNSError, _NOT_SENT, "the host's name was not found"),
    Fault(aiohttp.ClientConnectorError, _NOT_SENT, "the connection was refused"),
    Fault(aiohttp.ConnectionTimeoutError, _NOT_SENT, "no connection in time"),
    Fault(httpx2.UnsupportedProtocol, _NOT_SENT, "the address is no http address"),
    Fault(aiohttp.ClientPayloadError, Row(K.CONNECTION_LOST, _UNKNOWN), "the body broke off"),
    Fault(aiohttp.ClientResponseError, _NO_ANSWER, "the answer is no HTTP"),
    Fault(aiohttp.ClientConnectionError, Row(K.CONNECTION_LOST, _UNKNOWN), "the connection was lost"),
    Fault(TimeoutError, Row(K.TIMED_OUT, _UNKNOWN), "no answer began in time"),
)
_LOST = Row(K.CONNECTION_LOST, _UNKNOWN)


def outcome_of_response(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """What an answer that is no 200 means. `headers` have lower-case names."""
    error_type, error_code = _names(body)
    row = _row((None, None, error_code), (status, error_type, None), (status, None, None), otherwise=_class_of(status))
    return Outcome(
        kind=row.kind,
        status=status,
        error_type=error_type,
        error_code=error_code,
        retry_after_s=retry_after_s(headers),
        should_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower()),
        billed=row.billed,
        detail=f"the API answered {status}",
    )


def outcome_of_event(data: bytes) -> Outcome:
    """What an `error` event inside a stream means, or an error body inside a 200."""
    error_type, error_code = _names(data)
    row = _row((None, None, error_code), (None, error_type, None), otherwise=TABLE[None, None, None])
    return Outcome(
        kind=row.kind,
        status=200,
        error_type=error_type,
        error_code=error_code,
        billed=row.billed,
        detail="an error inside a 200",
    )


def outcome_of_exception(error: BaseException, sent: bool) -> Outcome:
    """What an exception means. `sent`: the head of an answer was seen, so the call did arrive."""
    links = tuple(_chain(error))
    for fault in FAULTS:
        if any(isinstance(link, fault.error) for link in links):
            row = _LOST if sent and fault.row is _NOT_SENT else fault.row
            # What is wrong with a certificate or a name stays wrong.
            again = False if fault.error is aiohttp.ClientSSLError else None
            return Outcome(kind=row.kind, billed=row.billed, detail=fault.detail, should_retry=again)
    return Outcome(kind=_LOST.kind, billed=_LOST.billed, detail=f"{type(links[-1]).__name__} on the way to the API")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the API asks to wait: milliseconds first, then seconds, then a date; else nothing.

    A date is read against the answer's own `date`, so that the two clocks need not agree.
    """
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _clamped(milliseconds / 1000)
    told = headers.get("retry-after", "")
    seconds = _seconds(told)
    if seconds is None:
        seconds = _seconds_until(told, headers.get("date", ""))
    return None if seconds is None else _clamped(seconds)


_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def _seconds(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def _seconds_until(then: str, now: str) -> float | None:
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), 86400.0) if math.isfinite(seconds) else 86400.0


def _names(body: bytes) -> tuple[str | None, str | None]:
    """The error's type and code, and nothing that is not a name: both travel into logs."""
    error_type, error_code = read_error(body)
    return _name(error_type), _name(error_code)


def _name(value: str | None) -> str | None:
    return value if value is not None and _NAME.fullmatch(value) else None


def _row(*keys: Key, otherwise: Row) -> Row:
    for key in keys:
        # A key whose name is missing would be the row of the event without type and code.
        if key != (None, None, None) and key in TABLE:
            return TABLE[key]
    return otherwise


def _class_of(status: int) -> Row:
    return CLASSES.get(status // 100, _NO_ANSWER)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
