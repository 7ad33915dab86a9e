"""How the local gate does on replay data: how much it answers, how often its bound is broken, and what it does with a
task that it never saw.

Rule: the gate is fitted and asked by the code that serves. Labels come from the training split, questions from the
held-out one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from router.decide.gate import ANSWERED, Compiled, answer, answer_reading
from router.vocabulary.noun import Noun

from ..learn.bound import Asked
from ..learn.drafting import Wanted
from ..learn.fitting import NotEnough, fit_gate
from ..learn.labels import Label
from ..learn.vectors import Rows
from .arena import MAX_CHARS, Arena

LABELS = (100, 200, 500)
ALPHAS = (0.10, 0.15)
UNSEEN_LABELS = 500
UNSEEN_ALPHA = 0.15  # the laxer bound: more lanes that might let something in
UNSEEN_TASKS = 6  # of a contest, the largest are left out in turn
UNSEEN_ASKED = 500


class Held(Noun, frozen=True, kw_only=True):
    """One number of labels at one alpha, over many resamples."""

    labels: int
    alpha: float
    coverage: float
    violations: float  # the share of resamples in which more than alpha of the held-out answers were wrong
    resamples: int
    opened: float  # the share of resamples in which anything was answered
    wrong: float  # of all answers of all resamples


class Unseen(Noun, frozen=True, kw_only=True):
    """A task was left out of the fit; then its questions were asked."""

    task: str
    asked: int
    lanes: int  # open, of the tasks that were fitted
    skipped_named: int  # under its own name
    skipped_unnamed: int
    skipped_misnamed: int  # under the name of the task that lets most of them in: what only the novelty check stops
    misnamed_as: str = ""


def gated(arena: Arena, resamples: int, seed: int) -> list[Held]:
    split = arena.split()
    labels = _labels(arena)
    found = []
    for count in LABELS:
        draws = [arena.drawn(split, count, np.random.default_rng((seed, 4, count, at))) for at in range(resamples)]
        found += [_held([_asked(arena, labels, (draw, split.held_out), alpha) for draw in draws], count, alpha)
                  for alpha in ALPHAS]  # fmt: skip
    return found


def unseen(arena: Arena, seed: int) -> list[Unseen]:
    """Each of the largest tasks left out in turn, where there is more than one."""
    split, labels = arena.split(), _labels(arena)
    sizes = Counter(arena.tasks[split.train])
    largest = sorted(sizes, key=lambda task: (-sizes[task], task))[:UNSEEN_TASKS]
    found = []
    for task in largest if len(sizes) > 1 else ():
        dice = np.random.default_rng((seed, 5))
        others = split.train[arena.tasks[split.train] != task]
        drawn = np.sort(dice.permutation(others)[:UNSEEN_LABELS])
        asked = dice.permutation(split.held_out[arena.tasks[split.held_out] == task])[:UNSEEN_ASKED]
        gate = _fitted(arena, [labels[row] for row in drawn], UNSEEN_ALPHA)
        if gate is not None and len(asked):
            found.append(_unseen(arena, gate, str(task), asked))
    return found


def _unseen(arena: Arena, gate: Compiled, task: str, asked: Rows) -> Unseen:
    texts = [arena.contest.rows[row].prompt for row in asked]

    def skipped(named: str | None) -> int:
        return sum(answer(gate, text, named).outcome == ANSWERED for text in texts)

    readings = [arena.pile.readings[row] for row in asked]
    let_in = {
        name: sum(answer_reading(gate, reading, known).outcome == ANSWERED for reading in readings)
        for name, known in gate.tasks.items()
        if known.named is not None
    }
    worst = max(let_in, key=lambda name: (let_in[name], name), default="")
    return Unseen(
        task=task,
        asked=len(asked),
        lanes=len(let_in),
        skipped_named=skipped(task),
        skipped_unnamed=skipped(None),
        skipped_misnamed=let_in.get(worst, 0),
        misnamed_as=worst if let_in.get(worst) else "",
    )


def _labels(arena: Arena) -> list[Label]:
    contest = arena.contest
    return [
        Label(
            text=row.prompt,
            task=row.task,
            weak=row.outcomes[contest.pair.weak],
            strong=row.outcomes[contest.pair.strong],
            cheap=contest.pair.weak,
            top=contest.pair.strong,
        )
        for row in contest.rows
    ]


def _fitted(arena: Arena, labels: Sequence[Label], alpha: float) -> Compiled | None:
    try:
        wanted = Wanted(asked=Asked(alpha=alpha), max_chars=MAX_CHARS)
        return Compiled(fit_gate(labels, wanted, arena.known))
    except NotEnough:
        return None


def _asked(arena: Arena, labels: Sequence[Label], rows: tuple[Rows, Rows], alpha: float) -> tuple[int, int, int]:
    """Asked, answered, and answered wrongly."""
    drawn, held_out = rows
    gate = _fitted(arena, [labels[row] for row in drawn], alpha)
    if gate is None:
        return len(held_out), 0, 0
    answered = wrong = 0
    for row in held_out:
        known = gate.tasks.get(labels[row].task)
        if known is None or known.named is None:
            continue
        if answer_reading(gate, arena.pile.readings[row], known).outcome == ANSWERED:
            answered += 1
            wrong += labels[row].bad
    return len(held_out), answered, wrong


def _held(found: Sequence[tuple[int, int, int]], labels: int, alpha: float) -> Held:
    broken = [answered > 0 and wrong > alpha * answered for _, answered, wrong in found]
    answers = sum(answered for _, answered, _ in found)
    return Held(
        labels=labels,
        alpha=alpha,
        coverage=float(np.mean([answered / asked for asked, answered, _ in found])),
        violations=float(np.mean(broken)),
        resamples=len(found),
        opened=float(np.mean([answered > 0 for _, answered, _ in found])),
        wrong=sum(wrong for _, _, wrong in found) / answers if answers else 0.0,
    )
