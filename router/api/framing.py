"""What is wrong with a request's head, if anything: a pure question over its bytes.

Rule: what two readers of one message could read differently is refused, not repaired.
"""

from __future__ import annotations

from ..errors import RequestError

HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 256
VERSIONS = frozenset({"1.0", "1.1"})
# Headers that decide whom a request is from, whom it is for, and where it ends.
ONCE = frozenset({b"host", b"authorization", b"x-api-key", b"content-length", b"transfer-encoding", b"idempotency-key"})

Headers = list[tuple[bytes, bytes]]


def complaint(target: bytes, headers: Headers, version: str) -> RequestError | None:
    """The first thing that is wrong. `headers` have lower-case names."""
    if not target.startswith(b"/"):
        return _bad("the request's target must be a path")
    if version not in VERSIONS:
        return _bad("speak HTTP/1.1")
    if len(headers) > HEADERS_MAX:
        return too_large()
    once: dict[bytes, bytes] = {}
    size = len(target)
    for name, value in headers:
        size += len(name) + len(value)
        plain = name.replace(b"_", b"-")
        if plain not in ONCE:
            continue
        if plain != name:
            return _bad(f"a header may not be spelt {name.decode('latin-1')}: send {plain.decode('latin-1')}")
        if plain in once:
            return _bad(f"the header {plain.decode('latin-1')} comes twice; send it once")
        once[plain] = value
    return too_large() if size > HEAD_BYTES_MAX else _of_once(once, version)


def too_large() -> RequestError:
    message = f"the request's head is larger than {HEAD_BYTES_MAX // 1024} KiB or {HEADERS_MAX} headers"
    return RequestError("router_bad_framing", message, status=431)


def _of_once(once: dict[bytes, bytes], version: str) -> RequestError | None:
    """Whom the request is for, and where it ends."""
    if not once.get(b"host"):
        return _bad("the header host is missing")
    coding = once.get(b"transfer-encoding")
    if coding is None:
        return None
    if coding.lower() != b"chunked" or version != "1.1":
        return _bad("transfer-encoding may only be chunked, and only in HTTP/1.1")
    if b"content-length" in once:
        return _bad("content-length and transfer-encoding exclude each other; send one")
    return None


def _bad(message: str) -> RequestError:
    return RequestError("router_bad_framing", message)
