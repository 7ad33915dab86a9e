"""What arrived: how many requests on each path and, when asked to keep them, the newest ones whole.

Rule: nothing is kept of a request's headers or body unless the stand-in was started to do so.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, deque

from .connection import Request
from .prompt import Json

REQUESTS_KEPT = 100
PATHS_KEPT = 1_000


class Seen:
    """`counts` by path, and `requests`, the newest last."""

    def __init__(self, keep_requests: bool) -> None:
        self._keep = keep_requests
        self.counts: Counter[str] = Counter()
        self.requests: deque[Request] = deque(maxlen=REQUESTS_KEPT)

    def note(self, request: Request) -> None:
        path = request.path if request.path in self.counts or len(self.counts) < PATHS_KEPT else "other"
        self.counts[path] += 1
        if self._keep:
            self.requests.append(request)

    def clear(self) -> None:
        self.counts.clear()
        self.requests.clear()

    def told(self) -> Json:
        """As GET /_standin/seen shows it. Bodies are base64: they need not be text."""
        return {"counts": dict(self.counts), "requests": [_told(request) for request in self.requests]}


def _told(request: Request) -> Json:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.raw_headers],
        "body_base64": b64encode(request.body).decode(),
    }
