"""How answers ended, where that says more than a pass rate: cut short, refused, or given by another model.

Rule: pure. It changes no grade: an answer that was cut is a wrong answer, and whoever reads the rate must know why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .vocabulary import Tried

CUT, REFUSED = "max_tokens", "refusal"


def endings(tried: Sequence[Tried], model: str) -> Iterable[str]:
    """Of one tier, in words; nothing where all ended as they should. `model`: the one that was asked."""
    failed = [one.answer.stop_reason for one in tried if not one.grade.passed]
    if CUT in failed:
        counted = f"{failed.count(CUT)} of the {len(failed)} that failed"
        yield f"{counted} were cut at max_tokens (thinking counts too): raise it in the suite, or in the task"
    if REFUSED in failed:
        yield f"{failed.count(REFUSED)} of the {len(failed)} that failed were refused by the model"
    others = sorted({one.answer.model for one in tried if not one.answer.model.startswith(model)})
    if others:
        yield f"answered by {' and '.join(others)}, not by {model}"
