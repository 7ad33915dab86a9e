"""Buckets refill evenly, refuse with a whole number of seconds, and are told in the documented headers."""

from __future__ import annotations

import pytest

from router.standin.limits import Limits, RateLimits
from router.standin.refused import Refused

NOW_MS = 1_795_219_200_000


def now(seconds: float) -> tuple[float, int]:
    return seconds, NOW_MS + int(seconds * 1000)


def test_a_request_over_the_limit_waits_for_its_share_of_a_minute() -> None:
    limits = RateLimits(Limits(requests=2))
    limits.spend("w", "haiku", (1, 1), now(0))
    limits.spend("w", "haiku", (1, 1), now(0))
    with pytest.raises(Refused) as refused:
        limits.spend("w", "haiku", (1, 1), now(0.5))
    assert (429, "rate_limit_error") == (refused.value.status, refused.value.type)
    assert ("retry-after", "30") == refused.value.headers[0]
    limits.spend("w", "haiku", (1, 1), now(30))


def test_every_family_and_workspace_has_its_own_bucket() -> None:
    limits = RateLimits(Limits(requests=1))
    for workspace, family in (("w", "haiku"), ("w", "sonnet"), ("v", "haiku")):
        limits.spend(workspace, family, (1, 1), now(0))


def test_a_prompt_larger_than_the_limit_passes_when_the_bucket_is_full() -> None:
    limits = RateLimits(Limits(input_tokens=100))
    limits.spend("w", "haiku", (500, 1), now(0))
    with pytest.raises(Refused) as refused:
        limits.spend("w", "haiku", (1, 1), now(1))
    assert ("retry-after", "240") == refused.value.headers[0]


def test_output_counts_as_it_was_produced() -> None:
    limits = RateLimits(Limits(output_tokens=60))
    limits.spend("w", "haiku", (1, 120), now(0))
    with pytest.raises(Refused, match="60 output tokens per minute"):
        limits.spend("w", "haiku", (1, 1), now(0))


def test_the_headers_are_those_of_the_documentation() -> None:
    headers = dict(RateLimits(Limits(requests=60, input_tokens=10_000, output_tokens=8_000)).spend(
        "w", "haiku", (2_600, 400), now(0)
    ))  # fmt: skip
    assert {
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "2026-11-21T00:00:01Z",
        "anthropic-ratelimit-tokens-limit": "10000",
        "anthropic-ratelimit-tokens-remaining": "7000",
        "anthropic-ratelimit-tokens-reset": "2026-11-21T00:00:16Z",
        "anthropic-ratelimit-input-tokens-limit": "10000",
        "anthropic-ratelimit-input-tokens-remaining": "7000",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-21T00:00:16Z",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": "8000",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-21T00:00:03Z",
    } == headers
