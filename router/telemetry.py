"""What the service says of itself: one JSON line a request, and counters with bounded labels.

Rule: ids, names and figures only; never prompt text, never a key. One encoder writes every line in plain
ASCII, so nothing that a caller sends can begin a line of its own, and no trouble with a line or a counter
ever costs a request its answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from .ports import Clock

_ENCODER = msgspec.json.Encoder()
# How many labels a counter may have; anything more is counted as "other", so that series stay few.
LABELS_MAX = 64
_PLAIN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# What callers name themselves: kept as it is where it is a plain name, else as a digest that is the same
# for the same name.
FOREIGN = ("feature", "user", "session", "upstream_request_id")
_TOKENS = tuple((f"{label}_tokens", label) for label in ("input", "output", "cache_read", "cache_write"))
_MONEY = tuple((f"{label}_usd", label) for label in ("uncached", "answered"))
_HELP = {
    "requests": "Requests by who answered them.",
    "outcomes": "Requests by how their last attempt ended.",
    "models": "Requests by the model that was asked last.",
    "refusals": "Requests that were refused before anything was sent, by code.",
    "attempts": "Calls to the API for answers.",
    "tokens": "Tokens of answers, by class.",
    "nanousd": "Money, in 1e-9 USD: what answers cost (answered), and had cost without caching (uncached).",
    "classifier_audits": "Remembered verdicts that were asked anew, by what came out.",
    "cache_misses": "Answers by why no more of the prompt was read from the prompt cache.",
    "shadow": "Requests that a candidate in the shadow decided too, by whether it differed.",
    "alerts": "Alerts that were raised, by kind.",
    "reloads": "Policies that were loaded while serving, by how that ended.",
    "replies": "Requests by whether an equal one had been answered.",
    "reply_isolation": "Kept answers that came back to another tenant than their own, and were not given: must be 0.",
    "redis_failures": "Reads and writes that Redis did not do in time, by what for.",
    "breaker": "Changes of the models' breakers, by model and state.",
    "held_back": "Calls that were not made because their turn would have come too late, by why.",
    "keys": "Requests with an idempotency-key, by what became of them.",
    "webhooks": "Tellings of finished jobs, by how they went.",
    "jobs": "Requests that were put off, by what became of them.",
    "agreement": "Second opinions on a cheap answer: they agreed, it differs, or there was none to be had (alone).",
    "samples": "Requests that were to be kept with their text, by what became of them.",
    "gate": "Requests that the local gate looked at, by whether it answered or why it left them to the classifier.",
    "gate_audits": "Answers of the local gate that the classifier was asked about too, by what came out.",
    "stalled_readers": "Connections that were ended because their reader took nothing.",
    "lost_lines": "Log lines that could not be written.",
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
        for name, label in _TOKENS:
            self._add("tokens", label, fields[name])
        for name, label in _MONEY:
            self._add("nanousd", label, round(float(str(fields.get(name, 0))) * 1e9))
        self._line("request", fields, FOREIGN)

    def count(self, name: str, label: str = "") -> None:
        self._add(name, label, 1)

    def say(self, event: str, **fields: object) -> None:
        """A line about the service itself: start, stop, trouble."""
        self._line(event, fields, [name for name in FOREIGN if name in fields])

    def metrics(self) -> bytes:
        """The counters as Prometheus reads them."""
        lines = []
        for name, counter in self._counters.items():
            lines.append(f"# HELP tierwise_{name}_total {_HELP.get(name, name)}")
            lines.append(f"# TYPE tierwise_{name}_total counter")
            for label, value in sorted(counter.items()):
                kind = f'{{kind="{label}"}}' if label else ""
                lines.append(f"tierwise_{name}_total{kind} {value}")
        return ("\n".join(lines) + "\n").encode()

    def _add(self, name: str, label: str, amount: object) -> None:
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = Counter()
        if label not in counter and label and (len(counter) >= LABELS_MAX or not _PLAIN.fullmatch(label)):
            label = "other"
        counter[label] += amount if isinstance(amount, int) else 0

    def _line(self, event: str, fields: Mapping[str, object], foreign: Iterable[str]) -> None:
        if self._write is None:
            return
        told = {"event": event, "at_ms": self._clock.now_ms(), **fields}
        for name in foreign:
            told[name] = plain_name(told.get(name))
        line = plain_line(_ENCODER.encode(told))
        try:
            self._write(line + b"\n")
        except (OSError, ValueError):  # a full disk, a reader that went away, a closed file
            self.count("lost_lines")


def plain_line(encoded: bytes) -> bytes:
    """The same JSON in printable ASCII: line separators and control characters as escapes."""
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    spelt = json.dumps(msgspec.json.decode(encoded), separators=(",", ":"))
    return spelt.replace("\x7f", "\\u007f").encode("ascii")


def plain_name(given: object) -> object:
    """A name that a caller chose, when it is plain enough to be logged; else its digest."""
    if not isinstance(given, str) or _PLAIN.fullmatch(given):
        return given
    return "digest:" + hashlib.blake2b(given.encode("utf-8", "replace"), digest_size=8).hexdigest()
