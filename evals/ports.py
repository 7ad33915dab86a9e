"""What measuring needs from the world, as protocols.

Rule: only types here. `evals/__main__.py` and `evals/cli/` choose who stands behind each port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .vocabulary import Answered, Case, Grade, Suite, Tried


class Halted(Exception):
    """Nothing more can be asked now: the money is spent, or nobody answers. What was answered is kept."""


class Asker(Protocol):
    """Asks a tier exactly as the policy would, pays once for each (model, parameters, prompt, epoch)."""

    async def ask(self, suite: Suite, tier: str, case: Case, epoch: int = 0) -> Answered:
        """Raises Halted."""

    async def ask_plain(self, tier: str, system: str, prompt: str, schema: dict[str, object] | None = None) -> Answered:
        """One question of a grader's own. Raises Halted."""


class Grader(Protocol):
    """Says whether an answer is what the case expects. It never raises for what a model wrote."""

    async def grade(self, case: Case, answer: Answered) -> Grade: ...


class Engine(Protocol):
    """Asks and grades many cases at once."""

    async def run(self, suite: Suite, tier: str, cases: Sequence[Case], epoch: int = 0) -> list[Tried]:
        """In the order of the cases. Raises Halted; what was answered by then costs nothing the next time."""
