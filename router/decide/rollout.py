"""Which sessions a candidate policy serves, and whether what it served proves it worse than the current one.

Rule: pure, and honest however often it is asked: it is looked at after every request, so every bound comes from
decide/sequential.py, where looking is free. Both tallies must be of the same span of time: an outage that only one
of them saw would be blamed on the candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from ..vocabulary import PICO_PER_USD
from .policy import Guardrails, Rollout
from .sequential import (
    bucket_of,
    edge_ms,
    mean_slack,
    percentile_at_least,
    percentile_at_most,
    percentile_bucket,
    share_is_above,
    share_is_above_other,
)

SHARES = ("failed", "degraded", "refused", "truncated")
SLOWEST = 0.05  # of the requests are slower than the 95th percentile
FEWEST_BAD = 5  # fewer than these are bad luck, however good the current policy was
FEWEST_TIMED = 20  # the 95th percentile of fewer requests is just the slowest of them
FEWEST_PRICED = 100  # the bound of a mean holds in the limit only
STRAGGLERS = 20  # with share 1.0, fewer of the current policy's are what was under way when the share was raised
ARMS = 2
HASHES = 2**64


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One served request, as the guardrails look at it."""

    failed: bool = False
    degraded: bool = False
    refused: bool = False
    truncated: bool = False
    latency_ms: int = 0
    cost_pico: int = 0


class Tally(msgspec.Struct, kw_only=True):
    """What was seen of one arm in a window, in bounded size; msgspec.json writes and reads it."""

    requests: int = 0
    failed: int = 0
    degraded: int = 0
    refused: int = 0
    truncated: int = 0
    latency: dict[int, int] = {}  # bucket -> requests
    cost_pico: int = 0
    cost_pico_squared: float = 0.0  # a sum; merges by adding, and is fine unless costs differ by less than 1e-7

    def add(self, seen: Seen) -> None:
        self.requests += 1
        self.failed += seen.failed
        self.degraded += seen.degraded
        self.refused += seen.refused
        self.truncated += seen.truncated
        bucket = bucket_of(seen.latency_ms)
        self.latency[bucket] = self.latency.get(bucket, 0) + 1
        self.cost_pico += seen.cost_pico
        self.cost_pico_squared += float(seen.cost_pico) ** 2

    def merged(self, other: Tally) -> Tally:
        """Both together, as if one had seen it all."""
        return Tally(
            requests=self.requests + other.requests,
            failed=self.failed + other.failed,
            degraded=self.degraded + other.degraded,
            refused=self.refused + other.refused,
            truncated=self.truncated + other.truncated,
            latency=dict(Counter(self.latency) + Counter(other.latency)),
            cost_pico=self.cost_pico + other.cost_pico,
            cost_pico_squared=self.cost_pico_squared + other.cost_pico_squared,
        )

    def p95_ms(self) -> float | None:
        """The 95th percentile, to within half a bucket (2.5 %)."""
        return edge_ms(percentile_bucket(SLOWEST, self.latency) + 0.5) if self.requests else None

    def mean_usd(self) -> float | None:
        return self.cost_pico / self.requests / PICO_PER_USD if self.requests else None

    def cost_slack_usd(self, chance: float) -> float:
        """How far the true mean may be from the observed one, to one side."""
        variance = self.cost_pico_squared / self.requests - (self.cost_pico / self.requests) ** 2
        return mean_slack(max(0.0, variance), self.requests, chance) / PICO_PER_USD


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one guardrail says."""

    guardrail: str
    current: float | None  # a share, ms or USD a request; None without a request
    candidate: float | None
    allowed: float  # the margin, or the factor
    worse: bool  # proven, with enough evidence
    words: str


def arm_of(tenant: str, session: str, candidate_hash: str, share: float) -> bool:
    """Whether the candidate serves this session: for good, and a larger share only adds sessions."""
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    text = f"{len(tenant)}:{tenant}{len(session)}:{session}{candidate_hash}"
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) < share * HASHES


def findings(current: Tally, candidate: Tally, rollout: Rollout) -> tuple[Finding, ...]:
    """What every guardrail that is on says, in the order of the policy's reference."""
    return tuple(_each(current, candidate, rollout))


def verdict(current: Tally, candidate: Tally, rollout: Rollout) -> str | None:
    """Why to roll back, or None."""
    return next((finding.words for finding in _each(current, candidate, rollout) if finding.worse), None)


def ripe(candidate_total_requests: int, running_s: float, rollout: Rollout) -> bool:
    """Whether the candidate has served enough, for long enough, to take over by itself."""
    enough = candidate_total_requests >= rollout.promote_after_requests
    return rollout.promote == "auto" and enough and running_s >= rollout.promote_after_s


