"""What is wrong with a suite.

Rule: everything at once (a hundred at most), each with its file, its line and a cure; never the text of a case.
"""

from __future__ import annotations

from router.errors import StartError


class SuiteError(StartError):
    """A suite is wrong; carries every problem found."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
