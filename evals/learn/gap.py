"""How hard a request is, and how much of that the strong tier takes away: one model of both tiers' failures.

    the weak tier fails with the odds    difficulty + gap / 2       (as logarithms)
    the strong tier fails with           difficulty - gap / 2

Difficulty and gap are each a sum: of the task, of the text's measures, of its words. Both outcomes teach both: with few
labels that beats learning `the weak one fails` (it ranks first what nobody can do) and `the strong one does better`
(a difference of two noisy outcomes). Weights are held near what is believed before any label was seen.

Rule: the beliefs below are the same for all data; only labels of the rows given are looked at.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from router.decide.gate import LENGTHS_MAX
from router.vocabulary.noun import Noun

from .solving import chances, least
from .vectors import Numbers, Pile, Rows, Scale, Sparse, beside, csr, marked, stretched

# How far, in logarithms of odds, each part may move difficulty and gap.
EVERYWHERE = (3.0, 0.7)
TASKS = (1.0, 0.7)
MEASURED = (0.3, 0.2)
WORDED = (0.7, 0.7)
GAP = 1.0  # believed before any label: the strong tier is the better one ...
GAP_MIN = 0.8  # ... and on the whole it stays so, whatever a few labels say
LONGER = (0.25, 0.1)  # within a task, a longer text is harder, and the strong tier's lead is greater
LENGTH_OF = 2  # so many texts of usual length stand beside a task's own
ALIKE = 0.7  # of what tasks may differ by, so much is shared by tasks with alike texts, where there are many tasks
ALIKE_FROM = 4  # tasks
ALIKE_TO = 400  # tasks: of more, each pair would take too long

Names = npt.NDArray[np.str_]


class Labels(Noun, frozen=True, kw_only=True):
    """Rows of a pile and how the two tiers did on them, 0 to 1. `spare`: rows without labels, read for their words."""

    rows: Rows
    weak: Numbers
    strong: Numbers
    spare: Rows


class Gap:
    """Fitted. Difficulty and gap of any rows of any pile."""

    def __init__(self, pile: Pile, tasks: Names, labels: Labels) -> None:
        rows = labels.rows
        self.scale = Scale(pile, rows)
        self.lengths = _task_lengths(pile, tasks, rows)
        self.length = float(pile.lengths[rows].mean())
        self.names = sorted({str(name) for name in tasks[rows]})
        blocks = _Blocks(self.scale, pile, tasks, labels)
        weights = _fitted(blocks, self.longer(pile, tasks, rows), (1 - labels.weak, 1 - labels.strong))
        self.biases, self.tasks, self.weights = blocks.taken_apart(weights)
        short = GAP_MIN - float(np.mean(self.difficulty_and_gap(pile, tasks, rows)[1]))
        self.biases[1] += max(0.0, short)

    def longer(self, pile: Pile, tasks: Names, rows: Rows) -> Numbers:
        usual = np.array([self.lengths.get(str(name), self.length) for name in tasks[rows]])
        longer = (pile.lengths[rows] - usual) / self.scale.length_spread
        return np.asarray(np.clip(longer, -LENGTHS_MAX, LENGTHS_MAX), dtype=np.float64)

    def difficulty_and_gap(self, pile: Pile, tasks: Names, rows: Rows) -> tuple[Numbers, Numbers]:
        longer, design = self.longer(pile, tasks, rows), self.scale.design(pile, rows)
        none = (0.0, 0.0)
        both = []
        for at in (0, 1):
            own = np.array([self.tasks.get(str(name), none)[at] for name in tasks[rows]])
            both.append(self.biases[at] + own + LONGER[at] * longer + design @ self.weights[at])
        return both[0], both[1]

    def fails(self, pile: Pile, tasks: Names, rows: Rows) -> tuple[Numbers, Numbers]:
        """The chances that the weak and the strong tier fail."""
        difficulty, gap = self.difficulty_and_gap(pile, tasks, rows)
        return chances(difficulty + gap / 2), chances(difficulty - gap / 2)

    def gain(self, pile: Pile, tasks: Names, rows: Rows) -> Numbers:
        """How much likelier the strong tier does it: what a request is ranked by."""
        weak, strong = self.fails(pile, tasks, rows)
        return np.asarray(weak - strong)


class _Blocks:
    """The columns of the fit, each scaled by how far its weight may go, so that all weights are held alike."""

    def __init__(self, scale: Scale, pile: Pile, tasks: Names, labels: Labels) -> None:
        rows = labels.rows
        self.names = sorted({str(name) for name in tasks[rows]})
        at = {name: number for number, name in enumerate(self.names)}
        own = marked([at[name] for name in tasks[rows]], len(at))
        share = ALIKE * max(0.0, 1 - ALIKE_FROM / len(self.names)) if len(self.names) <= ALIKE_TO else 0.0
        self.alike = _alike(scale, pile, tasks, labels) if share else np.zeros((len(self.names), 0))
        alike = csr(own @ self.alike)
        self.measures = scale.middles.size
        columns = [np.ones((len(rows), 1)), own, alike, scale.measured(pile, rows), scale.worded(pile, rows)]
        sizes = [one.shape[1] for one in columns]
        self.ends = np.cumsum(sizes)[:-1]
        reach = [(bias, task * (1 - share) ** 0.5, task * share**0.5, measured, worded)
                 for bias, task, measured, worded in zip(EVERYWHERE, TASKS, MEASURED, WORDED, strict=True)]  # fmt: skip
        self.reach = [np.repeat(one, sizes) for one in reach]
        stacked = beside(*columns)
        self.designs: list[Sparse] = [stretched(stacked, one) for one in self.reach]

    def taken_apart(self, weights: Numbers) -> tuple[list[float], dict[str, tuple[float, float]], list[Numbers]]:
        """The biases, what each task adds, and the weights of measures and words: of difficulty, then of gap."""
        parts = [np.split(one * reach, self.ends) for one, reach in zip(np.split(weights, 2), self.reach, strict=True)]
        biases = [float(part[0][0]) + start for part, start in zip(parts, (0.0, GAP), strict=True)]
        own = [part[1] + self.alike @ part[2] for part in parts]
        tasks = {name: (float(own[0][at]), float(own[1][at])) for at, name in enumerate(self.names)}
        return biases, tasks, [np.concatenate(part[3:]) for part in parts]


def _fitted(blocks: _Blocks, longer: Numbers, failed: tuple[Numbers, Numbers]) -> Numbers:
    """The weights that fit the labels best while near nought."""
    difficulty_of, gap_of = blocks.designs
    columns = difficulty_of.shape[1]
    turned = difficulty_of.T.tocsr(), gap_of.T.tocsr()
    weak, strong = failed

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        difficulty = LONGER[0] * longer + difficulty_of @ weights[:columns]
        gap = GAP + LONGER[1] * longer + gap_of @ weights[columns:]
        one, other = difficulty + gap / 2, difficulty - gap / 2
        total = (np.logaddexp(0, one) - weak * one + np.logaddexp(0, other) - strong * other).sum()
        off, off_other = chances(one) - weak, chances(other) - strong
        slope = np.concatenate([turned[0] @ (off + off_other), turned[1] @ (off - off_other) / 2])
        return float(total + weights @ weights / 2), slope + weights

    return least(loss, 2 * columns)


def _task_lengths(pile: Pile, tasks: Names, rows: Rows) -> dict[str, float]:
    usual = float(pile.lengths[rows].mean())
    found = {}
    for name in sorted({str(name) for name in tasks[rows]}):
        own = pile.lengths[rows[tasks[rows] == name]]
        found[name] = float((own.sum() + LENGTH_OF * usual) / (len(own) + LENGTH_OF))
    return found


def _alike(scale: Scale, pile: Pile, tasks: Names, labels: Labels) -> Numbers:
    """For each task a few numbers that are near for tasks whose texts use the same words."""
    rows = np.union1d(labels.rows, labels.spare)
    worded = scale.worded(pile, rows)
    middles = []
    for name in sorted({str(name) for name in tasks[labels.rows]}):
        own = worded[np.flatnonzero(tasks[rows] == name)]
        middles.append(np.asarray(own.sum(axis=0)).ravel() / (own.shape[0] + LENGTH_OF))
    apart = np.array(middles) - np.mean(middles, axis=0)
    usual = float(np.linalg.norm(apart, axis=1).mean())
    left, sizes, _ = np.linalg.svd(apart / (usual or 1.0), full_matrices=False)
    return np.asarray(left * sizes, dtype=np.float64)
