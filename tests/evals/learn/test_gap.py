"""What two tiers will do is learnt from few labels, and where a text says nothing it does no harm."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from evals.learn.gap import Gap, Labels
from evals.learn.labels import Label
from evals.learn.vectors import Numbers, Pile, Rows
from evals.replay.metrics import Outcomes, scored
from router.decide.gate_text import read
from tests.evals.learn.texts import labels_of


class World:
    """Labels as the fit takes them."""

    def __init__(self, labels: list[Label]) -> None:
        self.labels = labels
        self.pile = Pile([read(label.text, 4_000) for label in labels])
        self.tasks = np.array([label.task for label in labels])
        self.weak = np.array([label.weak for label in labels])
        self.strong = np.array([label.strong for label in labels])

    def fitted(self, rows: Rows, spare: Rows | None = None) -> Gap:
        labels = Labels(rows=rows, weak=self.weak[rows], strong=self.strong[rows],
                        spare=rows[:0] if spare is None else spare)  # fmt: skip
        return Gap(self.pile, self.tasks, labels)

    def apgr(self, ranking: Numbers, rows: Rows) -> float:
        found = scored(ranking, Outcomes(weak=self.weak[rows], strong=self.strong[rows]))
        assert found is not None
        return found.apgr

    def tabled(self, rows: Rows, asked: Rows, dice: np.random.Generator) -> Numbers:
        """The plain table: each task's mean."""
        gains = self.strong - self.weak
        means = {task: gains[rows][self.tasks[rows] == task].mean() for task in set(self.tasks[rows])}
        return np.array([means[task] for task in self.tasks[asked]]) + 1e-9 * dice.random(len(asked))


def world(fails: dict[str, tuple[float, float]], seed: int, count: int = 400) -> World:
    dice = np.random.default_rng(seed)
    return World([label for task, rates in fails.items() for label in labels_of(task, count, rates, dice)])


def halves(size: int, labels: int, seed: int) -> tuple[Rows, Rows]:
    order = np.random.default_rng(seed).permutation(size)
    return np.sort(order[:labels]), np.sort(order[labels:])


def test_it_tells_the_tasks_apart_and_what_is_hard_within_them() -> None:
    made = world({"refund": (0.05, 0.6), "poem": (0.3, 0.9)}, seed=1)
    rows, asked = halves(len(made.labels), 200, seed=2)
    table = made.apgr(made.tabled(rows, asked, np.random.default_rng(3)), asked)
    learnt = made.apgr(made.fitted(rows).gain(made.pile, made.tasks, asked), asked)
    assert learnt > table + 0.05


@pytest.mark.parametrize("seed", range(4))
def test_where_texts_say_nothing_it_is_no_worse_than_the_table(seed: int) -> None:
    made = world({"refund": (0.1, 0.1), "poem": (0.6, 0.6)}, seed=10 + seed)
    rows, asked = halves(len(made.labels), 200, seed=seed)
    table = made.apgr(made.tabled(rows, asked, np.random.default_rng(3)), asked)
    learnt = made.apgr(made.fitted(rows).gain(made.pile, made.tasks, asked), asked)
    assert learnt > table - 0.02


def test_few_unlucky_labels_do_not_turn_the_ranking_around() -> None:
    """Where by chance the strong tier did hardly better on the labels, it is still believed to be the better one."""
    made, dice = world({"refund": (0.1, 0.1), "poem": (0.6, 0.6)}, seed=1), np.random.default_rng(1)
    too = np.where(made.tasks == "poem", 0.66, 0.5)  # so often the strong tier fails where the weak one does
    made.strong = np.array([float(weak or lot > share) for weak, share, lot in zip(
        made.weak, too, dice.random(len(too)), strict=True)])  # fmt: skip
    found = []
    for seed in range(100):
        rows, asked = halves(len(made.labels), 40, seed)
        if made.strong[rows].mean() <= made.weak[rows].mean() + 0.06:
            found.append(made.apgr(made.fitted(rows).gain(made.pile, made.tasks, asked), asked))
    assert len(found) >= 5
    assert np.mean(found) > 0.55


def test_a_task_that_was_not_seen_is_ranked_between() -> None:
    made = world({"refund": (0.02, 0.02), "poem": (0.7, 0.7), "query": (0.4, 0.4)}, seed=6)
    known = np.flatnonzero(made.tasks != "query")
    gap = made.fitted(known)
    means = {task: float(gap.gain(made.pile, made.tasks, np.flatnonzero(made.tasks == task)).mean())
             for task in ("refund", "query", "poem")}  # fmt: skip
    assert sorted(means, key=means.__getitem__) == ["refund", "query", "poem"]


def test_of_two_alike_the_longer_one_is_taken_for_harder() -> None:
    texts = ["the order is late", "the order is late " * 12]
    made = world({"refund": (0.3, 0.3)}, seed=7)
    gap = made.fitted(np.arange(60))
    pile = Pile([read(text, 4_000) for text in texts])
    short, long = gap.gain(pile, np.array(["refund", "refund"]), np.arange(2))
    assert long > short


def test_of_texts_without_labels_no_outcome_is_looked_at() -> None:
    dice = np.random.default_rng(8)
    made = World([msgspec.structs.replace(label, task=f"{kind} {at % 6}") for kind in ("refund", "poem")
                  for at, label in enumerate(labels_of(kind, 120, (0.2, 0.5), dice))])  # fmt: skip
    rows, asked = halves(len(made.labels), 60, seed=3)
    joined = made.fitted(rows, asked).gain(made.pile, made.tasks, asked)
    alone = made.fitted(rows).gain(made.pile, made.tasks, asked)
    made.weak[asked], made.strong[asked] = made.strong[asked], made.weak[asked]
    assert np.array_equal(joined, made.fitted(rows, asked).gain(made.pile, made.tasks, asked))
    assert not np.array_equal(joined, alone)  # their words were read


def test_one_label_is_enough_to_be_asked() -> None:
    made = world({"refund": (0.5, 0.5)}, seed=9)
    gain = made.fitted(np.array([0])).gain(made.pile, made.tasks, np.arange(20))
    assert np.isfinite(gain).all()
