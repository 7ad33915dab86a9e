"""Room at the door: how many requests and how many bytes are inside at once.

Rule: counts only. What does not fit is told so at once, before memory or deadlines are lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import RequestError

BODY_BYTES_AT_ONCE = 512 * 1024 * 1024


class Admission:
    """Shared by all doors of one process."""

    def __init__(self, max_in_flight: int) -> None:
        self._max = max_in_flight
        self.in_flight = 0
        self.body_bytes = 0
        self.draining = False

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Raises RequestError when there is no room, or the service is going away."""
        if self.draining:
            raise RequestError("router_draining", "the service is shutting down; ask again", retry_after_s=1)
        if self.in_flight >= self._max:
            raise _full()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """While a body of this many bytes is held."""
        if self.body_bytes + size > BODY_BYTES_AT_ONCE:
            raise _full()
        self.body_bytes += size
        try:
            yield
        finally:
            self.body_bytes -= size


def _full() -> RequestError:
    return RequestError("router_overloaded", "the service is full; nothing was sent", retry_after_s=2)
