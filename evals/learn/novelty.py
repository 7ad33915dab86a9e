"""What a task's texts are like, so that a request that is unlike them can be left to the classifier.

Rule: from texts alone, never from outcomes. A novelty check is no bound: it narrows where the bound is relied on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from router.decide.gate import Likes
from router.decide.gate_file import Likeness, packed_grams, packed_scales
from router.decide.gate_text import Reading

from .vectors import Numbers

GRAMS_MAX = 1_024  # words, and as many pairs, of a task
SEEN_IN_MIN = 2
SPREAD_SHARE = 0.1  # of a measure's size: what never varied may vary a little
SPREAD_MIN = 0.05
APART_MIN = 0.1  # so much, at least, of how measures go together is taken to be chance
UNLIKE = 0.02  # of the task's own texts, so many are further off, and as many share fewer words
UNLIKE_UNNAMED = 0.25  # the same where nobody named the task


def likeness_of(fit: Sequence[Reading], others: Sequence[Reading]) -> Likeness:
    """`others` are texts of the task that `fit` does not have: how near those are says how near a text must be."""
    measures = np.array([one.measures for one in fit])
    middles = measures.mean(axis=0)
    spreads = np.maximum(measures.std(axis=0), SPREAD_SHARE * np.abs(measures).mean(axis=0) + SPREAD_MIN)
    words, pairs = _shared(one.words for one in fit), _shared(one.pairs for one in fit)
    open_wide = Likeness(
        middles=tuple(map(float, middles)),
        spreads=tuple(map(float, spreads)),
        precision=packed_scales([float(one) for one in _precision((measures - middles) / spreads).ravel()]),
        words=packed_grams(words),
        pairs=packed_grams(pairs),
        far_max=0.0,
        share_min=1.0,
        near_max=0.0,
        share_near=1.0,
    )
    return _closed(open_wide, others)


def _closed(likeness: Likeness, others: Sequence[Reading]) -> Likeness:
    """With limits that so many of the task's own texts keep to. Without any text nothing is near."""
    if not others:
        return likeness
    likes = Likes(likeness)
    far = [likes.distance(one) for one in others]
    shares = [likes.share(one) for one in others]
    return msgspec.structs.replace(
        likeness,
        far_max=float(np.quantile(far, 1 - UNLIKE)),
        share_min=float(np.quantile(shares, UNLIKE)),
        near_max=float(np.quantile(far, 1 - UNLIKE_UNNAMED)),
        share_near=float(np.quantile(shares, UNLIKE_UNNAMED)),
    )


def _precision(off: Numbers) -> Numbers:
    """The inverse of how measures vary together; of few texts, each measure is taken more for itself."""
    count, size = off.shape
    apart = max(APART_MIN, size / (size + count))
    together = off.T @ off / count
    return np.asarray(np.linalg.inv((1 - apart) * together + apart * np.eye(size)), dtype=np.float64)


def _shared(sets: Iterable[frozenset[int]]) -> tuple[int, ...]:
    """Those that several texts have, the commonest where there are too many."""
    counted = Counter(one for grams in sets for one in grams)
    often = sorted((-times, one) for one, times in counted.items() if times >= SEEN_IN_MIN)
    return tuple(sorted(one for _, one in often[:GRAMS_MAX]))
