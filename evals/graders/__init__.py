"""Graders: does an answer say what was expected?

    exact label number contains regex json schema agree   by reading           sql code   by running, in a sandbox
    judge                                                  by asking a model

Rule: one file a grader; a kind of grader is a row in KINDS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from ..ports import Asker, Grader, Halted
from ..template import rendered
from ..vocabulary import Answered, Case, Grade, GraderSpec, Suite
from .agree import Agree, AgreeOptions
from .code import Code, CodeOptions
from .exact import Exact, ExactOptions
from .fields import Json, JsonOptions
from .form import Form, Options, Place
from .judge import Judge, JudgeOptions
from .label import Label, LabelOptions
from .number import Number, NumberOptions
from .schema import Schema, SchemaOptions
from .sql import Sql, SqlOptions
from .texts import Contains, ContainsOptions, Regex, RegexOptions


class Kind(NamedTuple):
    """What suite.yaml may say of a grader, and what makes it."""

    options: type[Options]
    make: Callable[[Any, Place], Form]


KINDS: Mapping[str, Kind] = {
    "exact": Kind(ExactOptions, Exact),
    "label": Kind(LabelOptions, Label),
    "number": Kind(NumberOptions, Number),
    "contains": Kind(ContainsOptions, Contains),
    "regex": Kind(RegexOptions, Regex),
    "json": Kind(JsonOptions, Json),
    "schema": Kind(SchemaOptions, Schema),
    "agree": Kind(AgreeOptions, Agree),
    "sql": Kind(SqlOptions, Sql),
    "code": Kind(CodeOptions, Code),
    "judge": Kind(JudgeOptions, Judge),
}
RUNS_CODE = frozenset({"sql", "code"})  # what a model wrote is run, in the sandbox
ERROR = "grader error:"  # begins the `why` of a grade that says nothing of the answer
CUT = {"max_tokens": "the answer was cut at max_tokens", "refusal": "the model refused"}


def grader_of(suite: Suite, asker: Asker | None = None) -> Form:
    """The suite's grader. Raises ValueError, in words, when its options are wrong; `asker` is for the judge."""
    return form_of(suite.grader, Place(suite.folder, lambda case: rendered(suite, case), asker))


def form_of(spec: GraderSpec, place: Place) -> Form:
    if spec.kind not in KINDS:
        raise ValueError(f"there is no grader `{spec.kind}`; there are: {', '.join(KINDS)}")
    kind = KINDS[spec.kind]
    try:
        options = msgspec.convert({"kind": spec.kind, **spec.options}, kind.options)
    except msgspec.ValidationError as error:
        raise ValueError(f"the options of the grader `{spec.kind}` are wrong: {error}") from None
    return kind.make(options, place)


async def grade_safely(grader: Grader, case: Case, answer: Answered) -> Grade:
    """A grade in any case: a grader that raises is a bug of the suite, and is told apart by ERROR."""
    try:
        grade = await grader.grade(case, answer)
    except Halted:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it must not end a run that has been paid for
        return Grade(passed=False, why=f"{ERROR} the grader failed: {type(error).__name__}: {_line(error)}")
    cut = CUT.get(answer.stop_reason or "")
    if grade.passed or cut is None:
        return grade
    return msgspec.structs.replace(grade, why=f"{grade.why} ({cut})" if grade.why else cut)


def perfect_answer(suite: Suite, case: Case) -> str | None:
    """An answer that passes; None where the case does not hold one (code without a solution, a pattern)."""
    return form_of(suite.grader, Place(suite.folder, lambda _case: "")).perfect(case.expected)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


__all__ = [
    "ERROR", "KINDS", "RUNS_CODE", "Form", "Kind", "Options", "Place",
    "form_of", "grade_safely", "grader_of", "perfect_answer",
]  # fmt: skip
