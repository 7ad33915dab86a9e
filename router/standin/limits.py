"""Rate limits: continuously refilled buckets by workspace and model family, and their headers.

Rule: no clock of its own; the time is an argument. Tokens read from the prompt cache do not count
against the input limit; output counts as produced, whatever max_tokens says.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec

from .refused import Refused

PLENTY = 1_000_000_000
Headers = tuple[tuple[str, str], ...]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Per minute, for every workspace and model family. The default never limits."""

    requests: int = PLENTY
    input_tokens: int = PLENTY
    output_tokens: int = PLENTY


class Bucket:
    """Holds a minute's worth, refills evenly."""

    def __init__(self, limit: int, now_s: float) -> None:
        self.limit = limit
        self.level = float(limit)
        self._at_s = now_s

    def refill(self, now_s: float) -> None:
        self.level = min(float(self.limit), self.level + (now_s - self._at_s) * self.limit / 60)
        self._at_s = now_s

    def wait_s(self, wanted: float) -> float:
        """How long until so much is there; a wish above the limit waits for a full bucket."""
        return max(0.0, (min(wanted, self.limit) - self.level) * 60 / self.limit)

    def full_in_s(self) -> float:
        return (self.limit - self.level) * 60 / self.limit


class RateLimits:
    """The buckets of all workspaces."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: dict[tuple[str, str], tuple[Bucket, Bucket, Bucket]] = {}
        self._stamps: tuple[int, dict[int, str]] = (0, {})

    def spend(self, workspace: str, family: str, tokens: tuple[int, int], now: tuple[float, int]) -> Headers:
        """Take one request's share: (input, output) tokens at (monotonic s, wall ms). Gives the headers."""
        (input_tokens, output_tokens), (now_s, now_ms) = tokens, now
        requests, inputs, outputs = buckets = self._of(workspace, family, now_s)
        wishes = ((requests, 1, "requests"), (inputs, input_tokens, "input tokens"), (outputs, 1, "output tokens"))
        for bucket, wanted, name in wishes:
            wait_s = bucket.wait_s(wanted)
            if wait_s > 0:
                raise self._limited(bucket.limit, name, wait_s, self._headers(buckets, now_ms))
        requests.level -= 1
        inputs.level -= input_tokens
        outputs.level -= output_tokens
        return self._headers(buckets, now_ms)

    def _of(self, workspace: str, family: str, now_s: float) -> tuple[Bucket, Bucket, Bucket]:
        key = (workspace, family)
        found = self._buckets.get(key)
        if found is None:
            limits = self._limits
            found = self._buckets[key] = (
                Bucket(limits.requests, now_s),
                Bucket(limits.input_tokens, now_s),
                Bucket(limits.output_tokens, now_s),
            )
        for bucket in found:
            bucket.refill(now_s)
        return found

    def _limited(self, limit: int, name: str, wait_s: float, headers: Headers) -> Refused:
        refused = Refused(
            f"This request would exceed your organization's rate limit of {limit:,} {name} per minute.",
            "rate_limit_error",
            429,
        )
        refused.headers = (("retry-after", str(max(1, math.ceil(wait_s)))), *headers)
        return refused

    def _headers(self, buckets: tuple[Bucket, Bucket, Bucket], now_ms: int) -> Headers:
        requests, inputs, outputs = buckets
        tightest = min(inputs, outputs, key=lambda bucket: bucket.level / bucket.limit)
        shown = (("requests", requests), ("tokens", tightest), ("input-tokens", inputs), ("output-tokens", outputs))
        headers: list[tuple[str, str]] = []
        for name, bucket in shown:
            left = max(0, int(bucket.level))
            left = left if name == "requests" else round(left / 1000) * 1000
            prefix = f"anthropic-ratelimit-{name}"
            headers.append((f"{prefix}-limit", str(bucket.limit)))
            headers.append((f"{prefix}-remaining", str(left)))
            headers.append((f"{prefix}-reset", self._stamp(now_ms // 1000 + math.ceil(bucket.full_in_s()))))
        return tuple(headers)

    def _stamp(self, second: int) -> str:
        """RFC 3339, remembered: the same few seconds are asked for thousands of times."""
        base, known = self._stamps
        if base != second // 60 or len(known) > 1_000:
            self._stamps = base, known = second // 60, {}
        if second not in known:
            known[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return known[second]
