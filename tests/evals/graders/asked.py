"""One grade, without a suite around it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from evals.graders import Form, Place, form_of, grade_safely
from evals.ports import Asker
from evals.vocabulary import Answered, Case, Grade, GraderSpec


def form(kind: str, options: dict[str, Any] | None = None, folder: Path = Path(), asker: Asker | None = None) -> Form:
    spec = GraderSpec(kind=kind, options=options or {})
    return form_of(spec, Place(folder, lambda case: case.fields["input"], asker))


def case(expected: Any, asked: str = "?") -> Case:
    return Case(id="c-1", fields={"input": asked}, expected=expected)


def answered(text: str, stop_reason: str = "end_turn") -> Answered:
    return Answered(key="k", model="m", text=text, stop_reason=stop_reason)


def grade(grader: Form, expected: Any, text: str) -> Grade:
    return asyncio.run(grade_safely(grader, case(expected), answered(text)))


def passes(grader: Form, expected: Any, text: str) -> bool:
    return grade(grader, expected, text).passed


def flaws(grader: Form) -> list[str]:
    return [flaw.message for flaw in grader.flaws()]
