"""What the service says of itself: one JSON line a request, and counters with bounded labels.

Rule: ids, names and figures only; never prompt text, never a key. Encoded by one encoder, so that
nothing a caller sends can begin a line of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from .ports import Clock

_ENCODER = msgspec.json.Encoder()
# What a counter's label may be; anything else is counted as "other", so that series stay few.
LABELS_MAX = 64
_HELP = {
    "requests": "Requests by who answered them.",
    "outcomes": "Requests by how their last attempt ended.",
    "models": "Requests by the model that was asked last.",
    "refusals": "Requests that were refused before anything was sent, by code.",
    "attempts": "Calls to the API for answers.",
    "tokens": "Tokens of answers, by class.",
    "stalled_readers": "Connections that were ended because their reader took nothing.",
}


class JsonEvents:
    """Implements ports.Events. `write` takes one line of bytes; None writes nothing."""

    def __init__(self, *, write: Callable[[bytes], object] | None, clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._counters: dict[str, Counter[str]] = {name: Counter() for name in _HELP}

    def request(self, fields: Mapping[str, object]) -> None:
        """One line, and what it adds to the counters."""
        self.count("requests", str(fields["served_by"]))
        self.count("outcomes", str(fields["outcome"]))
        self.count("models", str(fields["model"]))
        self._add("attempts", "answer", fields["attempts"])
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"):
            self._add("tokens", name.removesuffix("_tokens"), fields[name])
        self._line("request", fields)

    def count(self, name: str, label: str = "") -> None:
        self._add(name, label, 1)

    def say(self, event: str, **fields: object) -> None:
        """A line about the service itself: start, stop, trouble."""
        self._line(event, fields)

    def metrics(self) -> bytes:
        """The counters as Prometheus reads them."""
        lines = []
        for name, counter in self._counters.items():
            lines.append(f"# HELP tierwise_{name}_total {_HELP.get(name, name)}")
            lines.append(f"# TYPE tierwise_{name}_total counter")
            lines += [f'tierwise_{name}_total{{kind="{label}"}} {value}' for label, value in sorted(counter.items())]
        return ("\n".join(lines) + "\n").encode()

    def _add(self, name: str, label: str, amount: object) -> None:
        counter = self._counters[name]
        plain = label if label.replace("_", "").replace("-", "").replace(".", "").isalnum() else "other"
        if plain not in counter and len(counter) >= LABELS_MAX:
            plain = "other"
        counter[plain] += amount if isinstance(amount, int) else 0

    def _line(self, event: str, fields: Mapping[str, object]) -> None:
        if self._write is not None:
            line = {"event": event, "at_ms": self._clock.now_ms(), **fields}
            self._write(_ENCODER.encode(line) + b"\n")
