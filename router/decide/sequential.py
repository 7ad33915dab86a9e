"""What a share, a percentile or a mean surely is, however often one looks: confidence sequences in closed form.

Rule: pure numbers in, a number out. `chance` is the chance that one bound is ever wrong, over all looks together; no
function here may be given a chance that depends on what was seen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from math import exp, floor, inf, lgamma, log, log1p, pi, sqrt

BUCKET = log(1.05)  # a latency bucket is 5 % wide
LAST_BUCKET = 320  # begins at 1.7 hours, and keeps a histogram bounded
MIDDLE_OF_RUN = 500  # requests at which the bound of a mean is narrowest; anything valid, this is where canaries live
LOG_PI = log(pi)
HALVINGS = 40


def share_is_above(share: float, bad: int, cases: int, chance: float) -> bool:
    """Whether `bad` of `cases` prove that more than `share` go bad."""
    return bad > share * cases and _ruled_out(share, bad, cases, chance)


def share_is_below(share: float, bad: int, cases: int, chance: float) -> bool:
    """Whether `bad` of `cases` prove that less than `share` go bad."""
    return bad < share * cases and _ruled_out(share, bad, cases, chance)


def share_is_above_other(one: tuple[int, int], other: tuple[int, int], margin: float, chance: float) -> bool:
    """Whether one share is proven more than `margin` above another; each is (bad, cases). Wrong at most 2 x chance."""
    bad, cases = other
    # Without cases nothing is known; and what not even the observed share allows needs no search for its upper end.
    if not cases or not share_is_above(bad / cases + margin, *one, chance):
        return False
    return share_is_above(share_at_most(bad, cases, chance) + margin, *one, chance)


def share_at_most(bad: int, cases: int, chance: float) -> float:
    """The upper end of what the share may be."""
    if bad >= cases:
        return 1.0
    possible, impossible = bad / cases, 1.0
    for _ in range(HALVINGS):
        middle = (possible + impossible) / 2
        if _ruled_out(middle, bad, cases, chance):
            impossible = middle
        else:
            possible = middle
    return impossible


def mean_slack(variance: float, cases: int, chance: float) -> float:
    """How far the true mean may be above (or below) the observed one.

    Time-uniform central limit theorem (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas), one-sided. It holds in the
    limit, so the caller asks for a hundred cases first.
    """
    surprise = -2 * log(chance)
    tuned = (surprise + log(surprise + 1)) / MIDDLE_OF_RUN
    grown = cases * tuned + 1
    return sqrt(variance * 2 * grown / (cases * cases * tuned) * log1p(sqrt(grown) / (2 * chance)))


def bucket_of(latency_ms: int) -> int:
    """The bucket of a latency; its lower edge is `edge_ms`."""
    return 0 if latency_ms <= 1 else min(LAST_BUCKET, floor(log(latency_ms) / BUCKET))


def edge_ms(bucket: float) -> float:
    """The lower edge of a bucket; half a bucket more is its middle."""
    return exp(bucket * BUCKET)


def percentile_bucket(share_above: float, histogram: Mapping[int, int]) -> int:
    """The bucket in which the percentile lies, with `share_above` of the cases above it."""
    buckets = sorted(histogram)
    counted = list(accumulate(histogram[bucket] for bucket in buckets))
    return buckets[bisect_left(counted, (1 - share_above) * counted[-1] - 1e-9)]


def percentile_at_least(share_above: float, histogram: Mapping[int, int], chance: float) -> float:
    """The highest edge, in ms, that the percentile surely reaches; 0 when nothing is sure.

    No union over the edges is needed: whoever is wrong about some edge is wrong about the first false one too, because
    fewer cases lie above a higher edge.
    """
    buckets, slower = _from_the_slowest(histogram)
    at = bisect_left(slower, True, key=lambda bad: share_is_above(share_above, bad, slower[-1], chance))
    return 0.0 if at == len(buckets) else edge_ms(buckets[at])


def percentile_at_most(share_above: float, histogram: Mapping[int, int], chance: float) -> float:
    """The lowest edge, in ms, that the percentile surely stays under; infinite when nothing is sure."""
    buckets, slower = _from_the_slowest(histogram)
    if not buckets or not share_is_below(share_above, 0, slower[-1], chance):
        return inf
    at = bisect_left(slower, True, key=lambda bad: not share_is_below(share_above, bad, slower[-1], chance))
    return edge_ms(buckets[at] + 1)


def _ruled_out(share: float, bad: int, cases: int, chance: float) -> bool:
    """Robbins' mixture: what was seen is 1 / chance times likelier under all shares mixed than under this one.

    The mixture is Beta(1/2, 1/2), which pays about half a logarithm of the cases for not knowing the share, be it near
    zero or not. Under the true share the ratio is a martingale that starts at one, so it ever gets there with at most
    this chance (Ville).
    """
    mixed = lgamma(bad + 0.5) + lgamma(cases - bad + 0.5) - lgamma(cases + 1) - LOG_PI
    good = cases - bad
    if (bad and share <= 0) or (good and share >= 1):
        return True
    alone = (bad * log(share) if bad else 0.0) + (good * log1p(-share) if good else 0.0)
    return mixed - alone >= -log(chance)


def _from_the_slowest(histogram: Mapping[int, int]) -> tuple[list[int], list[int]]:
    """The buckets from the slowest on, and how many cases lie in each or above."""
    buckets = sorted(histogram, reverse=True)
    return buckets, list(accumulate(histogram[bucket] for bucket in buckets))
