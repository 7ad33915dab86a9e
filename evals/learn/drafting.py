"""A gate without lanes: what is learnt from the half of the labels that is fitted on.

Rule: outcomes of the other half are never looked at; of its texts only how much they have in common with these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from router.decide.gate_file import GRADED, VERDICTS, VERSION, Gate, Known, Linear, packed_grams, packed_scales
from router.vocabulary.noun import Noun

from .bound import Asked
from .gap import LONGER, Gap, Labels
from .labels import Corpus
from .novelty import likeness_of
from .sorting import SORTERS_MAX, sorter_of
from .vectors import Numbers, Rows, Scale

CHARS_MIN = 2_000  # a gate reads texts of at least this length
CHARS_MORE = 2  # times as long as the longest that it saw


class Wanted(Noun, frozen=True, kw_only=True):
    """How a gate is fitted."""

    asked: Asked = Asked()
    max_chars: int = 4_000
    seed: int = 1
    recognise: bool = False  # may requests be answered that nobody named a task for?
    at_ms: int = 0
    fitted_on: str = ""


def drafted(corpus: Corpus, wanted: Wanted) -> Gate:
    rows = corpus.known(fit=True)
    labels = [corpus.labels[row] for row in rows]
    weak, strong = (np.array([getattr(label, tier) for label in labels]) for tier in ("weak", "strong"))
    gap = Gap(corpus.pile, corpus.tasks, Labels(rows=rows, weak=weak, strong=strong, spare=rows[:0]))
    scale = gap.scale
    sorters = _sorters(corpus, scale, wanted.asked.min_cases) if wanted.recognise else {}
    return Gate(
        version=VERSION,
        fitted_at_ms=wanted.at_ms,
        fitted_on=wanted.fitted_on,
        alpha=wanted.asked.alpha,
        confidence=wanted.asked.confidence,
        min_cases=wanted.asked.min_cases,
        max_chars=wanted.max_chars,
        chars_max=CHARS_MORE * max(CHARS_MIN, *(len(label.text) for label in corpus.labels)),
        middles=tuple(map(float, scale.middles)),
        spreads=tuple(map(float, scale.spreads)),
        length_spread=scale.length_spread,
        length_difficulty=LONGER[0],
        length_gap=LONGER[1],
        words=packed_grams(scale.words),
        pairs=packed_grams(scale.pairs),
        rarities=packed_scales(list(map(float, scale.rarity))),
        difficulty=_linear(gap.biases[0], gap.weights[0], scale),
        gap=_linear(gap.biases[1], gap.weights[1], scale),
        tasks=tuple(_known(name, corpus, gap, sorters) for name in gap.names),
    )


def _known(name: str, corpus: Corpus, gap: Gap, sorters: Mapping[str, Linear]) -> Known:
    halves = corpus.known(fit=True, task=name), corpus.known(fit=False, task=name)
    fit, more = ([corpus.pile.readings[row] for row in rows] for rows in halves)
    labels = [corpus.labels[row] for row in np.concatenate(halves)]
    difficulty, apart = gap.tasks[name]
    return Known(
        name=name,
        source=GRADED if corpus.graded[name] else VERDICTS,
        cheap=labels[-1].cheap,
        strong=labels[-1].top,
        model=labels[-1].model,
        labels=len(labels),
        bad=sum(label.bad for label in labels),
        said="",
        difficulty=difficulty,
        gap=apart,
        length=gap.lengths[name],
        likeness=likeness_of(fit, more),
        sorter=sorters.get(name),
    )


def _sorters(corpus: Corpus, scale: Scale, min_cases: int) -> dict[str, Linear]:
    """For the tasks that enough verdicts call simple, and most of them."""
    rows = corpus.traffic(fit=True)
    simple = {name: _is_simple(name, corpus, rows) for name in corpus.graded}
    often = sorted(simple, key=lambda name: (-sum(simple[name]), name))[:SORTERS_MAX]
    found = {}
    for name in (name for name in often if 2 * sum(simple[name]) >= min_cases):
        sorter = sorter_of(scale, corpus.pile, rows, simple[name])
        found[name] = _linear(sorter.bias, sorter.weights, scale)
    return found


def _is_simple(name: str, corpus: Corpus, rows: Rows) -> Sequence[bool]:
    return [corpus.labels[row].task == name and not corpus.labels[row].bad for row in rows]


def _linear(bias: float, weights: Numbers, scale: Scale) -> Linear:
    """The gate scales a measure by its spread only: what holds all of them down is in their weights."""
    measures = scale.middles.size
    held = weights[:measures] / max(1, int(scale.varies.sum())) ** 0.5 * scale.varies
    return Linear(
        bias=bias,
        measures=tuple(map(float, held)),
        grams=packed_scales(list(map(float, weights[measures:]))),
    )