def _each(current: Tally, candidate: Tally, rollout: Rollout) -> Iterator[Finding]:
    rails = rollout.guardrails
    chance = _chance_of_a_bound(rollout)
    for name in SHARES:
        margin: float | None = getattr(rails, name)
        if margin is not None and name == "failed" and rollout.share >= 1 and current.requests < STRAGGLERS:
            yield _failed_alone(candidate, margin, chance)
        elif margin is not None:
            yield _share(name, margin, current, candidate, chance)
    if rails.p95_latency is not None:
        yield _p95_latency(rails.p95_latency, current, candidate, chance)
    if rails.cost is not None:
        yield _cost(rails.cost, current, candidate, chance)


def _chance_of_a_bound(rollout: Rollout) -> float:
    """The false alarms of a window, shared out evenly (Bonferroni) over the guardrails that are on and both arms."""
    enabled = sum(getattr(rollout.guardrails, name) is not None for name in Guardrails.__struct_fields__)
    return rollout.false_alarm / (ARMS * max(1, enabled))


def _share(name: str, margin: float, current: Tally, candidate: Tally, chance: float) -> Finding:
    bad, usual = getattr(candidate, name), getattr(current, name)
    worse = bad >= FEWEST_BAD and share_is_above_other(
        (bad, candidate.requests), (usual, current.requests), margin, chance
    )
    seen = (
        f"{name}: {_of(bad, candidate)}, the current policy {_of(usual, current)}; {_percent(margin)} more is allowed"
    )
    return Finding(
        guardrail=name,
        current=usual / current.requests if current.requests else None,
        candidate=bad / candidate.requests if candidate.requests else None,
        allowed=margin,
        worse=worse,
        words=f"{seen}: {_conclusion(worse, current, candidate)}",
    )


def _failed_alone(candidate: Tally, margin: float, chance: float) -> Finding:
    """With every session on the candidate there is nothing to compare with, but failing is bad by itself."""
    bad = candidate.failed
    worse = bad >= FEWEST_BAD and share_is_above(margin, bad, candidate.requests, chance)
    conclusion = "proven worse than that" if worse else "no evidence of more yet"
    return Finding(
        guardrail="failed",
        current=None,
        candidate=bad / candidate.requests if candidate.requests else None,
        allowed=margin,
        worse=worse,
        words=f"failed: {_of(bad, candidate)}, and no session is left on the current policy, so {_percent(margin)} in"
        f" all is allowed: {conclusion}",
    )


def _p95_latency(factor: float, current: Tally, candidate: Tally, chance: float) -> Finding:
    worse = False
    if candidate.requests >= FEWEST_TIMED:
        at_most_ms = percentile_at_most(SLOWEST, current.latency, chance)
        worse = percentile_at_least(SLOWEST, candidate.latency, chance) >= factor * at_most_ms
    now_ms, new_ms = current.p95_ms(), candidate.p95_ms()
    seen = f"{_seconds(new_ms, candidate)}, the current policy {_seconds(now_ms, current)}"
    return Finding(
        guardrail="p95_latency",
        current=now_ms,
        candidate=new_ms,
        allowed=factor,
        worse=worse,
        words=f"p95_latency: {seen}; {factor:g} times is allowed: {_conclusion(worse, current, candidate)}",
    )


def _cost(factor: float, current: Tally, candidate: Tally, chance: float) -> Finding:
    worse = False
    now_usd, new_usd = current.mean_usd(), candidate.mean_usd()
    if now_usd is not None and new_usd is not None and min(current.requests, candidate.requests) >= FEWEST_PRICED:
        at_most_usd = now_usd + current.cost_slack_usd(chance)
        worse = new_usd - candidate.cost_slack_usd(chance) > factor * at_most_usd
    seen = f"{_dollars(new_usd, candidate)}, the current policy {_dollars(now_usd, current)}"
    return Finding(
        guardrail="cost",
        current=now_usd,
        candidate=new_usd,
        allowed=factor,
        worse=worse,
        words=f"cost: {seen}; {factor:g} times is allowed: {_conclusion(worse, current, candidate)}",
    )


def _conclusion(worse: bool, current: Tally, candidate: Tally) -> str:
    if worse:
        return "proven worse"
    if candidate.requests and not current.requests:
        return "nothing to compare with"
    return "no evidence of more yet"


def _of(bad: int, tally: Tally) -> str:
    return f"{_percent(bad / tally.requests)} of {_requests(tally)}" if tally.requests else "no request yet"


def _seconds(latency_ms: float | None, tally: Tally) -> str:
    return f"{latency_ms / 1000:.3g} s over {_requests(tally)}" if latency_ms is not None else "no request yet"


def _dollars(mean_usd: float | None, tally: Tally) -> str:
    return f"{mean_usd:.3g} USD a request over {_requests(tally)}" if mean_usd is not None else "no request yet"


def _requests(tally: Tally) -> str:
    return "1 request" if tally.requests == 1 else f"{tally.requests:,} requests"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
