"""How well requests are ranked: the router at several numbers of labels, beside what it must beat.

Rule: repeated draws of labels on the official split say how much luck there is in the labels; repeated splits say how
much there is in which prompts are held out. Both are given; neither is chosen from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from router.vocabulary.noun import Noun

from ..learn.vectors import Numbers
from .arena import Arena, Split
from .metrics import Scores, Spread, summed_up
from .rows import SALT

ALL = "all"
LABELS: dict[str, int] = {"50": 50, "200": 200, ALL: 10**9}
Summary = dict[str, Spread | None]
Ranker = Callable[[Split, int, np.random.Generator], Numbers]


class Repeats(Noun, frozen=True, kw_only=True):
    """How often labels are drawn anew, and prompts split anew."""

    draws: int = 20
    splits: int = 10
    seed: int = 1


class Ranked(Noun, frozen=True, kw_only=True):
    """Of one contest: by label count, on the official split and over splits; controls by name."""

    held_out: int
    quality: tuple[float, float]  # of the weak and the strong model, held out
    tasks: int
    draws: dict[str, Summary]
    splits: dict[str, Summary]
    table: dict[str, Summary]
    table_splits: dict[str, Summary]
    controls: dict[str, Summary]


def ranked(arena: Arena, repeats: Repeats) -> Ranked | None:
    """None where the strong model is no better on the held-out rows."""
    official = arena.split()
    if (
        not len(official.held_out)
        or not len(official.train)
        or arena.scored(np.zeros(len(official.held_out)), official) is None
    ):
        return None
    outcomes = arena.outcomes(official.held_out)
    return Ranked(
        held_out=len(official.held_out),
        quality=(float(outcomes.weak.mean()), float(outcomes.strong.mean())),
        tasks=len(set(arena.tasks)),
        draws=_by_draws(arena, arena.learnt, repeats),
        splits=_by_splits(arena, arena.learnt, repeats),
        table=_by_draws(arena, arena.tabled, repeats),
        table_splits=_by_splits(arena, arena.tabled, repeats),
        controls=_controls(arena, official, repeats),
    )


def _by_draws(arena: Arena, ranker: Ranker, repeats: Repeats) -> dict[str, Summary]:
    """With all labels there is but one draw."""
    split = arena.split()
    return {
        name: _summary(
            arena.scored(ranker(split, labels, _dice(repeats.seed, 1, draw)), split)
            for draw in range(repeats.draws if labels < len(split.train) else 1)
        )
        for name, labels in LABELS.items()
    }


def _by_splits(arena: Arena, ranker: Ranker, repeats: Repeats) -> dict[str, Summary]:
    splits = [arena.split(f"{SALT}-{number}") for number in range(repeats.splits)]
    return {
        name: _summary(
            arena.scored(ranker(split, labels, _dice(repeats.seed, 2, number)), split)
            for number, split in enumerate(splits)
        )
        for name, labels in LABELS.items()
    }


def _controls(arena: Arena, split: Split, repeats: Repeats) -> dict[str, Summary]:
    found: dict[str, list[Scores | None]] = {}
    for draw in range(repeats.draws):
        for name, ranking in arena.controls(split, _dice(repeats.seed, 3, draw)):
            found.setdefault(name, []).append(arena.scored(ranking, split))
    return {name: _summary(scores) for name, scores in found.items()}


def _summary(scores: Iterable[Scores | None]) -> Summary:
    """A split on which the strong model is no better has no scores."""
    return summed_up([one for one in scores if one is not None])


def _dice(*named: int) -> np.random.Generator:
    return np.random.default_rng(named)


def predictions(arena: Arena, labels: str, seed: int) -> Iterator[tuple[str, float]]:
    """By id, for the held-out rows of the official split, from the first draw of so many labels."""
    split = arena.split()
    ranking = arena.learnt(split, LABELS[labels], _dice(seed, 1, 0))
    for row, score in zip(split.held_out, ranking, strict=True):
        yield arena.contest.rows[row].id, float(score)
