"""What the stand-in can be told to do wrong, and to which requests.

Rule: pure. Whether a `share` of requests is hit is decided by a digest of its seed and a running
number, so that the same script gives the same faults on every machine.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

Kind = Literal[
    "status", "slow_head", "stall", "cut", "garbage", "stream_error", "close", "redirect", "html", "null", "huge",
    "empty", "refusal", "max_tokens", "no_message_stop", "drop_event",
]  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to do wrong. The first fault that fits a request is the one that happens."""

    kind: Kind
    model: str | None = None
    match: str | None = None  # a part of the last user turn's text
    count: int | None = None  # how many requests it hits; None: all
    share: float = 1.0  # of the requests that fit
    seed: int = 0  # of the dice of `share`
    status: int = 500
    retry_after: int | None = None
    error_code: str | None = None  # error.details.error_code; for a refusal, its category
    error_type: str | None = None
    message: str | None = None
    location: str | None = None  # of a redirect
    after_events: int | None = None
    after_bytes: int | None = None
    delay_s: float | None = None


class Armed(msgspec.Struct):
    """A fault and how often it was considered and hit."""

    fault: Fault
    considered: int = 0
    hits: int = 0


class Faults:
    """The script. Empty: nothing goes wrong."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []

    def add(self, *faults: Fault) -> None:
        self._armed.extend(Armed(fault) for fault in faults)

    def clear(self) -> None:
        self._armed.clear()

    def list(self) -> list[Armed]:
        return self._armed

    def pick(self, model: str, text: str) -> Fault | None:
        """The fault that hits this request, if any."""
        for armed in self._armed:
            if _fits(armed, model, text) and _falls(armed):
                armed.hits += 1
                return armed.fault
        return None


def _fits(armed: Armed, model: str, text: str) -> bool:
    fault = armed.fault
    return (
        (fault.count is None or armed.hits < fault.count)
        and (fault.model is None or fault.model == model)
        and (fault.match is None or fault.match in text)
    )


def _falls(armed: Armed) -> bool:
    armed.considered += 1
    if armed.fault.share >= 1:
        return True
    digest = blake2b(f"{armed.fault.seed} {armed.considered}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < armed.fault.share
