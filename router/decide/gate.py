"""The local gate: a small model that answers instead of the classifier, where it was shown that it may.

    a request -> the task that was named, or none
        no bound was shown for it                        left to the classifier: unknown_task, unproven
        too long, or unlike all that it was fitted on    left to the classifier: too_long, novel
        the risk is not below the threshold              left to the classifier: not_sure
        else                                             "the cheap tier does": the difficulty is `simple`

Rule: pure. It was fitted by evals/learn, and each threshold there was calibrated with this very code. Whatever is not
plainly inside what was measured is left to the classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from operator import mul, sub, truediv

import msgspec

from ..vocabulary import Difficulty
from ..vocabulary.noun import Noun
from .gate_file import Gate, Known, Lane, Likeness, Linear, grams_of, scales_of
from .gate_text import LENGTH, MEASURES, PAIR_WEIGHT, Reading, read

ANSWERED = "answered"
UNKNOWN_TASK = "unknown_task"
UNPROVEN = "unproven"
TOO_LONG = "too_long"
NOVEL = "novel"
NOT_SURE = "not_sure"
OUTCOMES = (ANSWERED, UNKNOWN_TASK, UNPROVEN, TOO_LONG, NOVEL, NOT_SURE)

LENGTHS_MAX = 2.5  # a text is at most so many deviations longer than its task's, as far as length counts
_Weights = dict[int, tuple[float, ...]]


class Gated(Noun, frozen=True, kw_only=True):
    """What the gate says. Without a difficulty the classifier is asked, as if there were no gate."""

    outcome: str  # one of OUTCOMES: for a counter
    words: str  # for people; never a word of the request
    task: str | None = None
    difficulty: Difficulty | None = None
    tier: str | None = None  # the tier that was measured to do; None: only what the classifier would say was learnt
    risk: float | None = None  # that it is wrong, as the model sees it; the bound is the task's


class _Sorter(msgspec.Struct, frozen=True):
    """Is it this task, and simple?"""

    task: str
    bias: float
    measures: tuple[float, ...]


class Likes:
    """A task's likeness, ready to be held against."""

    def __init__(self, likeness: Likeness) -> None:
        self._middles, self._spreads = likeness.middles, likeness.spreads
        numbers, size = scales_of(likeness.precision), len(MEASURES)
        self._precision = tuple(numbers[at : at + size] for at in range(0, size * size, size))
        self._words = frozenset(grams_of(likeness.words))
        self._pairs = frozenset(grams_of(likeness.pairs))

    def distance(self, reading: Reading) -> float:
        """Of its measures from the middle, in units of how the task's texts vary (Mahalanobis, squared)."""
        off = list(map(truediv, map(sub, reading.measures, self._middles), self._spreads))
        total: float = sum(map(mul, off, [sum(map(mul, row, off)) for row in self._precision]))
        return total

    def share(self, reading: Reading) -> float:
        """How much of its words and pairs the task's texts have in common."""
        words = len(reading.words & self._words)
        pairs = len(reading.pairs & self._pairs)
        return (words + PAIR_WEIGHT * pairs) / reading.weight


