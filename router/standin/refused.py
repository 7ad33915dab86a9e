"""The one way in which a request is refused."""

from __future__ import annotations

INVALID = "invalid_request_error"
NOT_FOUND = "not_found_error"


class Refused(Exception):
    """Ends one request with an HTTP error in the API's error shape."""

    def __init__(self, message: str, error_type: str = INVALID, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.type = error_type
        self.status = status
        self.code = code
        self.headers: tuple[tuple[str, str], ...] = ()
