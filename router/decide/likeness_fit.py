"""From which likeness on may an answer be given to a question that is nearly the same? Fitted from what was observed.

Rule: pure, and the same for the same seed. A threshold is only recommended where the upper end of the share of
wrong answers is below what the operator allows; otherwise it says how much more must be seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from math import ceil

import msgspec

from ..vocabulary import Observed
from .interval import cases_to_prove, share_between
from .likeness import alike

THRESHOLDS = tuple(step / 100 for step in range(50, 101, 5))
QUESTIONS_MAX = 50_000
EARLIER_MAX = 100  # of the newest in its group, each question is compared with


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    max_false: float = 0.01  # of the answers given, so many may be wrong
    alike_answers: float = 0.5  # answers in words that are less alike than this are two answers
    within_s: float = 86_400.0  # an answer is not given any longer
    chance: float = 0.05  # that any of the intervals misses
    seed: int = 1


WANTED = Wanted()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one threshold would have come to."""

    threshold: float
    hits: int  # of all the questions that were looked at
    pairs: int  # each question in one at most, so that one does not count twice
    false: int  # of these, with another answer
    low: float  # the share of false ones is between these
    high: float


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    questions: int
    rows: tuple[Row, ...]
    threshold: float | None  # the lowest that is good enough
    more_pairs: int | None  # how many may be missing to say so, where none is; None: more would not help
    at: float | None  # the threshold that they are counted for
    words: str


class _Pair(msgspec.Struct, frozen=True):
    likeness: float
    question: int
    earlier: int  # whose answer it would have been given
    false: bool  # another one than its own


def fit(observed: Iterable[Observed], wanted: Wanted = WANTED) -> Fitted:
    notes = sorted(observed, key=lambda note: (note.at_ms, note.request_id))
    chosen = _chosen(notes, wanted.seed)
    pairs = list(_pairs(notes, chosen, wanted))
    rows = tuple(_row(threshold, pairs, wanted) for threshold in THRESHOLDS)
    return _concluded(len(chosen), rows, wanted)


def differ(one: Observed, other: Observed, alike_answers: float) -> bool:
    """Are these two answers, not one in other words?"""
    if one.answer_digest == other.answer_digest:
        return False
    if one.exact or other.exact:
        return True
    return alike(one.answer_signature, other.answer_signature) < alike_answers


def _chosen(notes: list[Observed], seed: int) -> frozenset[int]:
    """Which of them are looked at: all, or as many as can be, drawn by their ids."""
    if len(notes) <= QUESTIONS_MAX:
        return frozenset(range(len(notes)))

    def lot(at: int) -> bytes:
        named = f"{seed} {notes[at].at_ms} {notes[at].request_id}"
        return hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=8).digest()

    return frozenset(sorted(range(len(notes)), key=lot)[:QUESTIONS_MAX])


def _pairs(notes: list[Observed], chosen: frozenset[int], wanted: Wanted) -> Iterator[_Pair]:
    """Each question with the most alike before it."""
    groups: dict[tuple[bytes, bytes, bytes], list[int]] = {}
    for at, note in enumerate(notes):
        group = groups.setdefault((note.tenant, note.scope, note.guard), [])
        if at in chosen:
            likeness, nearest = _nearest(notes, at, group, note.at_ms - wanted.within_s * 1000)
            if nearest is not None and likeness >= THRESHOLDS[0]:
                yield _Pair(likeness, at, nearest, differ(note, notes[nearest], wanted.alike_answers))
        group.append(at)
        if len(group) > 2 * EARLIER_MAX:
            del group[:EARLIER_MAX]


def _nearest(notes: list[Observed], at: int, group: list[int], since_ms: float) -> tuple[float, int | None]:
    """The most alike, and of those the newest."""
    earlier = [(alike(notes[at].signature, notes[one].signature), one) for one in group[-EARLIER_MAX:]
               if notes[one].at_ms >= since_ms]  # fmt: skip
    return max(earlier, default=(0.0, None))


def _row(threshold: float, pairs: list[_Pair], wanted: Wanted) -> Row:
    hits = [pair for pair in pairs if pair.likeness >= threshold]
    counted = list(_apart(hits))
    false = sum(pair.false for pair in counted)
    low, high = share_between(false, len(counted), _chance(wanted)) if counted else (0.0, 1.0)
    return Row(threshold=threshold, hits=len(hits), pairs=len(counted), false=false, low=low, high=high)


def _apart(pairs: list[_Pair]) -> Iterator[_Pair]:
    """Those of which no question is in one before it."""
    used: set[int] = set()
    for pair in pairs:
        if pair.earlier not in used:
            used |= {pair.question, pair.earlier}
            yield pair


def _chance(wanted: Wanted) -> float:
    """Of one interval: the best of many rows is picked, so that none of them may miss."""
    return wanted.chance / len(THRESHOLDS)


def _concluded(questions: int, rows: tuple[Row, ...], wanted: Wanted) -> Fitted:
    good = next((row for row in rows if row.pairs and row.high < wanted.max_false), None)
    more_pairs, at = (None, None) if good is not None else _missing(rows, wanted)
    return Fitted(
        questions=questions,
        rows=rows,
        threshold=None if good is None else good.threshold,
        more_pairs=more_pairs,
        at=at,
        words=_in_words(good, more_pairs, at, rows, wanted),
    )


def _missing(rows: tuple[Row, ...], wanted: Wanted) -> tuple[int | None, float | None]:
    """How many pairs more, where they would come in soonest."""
    found: list[tuple[float, int, float]] = []
    for row in rows:
        rate = row.false / row.pairs if row.pairs else 0.0
        enough = cases_to_prove(wanted.max_false, rate, _chance(wanted))
        if enough is not None:
            missing = max(1, enough - row.pairs)
            found.append((missing / max(row.pairs, 0.5), missing, row.threshold))
    if not found:
        return None, None
    _, missing, threshold = min(found)
    return missing, threshold


def _in_words(good: Row | None, more_pairs: int | None, at: float | None, rows: tuple[Row, ...], wanted: Wanted) -> str:
    allowed = f"{wanted.max_false:.1%}"
    if good is not None:
        return (
            f"from {good.threshold:.2f} on, at most {good.high:.2%} of the answers given would have been wrong,"
            f" which is below {allowed}"
        )
    if more_pairs is not None:
        return (
            f"not enough evidence: about {more_pairs:,} more pairs at {at:.2f} or above are needed to show that"
            f" fewer than {allowed} would be wrong"
        )
    equal = rows[-1]
    return (
        f"no threshold is good enough: of questions with the very same letters, {equal.false:,} of {equal.pairs:,}"
        " got another answer"
    )


def questions_needed(fitted: Fitted) -> int | None:
    """About how many questions more it takes to see the pairs that are missing."""
    row = next((row for row in fitted.rows if row.threshold == fitted.at), None)
    if row is None or fitted.more_pairs is None or not row.pairs:
        return None
    return ceil(fitted.more_pairs * fitted.questions / row.pairs)
