"""The error tree.

    TierwiseError
    ├── StartError            the service or a command cannot start; its text is the one line to print
    │   ├── SettingsError     an environment variable or .env value is wrong
    │   └── PolicyError       a policy file is wrong; carries every problem found
    ├── RequestError          ends one request, as an HTTP answer in the one error shape
    ├── WireError             bytes that are no Messages API body, event or reply
    └── Broken                the upstream failed in the middle of a body; carries the Outcome

Rule: a RequestError's code is one of CODES, a closed list that is part of the API (docs/errors.md).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from .vocabulary import Outcome


class TierwiseError(Exception):
    """Everything that Tierwise itself raises."""


class StartError(TierwiseError):
    """The service cannot start."""


class SettingsError(StartError):
    """A setting is wrong."""


class PolicyError(StartError):
    """A policy file is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class WireError(TierwiseError):
    """Not what the Messages API speaks."""


class Broken(TierwiseError):
    """The upstream broke off."""

    def __init__(self, outcome: Outcome, frame: bytes = b"") -> None:
        super().__init__(outcome.detail or outcome.kind.value)
        self.outcome = outcome
        self.frame = frame  # the `error` event as it came, when that is what ended the stream


class Code(NamedTuple):
    """What a `router_*` code means to a client. `retry` None leaves the decision to the client."""

    status: int
    type: str
    retry: bool | None
    means: str


CODES: dict[str, Code] = {
    "router_bad_json": Code(400, "invalid_request_error", False, "the body is not the JSON object we can read"),
    "router_bad_request": Code(400, "invalid_request_error", False, "a field is missing, unknown or of the wrong type"),
    "router_unsupported": Code(
        400, "invalid_request_error", False, "the chosen model would refuse a parameter of this request"
    ),
    "router_max_cost": Code(400, "invalid_request_error", False, "the request could cost more than max_cost_usd"),
    "router_budget": Code(402, "billing_error", False, "the policy's budget for this request is spent"),
    "router_refused": Code(403, "permission_error", False, "a rule of the policy refuses this request"),
    "router_bad_framing": Code(400, "invalid_request_error", False, "the HTTP message itself is malformed"),
    "router_key_invalid": Code(401, "authentication_error", False, "no key, or not one of ours"),
    "router_unknown_model": Code(404, "not_found_error", False, "no such model, or it is retired"),
    "router_unknown_task": Code(400, "invalid_request_error", False, "the policy has no such task"),
    "router_admin": Code(403, "permission_error", False, "this path needs the admin key"),
    "router_conflict": Code(409, "invalid_request_error", False, "the service is not in a state for that"),
    "router_policy": Code(422, "invalid_request_error", False, "a policy file is wrong; the old policy serves on"),
    "router_not_found": Code(404, "not_found_error", False, "no such path"),
    "router_method": Code(405, "invalid_request_error", False, "the path exists, the method does not"),
    "router_client_slow": Code(408, "invalid_request_error", False, "the head or body came too slowly"),
    "router_too_large": Code(413, "request_too_large", False, "the body is over 32 MB"),
    "router_encoding": Code(415, "invalid_request_error", False, "content-type or content-encoding is not accepted"),
    "router_overloaded": Code(503, "api_error", True, "the service has no room; nothing was sent"),
    "router_draining": Code(503, "api_error", True, "the service is shutting down"),
    "router_all_tiers_down": Code(503, "api_error", False, "no model answered and nothing was left to try"),
    "router_ledger_unavailable": Code(503, "api_error", True, "the books cannot be written; nothing was sent"),
    "router_rate_limited": Code(429, "rate_limit_error", False, "every model we may use is rate limited"),
    "router_tier_overloaded": Code(529, "overloaded_error", False, "every model we may use is overloaded"),
    "router_upstream_auth": Code(502, "api_error", False, "the API refused the service's own key"),
    "router_bad_upstream": Code(502, "api_error", False, "the API answered with something that is no message"),
    "router_redirect": Code(502, "api_error", False, "the API redirected; never followed"),
    "router_deadline": Code(504, "timeout_error", False, "no answer before the caller's deadline"),
    "router_upstream_slow": Code(504, "timeout_error", False, "the model did not begin to answer in time"),
    "router_stream_stall": Code(200, "api_error", None, "in a stream: silence for longer than the idle timeout"),
    "router_truncated": Code(200, "api_error", None, "in a stream: the API broke off before the end"),
    "router_bad_stream": Code(200, "api_error", None, "in a stream: an event that is no event"),
    "router_bad_idempotency_key": Code(
        400, "invalid_request_error", False, "the header idempotency-key holds no key that we can use"
    ),
    "router_idempotency_running": Code(
        409, "invalid_request_error", True, "the request with this idempotency-key is still running"
    ),
    "router_idempotency_reuse": Code(
        409, "invalid_request_error", False, "this idempotency-key came with another body before"
    ),
    "router_outcome_unknown": Code(
        502, "api_error", False, "the request with this idempotency-key was begun; its end was not seen"
    ),
    "router_job_unknown": Code(404, "not_found_error", False, "no such job, or its time to be fetched is over"),
    "router_jobs_full": Code(503, "api_error", True, "too many requests are put off already; this one was not"),
    "router_internal": Code(500, "api_error", False, "our own fault; the log has the request id"),
}


class RequestError(TierwiseError):
    """Ends one request in the one error shape. `field` names what is wrong, where there is one."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        retry_after_s: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.spent = True  # may something have been generated, and billed? False: provably nothing was
        self.status = CODES[code].status if status is None else status


def error_body(error: RequestError, request_id: str) -> bytes:
    """The one error shape, as bytes."""
    details: dict[str, str] = {"error_code": error.code}
    if error.field is not None:
        details["field"] = error.field
    return msgspec.json.encode(
        {
            "type": "error",
            "error": {"type": CODES[error.code].type, "message": error.message, "details": details},
            "request_id": request_id,
        }
    )
