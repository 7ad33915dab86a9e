"""Does a suite grade what it says it grades? Right answers must pass its own grader, and nonsense must not.

Rule: nothing is asked of anybody; a judge, which would have to be asked, is left out.
"""

from __future__ import annotations

import asyncio

from .graders import ERROR, Form, grade_safely, grader_of
from .ports import Asker
from .suitefile import CASES_FILE
from .vocabulary import Answered, Case, Suite

NONSENSE = "I would rather not say."
NOTHING_DONE = "```python\npass\n```"  # a file that runs: tests that only import it would pass
SHOWN_MAX = 100


async def prove(suite: Suite, asker: Asker | None = None) -> tuple[str, ...]:
    """What is wrong, by case; () when every case holds. Raises ValueError when the grader cannot be made."""
    if suite.grader.judged and asker is None:
        return ()
    grader = grader_of(suite, asker)
    found = await asyncio.gather(*(_proved(suite, grader, case) for case in suite.cases))
    wrong = sorted(
        ((case.line, why) for case, why in zip(suite.cases, found, strict=True) if why), key=lambda one: one[0]
    )
    return tuple(f"{suite.folder / CASES_FILE}:{line}:1: {why}" for line, why in wrong[:SHOWN_MAX])


async def _proved(suite: Suite, grader: Form, case: Case) -> str:
    right = grader.perfect(case.expected)
    if right is not None:
        grade = await grade_safely(grader, case, _answer(right))
        if not grade.passed:
            return f"the expected answer, given back, does not pass: {grade.why}"
    wrong = NOTHING_DONE if suite.grader.kind == "code" else NONSENSE
    grade = await grade_safely(grader, case, _answer(wrong))
    if grade.passed:
        return "any answer passes; the expected value asks for nothing"
    return grade.why if grade.why.startswith(ERROR) else ""


def _answer(text: str) -> Answered:
    return Answered(key="", model="", text=text)
