"""Server-sent events as bytes: split a stream into whole events, read one, write one.

Rule: pure. A frame is returned as the very bytes that came, its blank line included, and whatever the
network did to the pieces, the frames are the same.
"""

from __future__ import annotations

import re

from ..errors import WireError

EVENT_BYTES_MAX = 4 * 1024 * 1024
# Two line ends in a row. Whether a line feed belongs to the carriage return before it is only known
# with the next byte, so a blank line that ends in "\n\r" waits for one.
_BLANK = re.compile(rb"\n(?:\n|\r\n|\r(?=[^\n]))|\r\r")
_LONGEST_BLANK = 4  # with the byte behind it
_LINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
# As the API writes its events: the others take the long way, to the same end.
_USUAL = re.compile(rb"event: ([a-z_]+)\ndata: ([^\r\n]*)\n\n")
_USUAL_AROUND = len(b"event: \ndata: \n\n")


class Splitter:
    """Collects bytes until an event is whole. Each byte is looked at a bounded number of times."""

    def __init__(self, max_event_bytes: int = EVENT_BYTES_MAX) -> None:
        self._max = max_event_bytes
        self._buffer = bytearray()  # of the event that is not whole yet

    @property
    def rest(self) -> bytes:
        """What has come of an event that is not whole yet."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes. Raises WireError when one is larger than any event is."""
        buffer = self._buffer
        if not buffer and b"\r" not in chunk:
            *whole, rest = chunk.split(b"\n\n")
            frames = [frame + b"\n\n" for frame in whole]
            buffer += rest
        else:
            frames = self._searched(chunk)
        if len(buffer) > self._max or any(len(frame) > self._max for frame in frames):
            raise WireError(f"an event is larger than {self._max} bytes")
        return frames

    def _searched(self, chunk: bytes) -> list[bytes]:
        buffer = self._buffer
        looked_at = max(0, len(buffer) + 1 - _LONGEST_BLANK)
        buffer += chunk
        frames, start = [], 0
        for end in [blank.end() for blank in _BLANK.finditer(buffer, looked_at)]:
            frames.append(bytes(memoryview(buffer)[start:end]))
            start = end
        del buffer[:start]
        return frames


def parse_all(run: bytes) -> list[tuple[str, bytes]]:
    """The name and the data of each event of a run of whole ones."""
    found = _USUAL.findall(run)
    if sum([len(name) + len(data) + _USUAL_AROUND for name, data in found]) == len(run):
        return [(name.decode(), data) for name, data in found]
    return [parse(frame) for frame in Splitter().feed(run)]


def parse(frame: bytes) -> tuple[str, bytes]:
    """The event's name and its data. Comments and unknown fields are passed over."""
    usual = _USUAL.fullmatch(frame)
    if usual is not None:
        return usual[1].decode(), usual[2]
    name, data = "", []
    for line in _LINE.split(frame.removeprefix(_BOM)):
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
