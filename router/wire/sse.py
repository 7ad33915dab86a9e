"""Server-sent events as bytes: split a stream into whole events, read one, write one.

Rule: pure. A frame is returned as the very bytes that came, its blank line included, and whatever the
network did to the pieces, the frames are the same.
"""

from __future__ import annotations

import re

from ..errors import WireError

EVENT_BYTES_MAX = 4 * 1024 * 1024
# A blank line ends an event; a stream keeps to one kind of line end.
_BLANK = re.compile(rb"\n\n|\r\n\r\n|\r\r")
_LONGEST_BLANK = 4
_LINE = re.compile(rb"\r\n|\n|\r")


class Splitter:
    """Collects bytes until an event is whole. Each byte is looked at a bounded number of times."""

    def __init__(self, max_event_bytes: int = EVENT_BYTES_MAX) -> None:
        self._max = max_event_bytes
        self._pieces: list[bytes] = []  # of the event that is not whole yet
        self._size = 0
        self._tail = b""  # its last bytes: where a blank line may have begun

    @property
    def rest(self) -> bytes:
        """What has come of an event that is not whole yet."""
        return b"".join(self._pieces)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes. Raises WireError when one is larger than any event is."""
        first = _BLANK.search(self._tail + chunk)
        if first is None:
            self._keep(chunk)
            return []
        buffer = b"".join((*self._pieces, chunk))
        at = self._size - len(self._tail) + first.end()
        self._pieces, self._size, self._tail = [], 0, b""
        frames, start = [buffer[:at]], at
        while match := _BLANK.search(buffer, start):
            frames.append(buffer[start : match.end()])
            start = match.end()
        self._keep(buffer[start:])
        if any(len(frame) > self._max for frame in frames):
            raise self._too_big()
        return frames

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        self._tail = (self._tail + piece[1 - _LONGEST_BLANK :])[1 - _LONGEST_BLANK :]
        if self._size > self._max:
            raise self._too_big()

    def _too_big(self) -> WireError:
        return WireError(f"an event is larger than {self._max} bytes")


def parse(frame: bytes) -> tuple[str, bytes]:
    """The event's name and its data. Comments and unknown fields are passed over."""
    name, data = "", []
    for line in _LINE.split(frame.removeprefix(b"\xef\xbb\xbf")):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return name, b"\n".join(data)


def encode(event: str, data: bytes) -> bytes:
    """One event. The data must not hold line ends: our JSON never does."""
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"