class Compiled:
    """A gate, ready to be asked. Made once, when its file is read."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.tasks: Mapping[str, Known] = {known.name: known for known in gate.tasks}
        self._middles, self._spreads = gate.middles, gate.spreads
        self._likes = {known.name: Likes(known.likeness) for known in gate.tasks}
        models = (gate.difficulty, gate.gap)
        self._biases = tuple(model.bias for model in models)
        self._measures = tuple(model.measures for model in models)
        self._words, self._pairs = _weights(gate, models)
        sorters = {known.name: known.sorter for known in gate.tasks if known.sorter is not None}
        self._sorters = tuple(_Sorter(name, one.bias, one.measures) for name, one in sorters.items())
        self._sort_words, self._sort_pairs = _weights(gate, tuple(sorters.values()))

    @property
    def recognises(self) -> bool:
        """Can any request be answered that nobody named a task for?"""
        return any(known.recognised is not None for known in self.gate.tasks)

    def risk(self, reading: Reading, known: Known) -> float:
        """That the cheap tier fails and the strong one does not, where the task is named."""
        difficulty, gap = self._both(reading, known)
        return _chance(difficulty + gap / 2) * (1 - _chance(difficulty - gap / 2))

    def gain(self, reading: Reading, known: Known) -> float:
        """How much likelier the strong tier does it."""
        difficulty, gap = self._both(reading, known)
        return _chance(difficulty + gap / 2) - _chance(difficulty - gap / 2)

    def recognised(self, reading: Reading) -> tuple[Known, float] | None:
        """The task that it most likely is, and how likely it is another one, or not simple."""
        if not self._sorters:
            return None
        *sums, norm = self._sums(reading, self._sort_words, self._sort_pairs, len(self._sorters))
        scaled = self._scaled(reading)
        scores = [
            one.bias + total * norm + sum(map(mul, one.measures, scaled))
            for one, total in zip(self._sorters, sums, strict=True)
        ]
        best = max(range(len(scores)), key=scores.__getitem__)
        return self.tasks[self._sorters[best].task], 1 - _chance(scores[best])

    def is_novel(self, reading: Reading, known: Known, *, named: bool = True) -> bool:
        """Is its shape, or are too many of its words, unlike those of the task? Where nobody named it, more so."""
        like, own = known.likeness, self._likes[known.name]
        far_max, share_min = (like.far_max, like.share_min) if named else (like.near_max, like.share_near)
        return not (own.distance(reading) <= far_max and own.share(reading) >= share_min)

    def _both(self, reading: Reading, known: Known) -> tuple[float, float]:
        gate, scaled = self.gate, self._scaled(reading)
        first, second, norm = self._sums(reading, self._words, self._pairs, 2)
        longer = (reading.measures[LENGTH] - known.length) / gate.length_spread
        longer = max(-LENGTHS_MAX, min(LENGTHS_MAX, longer))
        difficulty = self._biases[0] + known.difficulty + gate.length_difficulty * longer + first * norm
        gap = self._biases[1] + known.gap + gate.length_gap * longer + second * norm
        difficulty += sum(map(mul, self._measures[0], scaled))
        gap += sum(map(mul, self._measures[1], scaled))
        return difficulty, gap

    def _scaled(self, reading: Reading) -> list[float]:
        return [
            max(-3.0, min(3.0, (value - middle) / spread))
            for value, middle, spread in zip(reading.measures, self._middles, self._spreads, strict=True)
        ]

    @staticmethod
    def _sums(reading: Reading, words: _Weights, pairs: _Weights, models: int) -> tuple[float, ...]:
        """For each model the sum over what is known of the text; last what makes it independent of the length."""
        found = [words[one] for one in reading.words & words.keys()]
        found += [pairs[one] for one in reading.pairs & pairs.keys()]
        if not found:
            return (0.0,) * (models + 1)
        square, *sums = map(sum, zip(*found, strict=True))
        return (*sums, square**-0.5)


def answer(compiled: Compiled, text: str, task_named: str | None) -> Gated:
    """Instead of the classifier's verdict: an answer, or why it is left to the classifier."""
    gate = compiled.gate
    known = compiled.tasks.get(task_named) if task_named is not None else None
    if known is None and (task_named is not None or not compiled.recognises):
        return _left(UNKNOWN_TASK, "the gate does not know the task" if task_named else "nobody named the task")
    if known is not None and known.named is None:
        return _left(UNPROVEN, f"the gate has no bound for {known.name}", known)
    if len(text) > gate.chars_max:
        return _left(TOO_LONG, "it is longer than anything that the gate was fitted on", known)
    return answer_reading(compiled, read(text, gate.max_chars), known)


def answer_reading(compiled: Compiled, reading: Reading, known: Known | None) -> Gated:
    """The same for a text that was read already. `known`: the task that was named."""
    if known is not None:
        novel = compiled.is_novel(reading, known)
        return _judged(known, known.named, novel, compiled.risk(reading, known))
    sorted_as = compiled.recognised(reading)
    if sorted_as is None or sorted_as[0].recognised is None:
        return _left(UNKNOWN_TASK, "it looks like no task that the gate may recognise")
    known, risk = sorted_as
    return _judged(known, known.recognised, compiled.is_novel(reading, known, named=False), risk)


def _judged(known: Known, lane: Lane | None, novel: bool, risk: float) -> Gated:
    if lane is None:
        return _left(UNPROVEN, f"the gate has no bound for {known.name}", known)
    if novel:
        return _left(NOVEL, f"it is unlike what the gate was fitted on for {known.name}", known)
    if not risk < lane.risk_max:
        return _left(NOT_SURE, f"{known.name}: a risk of {risk:.3f}, not below {lane.risk_max:.3f}", known, risk)
    means = f"{known.cheap} does" if known.cheap else "it is simple"
    words = f"{known.name}: {means}; at most {lane.bound:.1%} of such answers are wrong ({lane.cases:,} cases)"
    return Gated(
        outcome=ANSWERED, words=words, task=known.name, difficulty=Difficulty.SIMPLE, tier=known.cheap, risk=risk
    )


def _left(outcome: str, words: str, known: Known | None = None, risk: float | None = None) -> Gated:
    return Gated(outcome=outcome, words=words, task=None if known is None else known.name, risk=risk)


def _chance(logarithm_of_odds: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, logarithm_of_odds))))


def _weights(gate: Gate, models: Sequence[Linear]) -> tuple[_Weights, _Weights]:
    """By word and by pair: the square of its rarity, then for each model its weight times the rarity."""
    rarity = scales_of(gate.rarities)
    rows = list(zip(*(scales_of(model.grams) for model in models), strict=True)) or [()] * len(rarity)
    made = [(rare * rare, *(rare * weight for weight in row)) for rare, row in zip(rarity, rows, strict=True)]
    words, pairs = grams_of(gate.words), grams_of(gate.pairs)
    at = len(words)
    return dict(zip(words, made[:at], strict=True)), dict(zip(pairs, made[at:], strict=True))
