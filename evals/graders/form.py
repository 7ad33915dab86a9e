"""What every grader is: its options, what it expects of a case, and a grade for an answer.

Rule: a grader never raises for what a model wrote, only for what is wrong with the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from router.decide.policy.part import Part

from ..ports import Asker
from ..vocabulary import Answered, Case, Grade

SHOWN_MAX = 80  # characters of an answer in a `why`


class Options(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The options of a grader, as suite.yaml gives them. Each kind adds its own, and its `kind`."""


class Flaw(NamedTuple):
    """What is wrong with an option: where it stands below `grader`, and why."""

    path: tuple[str | int, ...]
    message: str


class Place(NamedTuple):
    """Where a grader works: the suite's folder, how its cases read when they are asked, and whom it may ask."""

    folder: Path
    prompt: Callable[[Case], str]
    asker: Asker | None = None


class Form(Protocol):
    """One grader with its options."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the suite's folder that a grade depends on."""

    def flaws(self) -> Iterator[Flaw]:
        """What is wrong with the options that their record cannot say."""

    def misfit(self, expected: Any) -> str | None:
        """What is wrong with a case's expected value, in words; None when nothing is."""

    def perfect(self, expected: Any) -> str | None:
        """An answer that is right; None where only a model could write one."""

    async def grade(self, case: Case, answer: Answered) -> Grade: ...


class Plain:
    """A grader that needs no file: what most of them are."""

    files: tuple[str, ...] = ()

    def flaws(self) -> Iterator[Flaw]:
        return iter(())


def verdict(passed: bool, why: str) -> Grade:
    """A grade without partial credit. `why` is only said of what did not pass."""
    return Grade(passed=passed, score=float(passed), why="" if passed else why)


def shown(value: object) -> str:
    """A value for a `why`: one line, not too long."""
    text = " ".join(str(value).split())
    return f"`{text[:SHOWN_MAX]}{'...' if len(text) > SHOWN_MAX else ''}`"
