"""One contest, ready to be routed: texts as numbers once, outcomes, splits, and the routers that are compared.

Rule: a router sees labels of the training rows that were drawn for it, and texts of the training split.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from router.decide.gate_text import Reading, read
from router.vocabulary.noun import Noun

from ..learn.gap import Gap, Labels, Names
from ..learn.vectors import Numbers, Pile, Rows
from .contest import Contest
from .metrics import Outcomes, Scores, scored
from .rows import HELD_OUT, SALT, TRAIN, split_of

MAX_CHARS = 4_000  # as the classifier sees a text
TABLE_PRIOR = 8  # cases of the mean that stand beside a task's own
_TIE = 1e-9  # what is equal is sent in the order of the dice


class Split(Noun, frozen=True, kw_only=True):
    """Rows to learn from, and rows that are scored."""

    train: Rows
    held_out: Rows


class Arena:
    def __init__(self, contest: Contest, known: dict[str, Reading]) -> None:
        """`known`: prompts that were read for another contest; those read here are put to them."""
        rows, pair = contest.rows, contest.pair
        self.contest, self.known = contest, known
        for row in rows:
            if row.prompt not in known:
                known[row.prompt] = read(row.prompt, MAX_CHARS)
        self.pile = Pile([known[row.prompt] for row in rows])
        self.tasks: Names = np.array([row.task for row in rows], dtype=np.str_)
        self.weak = np.array([row.outcomes[pair.weak] for row in rows], dtype=np.float64)
        self.strong = np.array([row.outcomes[pair.strong] for row in rows], dtype=np.float64)
        self._usd = self._costs()

    def split(self, salt: str = SALT) -> Split:
        sides = np.array([split_of(row.prompt, salt) for row in self.contest.rows])
        return Split(train=np.flatnonzero(sides == TRAIN), held_out=np.flatnonzero(sides == HELD_OUT))

    def outcomes(self, rows: Rows) -> Outcomes:
        weak_usd, strong_usd = (None, None) if self._usd is None else (self._usd[0][rows], self._usd[1][rows])
        return Outcomes(weak=self.weak[rows], strong=self.strong[rows], weak_usd=weak_usd, strong_usd=strong_usd)

    def learnt(self, split: Split, labels: int, dice: np.random.Generator) -> Numbers:
        """The ranking of the held-out rows by so many labels."""
        drawn = self.drawn(split, labels, dice)
        spare = np.setdiff1d(split.train, drawn)
        fitted = Gap(self.pile, self.tasks, Labels(
            rows=drawn, weak=self.weak[drawn], strong=self.strong[drawn], spare=spare))  # fmt: skip
        return fitted.gain(self.pile, self.tasks, split.held_out)

    def tabled(self, split: Split, labels: int, dice: np.random.Generator) -> Numbers:
        """The plain table of the tasks' mean gains, shrunk to the mean of all."""
        drawn = self.drawn(split, labels, dice)
        gains = (self.strong - self.weak)[drawn]
        usual = gains.mean()
        table = {}
        for task in sorted(set(self.tasks[drawn])):
            own = gains[self.tasks[drawn] == task]
            table[task] = (own.sum() + TABLE_PRIOR * usual) / (len(own) + TABLE_PRIOR)
        ranking = np.array([table.get(task, usual) for task in self.tasks[split.held_out]])
        return ranking + _TIE * dice.random(len(ranking))

    def drawn(self, split: Split, labels: int, dice: np.random.Generator) -> Rows:
        return np.sort(dice.permutation(split.train)[:labels])

    def scored(self, ranking: Numbers, split: Split) -> Scores | None:
        return scored(ranking, self.outcomes(split.held_out))

    def controls(self, split: Split, dice: np.random.Generator) -> Iterator[tuple[str, Numbers]]:
        """What no router that learns may fall behind, and what none can beat."""
        rows = split.held_out
        yield "random", dice.random(len(rows))
        yield "length", np.array([len(self.contest.rows[row].prompt) for row in rows], dtype=np.float64)
        yield "oracle", self.strong[rows] - self.weak[rows]

    def _costs(self) -> tuple[Numbers, Numbers] | None:
        contest, pair = self.contest, self.contest.pair
        if pair.usd is not None:
            ones = np.ones(len(contest.rows))
            return pair.usd[0] * ones, pair.usd[1] * ones
        if not contest.has_costs:
            return None
        costs = [row.costs or {} for row in contest.rows]
        weak, strong = (np.array([one[model] for one in costs]) for model in (pair.weak, pair.strong))
        return weak, strong
