"""Room at the door: how many requests and how many bytes of bodies are inside at once.

Rule: counts only. What does not fit is told so at once, before memory or deadlines are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ..errors import RequestError

BODY_BYTES_AT_ONCE = 512 * 1024 * 1024
# So far behind its own time is a service that takes more than it can do.
LATE_S, TOO_LATE_S = 0.25, 1.0


class Admission:
    """Shared by all doors of one process."""

    def __init__(
        self,
        max_in_flight: int,
        body_bytes_at_once: int = BODY_BYTES_AT_ONCE,
        late_s: Callable[[], float] = lambda: 0.0,
        keep_free: Callable[[], float] = lambda: 0.2,
    ) -> None:
        self._max = max_in_flight
        self._body_bytes_max = body_bytes_at_once
        self._late_s = late_s
        self._keep_free = keep_free
        self.in_flight = 0
        self.body_bytes = 0
        self.draining = False

    def admitted(self, *, can_wait: bool = False) -> Place:
        """A place, to be entered. Raises RequestError when there is none, or the service is going away.

        Who can wait is turned away first: when only what is kept free is left, or when the service falls behind.
        """
        if self.draining:
            raise draining()
        if self.in_flight >= self._max * (1 - self._keep_free() if can_wait else 1):
            raise _full()
        if self._late_s() > (LATE_S if can_wait else TOO_LATE_S):
            raise _full()
        return Place(self)

    def take(self, size: int) -> None:
        if self.body_bytes + size > self._body_bytes_max:
            raise _full()
        self.body_bytes += size


class Place:
    """One request's place, with as much room as its body takes."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def __enter__(self) -> Place:
        self._admission.in_flight += 1
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._admission.in_flight -= 1
        self._admission.body_bytes -= self._size

    def hold(self, size: int) -> None:
        """Room for this many more bytes of the body, until the request ends. Raises RequestError."""
        self._admission.take(size)
        self._size += size


def draining() -> RequestError:
    return RequestError("router_draining", "the service is shutting down; ask again", retry_after_s=1)


def _full() -> RequestError:
    return RequestError("router_overloaded", "the service is full and sent nothing; ask again in a moment")
