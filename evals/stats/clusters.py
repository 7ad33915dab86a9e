"""Cases that are alike for one reason count for less: by how much, from the values and the names of their clusters.

A suite of 100 questions on 10 documents is no suite of 100: the documents decide together. The design effect says how
many cases count as one, and a look divides its counts by it. It is estimated, and three things keep it from flattering:
it is never below 1; what few clusters leave unknown widens it (Student's factor); and it is taken as if, beside what
was seen, a quarter of one more cluster had failed as a whole, because a run without failures cannot show that failures
come together.

Rule: pure numbers. A case without a cluster is a cluster of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.vocabulary.noun import Noun

from .quantiles import Array, normal_above, student_above

FEW = 20  # clusters below which no pooled number should be trusted
GIANT = 0.5  # of the cases in one cluster: the number is about that cluster
UNSEEN = 0.25  # of a typical cluster; tuned by simulation (tests/evals/stats)
TAIL = 0.05
PASS, WORST_DIFFERENCE = 0.0, -1.0


class Effect(Noun, frozen=True, kw_only=True):
    """How clusters bear on a result."""

    effect: float  # so many cases count as one
    clusters: int
    cases: int
    largest: float  # the largest cluster's part of the cases
    warning: str = ""  # why the pooled number says little, and what to read instead; "": it may be trusted


def effect_of(values: Sequence[bool] | Sequence[int], clusters: Sequence[str]) -> float:
    """So many cases count as one. `values`: passed or not (bool), or how two tiers differ on a case (int: 1 the cheap
    tier alone passed, -1 the top tier alone, else 0)."""
    return clustered(values, clusters).effect


def clustered(values: Sequence[bool] | Sequence[int], clusters: Sequence[str]) -> Effect:
    """The design effect, and a warning where there are too few clusters to speak of others like them."""
    if len(values) != len(clusters) or not len(values):
        raise ValueError(f"every case needs its value and its cluster: got {len(values)} and {len(clusters)}")
    number = _numbered(clusters)
    sizes = np.bincount(number).astype(float)
    worst = PASS if isinstance(values[0], bool) else WORST_DIFFERENCE
    effect = _effect(np.asarray(values, dtype=float), number, sizes, worst)
    largest = float(sizes.max()) / len(values)
    return Effect(
        effect=effect,
        clusters=len(sizes),
        cases=len(values),
        largest=largest,
        warning=_warning(len(sizes), len(values), largest),
    )


def effective(passed: int, cases: int, effect: float) -> tuple[float, float]:
    """The counts as so many cases that do not hang together: for `wilson` and its like."""
    return passed / effect, cases / effect


def _numbered(clusters: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers: dict[object, int] = {}
    # A case without a cluster gets its place as its name, which no other case has.
    names = (name or at for at, name in enumerate(clusters))
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _effect(values: Array, number: np.ndarray[tuple[int], np.dtype[np.int64]], sizes: Array, worst: float) -> float:
    """The variance of the mean with its clusters, over that without."""
    cases, count = len(values), len(sizes)
    typical = float((sizes * sizes).sum()) / cases  # the size of the cluster that a case is in; also the most it can be
    if count < 2 or typical <= 1:
        return typical
    apart = values - values.mean()
    together = np.bincount(number, weights=apart)
    fall = (worst - values.mean()) ** 2
    between = float((together * together).sum()) + UNSEEN * typical * typical * fall
    within = float((apart * apart).sum()) + UNSEEN * typical * fall
    if within <= 0:  # every case failed: whatever is claimed, it is not shown
        return typical
    widened = (student_above(TAIL, count - 1) / normal_above(TAIL)) ** 2
    return float(min(typical, max(1.0, widened * count / (count - 1) * between / within)))


def _warning(count: int, cases: int, largest: float) -> str:
    if count == cases:
        return ""
    if count < FEW:
        return f"only {count} clusters: read the result of each, the pooled one says little of clusters not seen here"
    if largest > GIANT:
        return f"one cluster holds {largest:.0%} of the cases: the pooled result is mostly about that one"
    return ""
