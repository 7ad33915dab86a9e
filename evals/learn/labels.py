"""What the gate learns from: texts with a task, and how the cheap and the strong tier did, or what the classifier said.

Rule: nouns, and how labels are put in order. A text counts once, by what was said of it last, and lies on the same
side of the fit every time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Self

import numpy as np
import numpy.typing as npt

from router.decide.classify import normalise
from router.decide.gate_text import Reading, read
from router.vocabulary import Difficulty
from router.vocabulary.noun import Noun

from .vectors import Pile, Rows

_Pair = tuple[str | None, str | None, str | None]

FEW = 10  # labels: a task with fewer is not known
OF_EVERY = 5  # labels of a task ...
FITTED_ON = (0, 2)  # ... these are fitted on; the others calibrate


class Label(Noun, frozen=True, kw_only=True):
    """One text of a task. `weak` and `strong`: how well the two tiers did, 0 to 1."""

    text: str
    task: str
    weak: float
    strong: float
    graded: bool = True  # False: the classifier's verdict stands in for both
    cheap: str | None = None  # the tiers, where they were graded
    top: str | None = None
    model: str | None = None  # that was the cheap tier

    @classmethod
    def of_verdict(cls, text: str, task: str, difficulty: Difficulty) -> Self:
        """What is simple, the cheap tier is taken to do."""
        simple = difficulty is Difficulty.SIMPLE
        return cls(text=text, task=task, weak=float(simple), strong=1.0, graded=False)

    @property
    def bad(self) -> bool:
        """Is it wrong to answer that the cheap tier does? It fails, and the strong one does not."""
        return self.weak < 0.5 <= self.strong


class Corpus:
    """Labels in order: which tasks are known by them, and by which half each is used.

    A task is known by its graded labels where there are enough, else by the classifier's verdicts. All verdicts, of
    known tasks or not, are the traffic that a task must be told from.
    """

    def __init__(self, labels: Iterable[Label], max_chars: int, seed: int, known: Mapping[str, Reading]) -> None:
        """`known`: texts that were read already, cut at the same length."""
        self.labels = _of_one_pair(_once(labels))
        counted = Counter((label.task, label.graded) for label in self.labels)
        kinds = {task: counted[task, True] >= FEW for task, _ in counted}
        self.graded = {task: graded for task, graded in sorted(kinds.items()) if counted[task, graded] >= FEW}
        self.tasks: npt.NDArray[np.str_] = np.array([label.task for label in self.labels], dtype=np.str_)
        self.pile = Pile([known.get(label.text) or read(label.text, max_chars) for label in self.labels])
        self._fits = _fits(self.labels, seed)

    def known(self, *, fit: bool, task: str | None = None) -> Rows:
        """Rows that say what is known of the tasks, or of one."""
        return self._rows(fit, lambda label: self.graded.get(label.task) is label.graded and task in (None, label.task))

    def traffic(self, *, fit: bool) -> Rows:
        return self._rows(fit, lambda label: not label.graded)

    def most(self) -> int:
        """How many labels the task has that has most."""
        return max(Counter((label.task, label.graded) for label in self.labels).values(), default=0)

    def _rows(self, fit: bool, wanted: Callable[[Label], bool]) -> Rows:
        chosen = [at for at, label in enumerate(self.labels) if self._fits[at] is fit and wanted(label)]
        return np.array(chosen, dtype=np.intp)


def _once(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Each text of a task and kind once: equal ones are no evidence of their own."""
    found = {(label.task, label.graded, normalise(label.text)): label for label in labels}
    return tuple(found[key] for key in sorted(found))


def _of_one_pair(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """Of a task only what was graded on the tiers and the model that most of it was: others say nothing of those."""
    counted: dict[str, Counter[_Pair]] = {}
    for label in labels:
        if label.graded:
            counted.setdefault(label.task, Counter())[_pair(label)] += 1
    most = {task: max(pairs, key=lambda pair: (pairs[pair], repr(pair))) for task, pairs in counted.items()}
    return tuple(label for label in labels if not label.graded or _pair(label) == most[label.task])


def _pair(label: Label) -> _Pair:
    return label.cheap, label.top, label.model


def _fits(labels: tuple[Label, ...], seed: int) -> list[bool]:
    """Of each task two in five, in the order of their texts' digests: to show a bound takes more than to learn."""
    lots: dict[tuple[str, bool], list[tuple[bytes, int]]] = {}
    for at, label in enumerate(labels):
        named = f"{seed} {normalise(label.text)}"
        lot = blake2b(named.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        lots.setdefault((label.task, label.graded), []).append((lot, at))
    fits = [False] * len(labels)
    for own in lots.values():
        for place, (_, at) in enumerate(sorted(own)):
            fits[at] = place % OF_EVERY in FITTED_ON
    return fits
