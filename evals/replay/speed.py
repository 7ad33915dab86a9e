"""How long the gate takes to answer one request, reading the text included.

Rule: a figure of this machine at this moment; nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.decide.gate import Compiled, answer
from router.ports import Clock

from ..learn.bound import Asked
from ..learn.drafting import Wanted
from ..learn.fitting import fit_gate
from ..learn.labels import Label
from .arena import MAX_CHARS
from .contest import Contest

LENGTHS = (500, 4_000)
PROMPTS = 200
ROUNDS = 5
TASK = "timed"


def speeds(contests: Sequence[Contest], clock: Clock) -> dict[str, dict[str, float]]:
    """By characters of the prompt: milliseconds at the median and the 99th percentile."""
    texts = list(dict.fromkeys(row.prompt for contest in contests for row in contest.rows))
    return {str(length): _timed(_of_length(texts, length), clock) for length in LENGTHS}


def _of_length(texts: Sequence[str], length: int) -> list[str]:
    """Prompts, one after the other, cut at that length."""
    whole = "\n".join(texts)
    whole = whole * (length * PROMPTS // max(len(whole), 1) + 1)
    return [whole[at * length : (at + 1) * length] for at in range(PROMPTS)]


def _timed(texts: Sequence[str], clock: Clock) -> dict[str, float]:
    # All of one task, half of them badly, and a bound that lets everything through: each answer goes the whole way.
    labels = [Label(text=text, task=TASK, weak=float(at % 2), strong=1.0) for at, text in enumerate(texts)]
    gate = Compiled(fit_gate(labels, Wanted(asked=Asked(alpha=1.0, min_cases=1), max_chars=MAX_CHARS)))
    took_ms = []
    for text in list(texts) * ROUNDS:
        began_s = clock.monotonic()
        answer(gate, text, TASK)
        took_ms.append(1000 * (clock.monotonic() - began_s))
    return {
        "p50_ms": round(float(np.percentile(took_ms, 50)), 3),
        "p99_ms": round(float(np.percentile(took_ms, 99)), 3),
    }
