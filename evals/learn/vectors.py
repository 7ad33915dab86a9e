"""Readings of texts as matrices, scaled as the gate scales them.

Rule: only from the rows that are fitted on: what a text is compared with never comes from the texts that test it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from router.decide.gate_text import BUCKETS, LENGTH, Reading

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Sparse: TypeAlias = Any  # scipy's csr_matrix, which has no types of its own

SPREAD_MIN = 0.05  # what hardly varies in a few texts says little of the next one
FAR = 3.0
GRAMS_MAX = 4_096
SEEN_IN_MIN = 2  # texts: a word of one text alone teaches nothing


def csr(columns: Any) -> Sparse:
    return sparse.csr_matrix(columns)


def marked(columns: Sequence[int], width: int) -> Sparse:
    """One row for each, with a one in its column."""
    shape = (len(columns), width)
    return sparse.csr_matrix((np.ones(len(columns)), (np.arange(len(columns)), columns)), shape=shape)


def beside(*blocks: Any) -> Sparse:
    """Blocks of columns as one matrix."""
    return sparse.hstack([csr(block) for block in blocks]).tocsr()


def stretched(columns: Sparse, by: Numbers) -> Sparse:
    """Each column times its number."""
    return csr(columns @ sparse.diags(by))


class Pile:
    """Many readings: their measures as a matrix, their words and pairs as a sparse one of noughts and ones."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = tuple(readings)
        self.measures: Numbers = np.array([one.measures for one in readings], dtype=np.float64)
        columns = [sorted([*one.words, *(BUCKETS + pair for pair in one.pairs)]) for one in readings]
        ends = np.cumsum([0, *map(len, columns)])
        flat = np.fromiter(chain.from_iterable(columns), dtype=np.int32, count=int(ends[-1]))
        shape = (len(columns), 2 * BUCKETS)
        self.grams: Sparse = sparse.csr_matrix((np.ones(len(flat)), flat, ends), shape=shape)

    def __len__(self) -> int:
        return len(self.readings)

    @property
    def lengths(self) -> Numbers:
        return self.measures[:, LENGTH]


class Scale:
    """How a text is turned into columns: what is usual, and which words are known and how rare they are."""

    def __init__(self, pile: Pile, rows: Rows) -> None:
        measures = pile.measures[rows]
        self.middles: Numbers = measures.mean(axis=0)
        spreads = measures.std(axis=0)
        self.varies = spreads > 1e-9
        self.spreads: Numbers = np.maximum(spreads, SPREAD_MIN)
        self.length_spread = float(self.spreads[LENGTH])
        seen_in = np.asarray(pile.grams[rows].sum(axis=0)).ravel()
        often = np.flatnonzero(seen_in >= SEEN_IN_MIN)
        often = often[np.argsort(-seen_in[often], kind="stable")][:GRAMS_MAX]
        self.columns = np.sort(often)  # words first, then pairs
        rarity = np.log((len(rows) + 1) / (seen_in[self.columns] + 1)) + 1
        self.rarity: Numbers = rarity.astype(np.float16).astype(np.float64)  # as the file holds them

    @property
    def words(self) -> list[int]:
        return [int(one) for one in self.columns if one < BUCKETS]

    @property
    def pairs(self) -> list[int]:
        return [int(one) - BUCKETS for one in self.columns if one >= BUCKETS]

    def measured(self, pile: Pile, rows: Rows) -> Numbers:
        """In units of what is usual; all measures together weigh as much as one number of that size."""
        scaled = np.clip((pile.measures[rows] - self.middles) / self.spreads, -FAR, FAR)
        scaled[:, ~self.varies] = 0.0
        return np.asarray(scaled / max(1, int(self.varies.sum())) ** 0.5, dtype=np.float64)

    def worded(self, pile: Pile, rows: Rows) -> Sparse:
        """The known words and pairs by their rarity; every text is as long as any other."""
        known = pile.grams[rows][:, self.columns].multiply(self.rarity).tocsr()
        lengths = np.sqrt(np.asarray(known.multiply(known).sum(axis=1)).ravel())
        lengths[lengths == 0] = 1.0
        return csr(sparse.diags(1 / lengths) @ known)

    def design(self, pile: Pile, rows: Rows) -> Sparse:
        """All columns: the measures, then the words and pairs."""
        return beside(self.measured(pile, rows), self.worded(pile, rows))
