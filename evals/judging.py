"""A judge's verdicts held against people's: how far it agrees with them, and what its pass rates are worth.

Rule: pure. People's labels are found by the case and the answer's own text; without any, nothing is corrected.
"""

from __future__ import annotations

from collections.abc import Iterable

from .stats.judges import Labelled, agreement, corrected
from .suitefile.labels import HumanLabel, text_hash
from .vocabulary import Tried


def labelled(labels: Iterable[HumanLabel], tried: Iterable[Tried]) -> Labelled:
    """Every answer that both people and the judge graded, once."""
    people = {(label.case, label.text_hash): label.passed for label in labels}
    both: dict[tuple[str, str], tuple[bool, bool]] = {}
    for one in tried:
        place = (one.case, text_hash(one.answer.text))
        if place in people:
            both[place] = (people[place], one.grade.passed)
    counts = list(both.values())
    return Labelled(
        both_pass=counts.count((True, True)),
        only_human=counts.count((True, False)),
        only_judge=counts.count((False, True)),
        both_fail=counts.count((False, False)),
    )


def in_words(people: Labelled) -> str:
    return agreement(people).words


def as_people_grade(passed: int, cases: int, people: Labelled) -> str:
    """One tier's pass rate, put right."""
    return corrected(passed, cases, people).words
