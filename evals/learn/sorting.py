"""Which of the known tasks is it, and is it simple? One yes or no for each task, from what the classifier said.

Rule: only from verdicts on the operator's own traffic. Labels of suites say nothing of what else comes in, so nobody
could tell from them how often a request would be taken for a task that it is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.vocabulary.noun import Noun

from .solving import chances, least
from .vectors import Numbers, Pile, Rows, Scale, beside, stretched

SORTERS_MAX = 12  # tasks: each costs time on every request that nobody named a task for
_REACH = (3.0, 1.0, 4.0)  # of the bias, all measures together, all words together


class Sorter(Noun, frozen=True, kw_only=True):
    """A weight for each column of the design, and one for all."""

    bias: float
    weights: Numbers


def sorter_of(scale: Scale, pile: Pile, rows: Rows, is_it: Sequence[bool]) -> Sorter:
    """A logistic regression, each weight held near nought."""
    design = beside(np.ones((len(rows), 1)), scale.design(pile, rows))
    measures = scale.middles.size
    reach = np.repeat(_REACH, [1, measures, design.shape[1] - 1 - measures])
    columns = stretched(design, reach)
    turned, yes = columns.T.tocsr(), np.asarray(is_it, dtype=np.float64)

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        score = columns @ weights
        total = (np.logaddexp(0, score) - yes * score).sum() + weights @ weights / 2
        return float(total), turned @ (chances(score) - yes) + weights

    weights = least(loss, columns.shape[1]) * reach
    return Sorter(bias=float(weights[0]), weights=weights[1:])
