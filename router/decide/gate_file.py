"""The file of a fitted gate: what was learnt, from how much, and what may be claimed of it.

Rule: pure. Words of prompts are in it only as numbers of 16 bits. A file that is not exactly a gate is refused, in
words that say what to do.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from struct import error, iter_unpack, pack

import msgspec

from .gate_text import MEASURES

VERSION = 1
GRADED = "graded"  # labels say what the tiers can do
VERDICTS = "verdicts"  # labels say what the classifier said
CURE = "fit it again with `tierwise gate fit`"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One piece of the file."""


class Lane(_Part, frozen=True, kw_only=True):
    """Where answers may be given: below this risk, with this bound on how many are wrong."""

    risk_max: float
    cases: int  # that would have been answered, of those that calibrated it
    bad: int  # of these, so many wrongly
    calibrated_on: int
    coverage: float  # the share that is answered
    bound: float  # with the gate's confidence, no larger share is wrong
    together: tuple[str, ...] = ()  # tasks with too few cases of their own: the bound holds for their mix


class Linear(_Part, frozen=True, kw_only=True):
    """A weight for each measure and each known word or pair."""

    bias: float
    measures: tuple[float, ...]
    grams: str  # base64 of numbers of 16 bits, words first


class Likeness(_Part, frozen=True, kw_only=True):
    """What a task's texts are like. One that is further off, or shares less with them, is novel."""

    middles: tuple[float, ...]  # of the measures
    spreads: tuple[float, ...]
    precision: str  # base64, row by row: how the measures go together
    words: str  # that several of them have
    pairs: str
    far_max: float  # for requests whose task was named
    share_min: float
    near_max: float  # for others: only what is in the middle of the task
    share_near: float


class Known(_Part, frozen=True, kw_only=True):
    """A task that the gate was fitted on."""

    name: str
    source: str  # graded | verdicts
    cheap: str | None = None  # the tier that does, where answers were graded
    strong: str | None = None
    model: str | None = None  # that was the cheap tier
    labels: int
    bad: int  # of the labels: the cheap tier fails and the strong one does not; or not simple
    said: str  # in words: the bound, or what is missing for one
    difficulty: float  # of the task, beside what its texts say
    gap: float
    length: float  # of its texts, as measured
    likeness: Likeness
    sorter: Linear | None = None
    named: Lane | None = None  # for requests whose task was named
    recognised: Lane | None = None  # for others


class Gate(_Part, frozen=True, kw_only=True):
    """All of it. A bound holds as long as requests are like those that it was calibrated on."""

    version: int
    fitted_at_ms: int
    fitted_on: str  # in words
    alpha: float  # no lane has a bound above it
    confidence: float
    min_cases: int
    max_chars: int  # head and tail that are read
    chars_max: int  # a longer text is left to the classifier
    middles: tuple[float, ...]
    spreads: tuple[float, ...]
    length_spread: float
    length_difficulty: float
    length_gap: float
    words: str
    pairs: str
    rarities: str
    difficulty: Linear
    gap: Linear
    tasks: tuple[Known, ...]


_DECODER = msgspec.json.Decoder(Gate)


def read_gate(data: bytes) -> Gate:
    """Raises ValueError in words."""
    try:
        gate = _DECODER.decode(data)
    except msgspec.MsgspecError as wrong:
        raise ValueError(f"it is no gate: {wrong}; {CURE}") from None
    problem = next(_problems(gate), None)
    if problem is not None:
        raise ValueError(f"{problem}; {CURE}")
    return gate


def write_gate(gate: Gate) -> bytes:
    return msgspec.json.format(msgspec.json.encode(gate), indent=1) + b"\n"


def packed_grams(grams: Sequence[int]) -> str:
    return b64encode(pack(f"<{len(grams)}H", *grams)).decode()


def grams_of(data: str) -> tuple[int, ...]:
    return tuple(one for (one,) in iter_unpack("<H", b64decode(data, validate=True)))


def packed_scales(numbers: Sequence[float]) -> str:
    return b64encode(pack(f"<{len(numbers)}e", *numbers)).decode()


def scales_of(data: str) -> tuple[float, ...]:
    return tuple(one for (one,) in iter_unpack("<e", b64decode(data, validate=True)))


def _problems(gate: Gate) -> Iterator[str]:
    if gate.version != VERSION:
        yield f"it is a gate of version {gate.version}, and this is Tierwise with version {VERSION}"
        return
    try:
        yield from _misfits(gate)
    except (NotBase64, error, ValueError):
        yield "its numbers cannot be read"


def _misfits(gate: Gate) -> Iterator[str]:
    grams = len(grams_of(gate.words)) + len(grams_of(gate.pairs))
    models = [gate.difficulty, gate.gap, *(known.sorter for known in gate.tasks if known.sorter is not None)]
    rarities = scales_of(gate.rarities)
    if len(rarities) != grams or any(len(scales_of(model.grams)) != grams for model in models):
        yield "it has not a weight for each word"
    rows = [gate.middles, gate.spreads, *(model.measures for model in models)]
    rows += [row for known in gate.tasks for row in (known.likeness.middles, known.likeness.spreads)]
    if any(len(row) != len(MEASURES) for row in rows):
        yield f"it does not have {len(MEASURES)} measures everywhere"
    spreads = [gate.length_spread, *gate.spreads, *(one for known in gate.tasks for one in known.likeness.spreads)]
    if not all(spread > 0 for spread in spreads):
        yield "a spread is not above 0"
    packed = [gate.rarities, *(model.grams for model in models), *(known.likeness.precision for known in gate.tasks)]
    if not all(isfinite(number) for data in packed for number in scales_of(data)) or min(rarities, default=1.0) <= 0:
        yield "a weight is no number"
    if len({known.name for known in gate.tasks}) != len(gate.tasks):
        yield "a task is in it twice"
    if not all(lane.bound <= gate.alpha for lane in _lanes(gate.tasks)):
        yield f"a bound is above its alpha {gate.alpha:g}"
    for known in gate.tasks:
        grams_of(known.likeness.words), grams_of(known.likeness.pairs)
        if len(scales_of(known.likeness.precision)) != len(MEASURES) ** 2:
            yield f"the likeness of {known.name} does not have {len(MEASURES)} measures"


def _lanes(tasks: Iterable[Known]) -> list[Lane]:
    return [lane for known in tasks for lane in (known.named, known.recognised) if lane is not None]
