"""The answer is a file of Python; it must pass the case's tests.

Rule: nothing that a model wrote runs in this process (evals/sandbox/).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta

from ..sandbox.limits import limits_of
from ..sandbox.running import Sandbox
from ..vocabulary import Answered, Case, Grade
from .form import Flaw, Options, Place, Plain, verdict
from .wording import code_in

LANGUAGES = ("python", "py", "python3")
EXPECTS = 'takes {"tests": "import solution\\nassert ..."}, and as `solution`, if you like, a file that passes them'


class CodeOptions(Options, frozen=True, kw_only=True):
    kind: Literal["code"]
    entry: Annotated[str, Meta(description="The name of the file that the answer becomes; tests import it.")] = (
        "solution.py"
    )
    timeout_s: Annotated[int, Meta(ge=1, le=60, description="Seconds of processor time for all tests of a case.")] = 5
    memory_mb: Annotated[int, Meta(ge=64, le=4096, description="Memory that the file and its tests may take.")] = 512


class Code(Plain):
    """`expected`: tests as a script of plain asserts, which runs beside the file."""

    def __init__(self, options: CodeOptions, _place: Place) -> None:
        self._options = options
        self._sandbox = Sandbox()

    def flaws(self) -> Iterator[Flaw]:
        name = self._options.entry
        if not name.endswith(".py") or not name[:-3].isidentifier() or name == "tests.py":
            yield Flaw(("entry",), "takes the name of a module, such as solution.py")

    def misfit(self, expected: Any) -> str | None:
        if not isinstance(expected, dict) or not set(expected) <= {"tests", "solution"}:
            return EXPECTS
        if not all(isinstance(text, str) and text.strip() for text in expected.values()) or "tests" not in expected:
            return EXPECTS
        try:
            tree = ast.parse(expected["tests"])
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"has tests that are no Python: {error}"
        if not any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(tree)):
            return "has tests without an `assert`, which any file would pass"
        return None

    def perfect(self, expected: Any) -> str | None:
        return f"```python\n{expected['solution']}\n```" if "solution" in expected else None

    async def grade(self, case: Case, answer: Answered) -> Grade:
        source = code_in(answer.text, LANGUAGES, longest=True)
        if not source.strip():
            return verdict(False, "there is no code in the answer")
        job = {"entry": self._options.entry, "source": source, "tests": case.expected["tests"]}
        limits = limits_of(self._options.timeout_s, self._options.memory_mb)
        ran = await self._sandbox.run("code", job, limits)
        if ran.ended:
            return verdict(False, f"the code {ran.ended}")
        return verdict(bool(ran.found["passed"]), str(ran.found["why"]))
