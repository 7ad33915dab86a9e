"""Which canned reply fits: the task's before the policy's, in the language that the caller reads.

Rule: pure. Where a task promises JSON only its own canned reply is JSON; the policy's prose is none.
"""

from __future__ import annotations

from collections.abc import Mapping

from .policy import Policy, Task

PARTS_MAX = 20  # of an accept-language header; what comes after them is nobody's first choice


def canned(policy: Policy, task: Task, accept_language: str = "") -> str | None:
    """The text, its placeholders not yet filled in; None: there is none that fits."""
    fallbacks = policy.fallbacks
    own = _in_language(task.canned, task.canned_in, accept_language)
    if own is not None or task.output.type != "text":
        return own
    return _in_language(fallbacks.canned, fallbacks.canned_in, accept_language)


def _in_language(usual: str | None, others: Mapping[str, str], accept_language: str) -> str | None:
    if not others:
        return usual
    by_name = {name.lower(): text for name, text in others.items()}
    for wanted in preferred(accept_language):
        for name in (wanted, wanted.partition("-")[0]):
            if name in by_name:
                return by_name[name]
        if usual is not None and wanted.partition("-")[0] == "en":
            return usual  # what stands without a language is taken for English
    return usual


def preferred(accept_language: str) -> list[str]:
    """The languages of the header, the dearest first."""
    weighed: list[tuple[float, str]] = []
    for part in accept_language.lower().split(",")[:PARTS_MAX]:
        name, _, parameter = part.strip().partition(";")
        weight = _weight(parameter)
        if name and weight > 0:
            weighed.append((-weight, name.strip()))
    return [name for _, name in sorted(weighed, key=lambda pair: pair[0])]


def _weight(parameter: str) -> float:
    value = parameter.strip().removeprefix("q=")
    if not value:
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
