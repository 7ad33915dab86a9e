"""Made-up requests of a few tasks, of which some are hard, and how two made-up tiers do on them.

A hard request has some of the hard words; how likely each tier fails is the test's to say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals.learn.labels import Label

PLAIN = {
    "refund": [
        "please",
        "order",
        "customer",
        "account",
        "parcel",
        "refund",
        "return",
        "receipt",
        "shop",
        "payment",
        "card",
        "late",
        "arrived",
        "broken",
    ],
    "poem": [
        "spring",
        "river",
        "silver",
        "song",
        "leaf",
        "morning",
        "garden",
        "gentle",
        "bird",
        "rhyme",
        "verse",
        "light",
        "wind",
        "meadow",
    ],
    "query": [
        "select",
        "table",
        "rows",
        "where",
        "join",
        "column",
        "index",
        "group",
        "count",
        "sum",
        "order",
        "limit",
        "null",
        "key",
    ],
}
HARD = [
    "however",
    "although",
    "nonetheless",
    "consequently",
    "hypothetically",
    "notwithstanding",
    "counterfactual",
    "ambiguous",
]
SHAPES = {
    "refund": "Ticket: {}. What should we do?",
    "poem": "Write a short poem:\n{}\n\nFour lines.",
    "query": "Answer with SQL.\n1) {};\n2) done",
}


def text_of(task: str, hard: bool, dice: np.random.Generator) -> str:
    words = list(dice.choice(PLAIN[task], size=int(dice.integers(8, 16))))
    if hard:
        words += list(dice.choice(HARD, size=3))
    dice.shuffle(words)
    return SHAPES[task].format(" ".join(words))


def labels_of(task: str, count: int, fails: tuple[float, float], dice: np.random.Generator) -> list[Label]:
    """`fails`: how likely the weak tier fails on a plain and on a hard request; the strong one never does. A third of
    them are hard."""
    found = []
    for hard in dice.random(count) < 1 / 3:
        failed = bool(dice.random() < fails[int(hard)])
        text = text_of(task, bool(hard), dice)
        found.append(Label(text=text, task=task, weak=float(not failed), strong=1.0, cheap="haiku", top="opus"))
    return found


def bad_share(labels: Sequence[Label]) -> float:
    return sum(label.bad for label in labels) / len(labels) if labels else 0.0
