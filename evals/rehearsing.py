"""A rehearsal: the bundled stand-in with an answer key, so that the whole way can be walked without a key or money.

Rule: everything is made up, and always the same: how often a tier is right is drawn by a hash, cheaper tiers less
often. A rehearsal shows how the tools work; it says nothing of any model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from router.decide.policy import Rulebook

from .graders import perfect_answer
from .question import Render
from .vocabulary import Case, Suite

KEY_FILE = "rehearsal.jsonl"  # in a suite's folder: right answers that cannot be told from what is expected
TOP = (0.94, 0.99)  # how often the top tier is right, by suite
STEP = (0.0, 0.08)  # so much less each tier below it
UNSURE = "I am not sure about this one."
UNWRITTEN = "raise NotImplementedError"
WRONG_BY = 7  # what a wrong number is off by, and then some

Json = dict[str, Any]
Text = Callable[[Suite, Case], str]


class _KeyLine(msgspec.Struct):
    id: str
    answer: str


def script_of(suites: Sequence[Suite], rules: Rulebook, render: Render) -> Callable[[Json], str | None]:
    """What the stand-in says to each case's prompt; None, and so its echo, to anything else."""
    by_prompt = {(suite.system, render(suite, case)): (suite, case) for suite in suites for case in suite.cases}
    right = {suite.name: key_of(suite) for suite in suites}
    tiers = [tier for tier in rules.tier_order if not rules.policy.tiers[tier].only_by_name]

    def script(body: Json) -> str | None:
        found = by_prompt.get((_text(body.get("system")), _text(body["messages"][-1]["content"])))
        tier = rules.tier_of_model.get(rules.ids.get(body["model"], ""))
        if found is None or tier is None:
            return None
        suite, case = found
        below = max(0, len(tiers) - 1 - tiers.index(tier)) if tier in tiers else 0
        if draw(suite.name, tier, case.id) < share(suite.name, below):
            return right[suite.name].get(case.id) or right_answer(suite, case)
        return wrong_answer(suite, case)

    return script


def share(suite: str, below: int) -> float:
    """How often a tier is right that is so far below the top one; made up."""
    low, high = TOP
    rate = low + (high - low) * draw(suite, "top")
    for step in range(below):
        low, high = STEP
        rate -= low + (high - low) * draw(suite, "step", str(step))
    return rate


def draw(*parts: str) -> float:
    """Uniform in [0, 1), and always the same for the same words."""
    digest = blake2b(msgspec.json.encode(("rehearsal", *parts)), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def key_of(suite: Suite) -> Mapping[str, str]:
    """The suite's own right answers, by case; {} where it has no such file."""
    path: Path = suite.folder / KEY_FILE
    if not path.is_file():
        return {}
    lines = [msgspec.json.decode(line, type=_KeyLine) for line in path.read_bytes().splitlines() if line.strip()]
    return {line.id: line.answer for line in lines}


def right_answer(suite: Suite, case: Case) -> str:
    """What is expected, as a model would write it; code that passes tests stays unwritten where no case has it."""
    return perfect_answer(suite, case) or f"```\n{UNWRITTEN}\n```"


def wrong_answer(suite: Suite, case: Case) -> str:
    """A plausible one that the grader should not take."""
    return WRONG.get(suite.grader.kind, _unsure)(suite, case)


def _unsure(suite: Suite, case: Case) -> str:
    return UNSURE


def _wrong_number(suite: Suite, case: Case) -> str:
    expected = case.expected
    value, unit = (expected["value"], expected["unit"]) if isinstance(expected, dict) else (expected, "")
    return f"Answer: {value * 2 + WRONG_BY} {unit}".strip()


def _wrong_label(suite: Suite, case: Case) -> str:
    others = [str(label) for label in suite.grader.options.get("labels", ()) if label != case.expected]
    return others[int(draw(suite.name, case.id, "label") * len(others))] if others else UNSURE


def _wrong_json(suite: Suite, case: Case) -> str:
    """One field says something else."""
    if not isinstance(case.expected, dict) or not case.expected:
        return UNSURE
    names = sorted(case.expected)
    name = names[int(draw(suite.name, case.id, "field") * len(names))]
    return f"```json\n{msgspec.json.encode({**case.expected, name: UNSURE}).decode()}\n```"


def _wrong_sql(suite: Suite, case: Case) -> str:
    return "```sql\nSELECT NULL WHERE 1 = 0\n```"


def _wrong_code(suite: Suite, case: Case) -> str:
    return f"```python\n{UNWRITTEN}\n```"


WRONG: Mapping[str, Text] = {
    "number": _wrong_number,
    "label": _wrong_label,
    "json": _wrong_json,
    "sql": _wrong_sql,
    "code": _wrong_code,
}


def _text(content: Any) -> str:
    """Of a turn or a system text: plain, or in blocks as it is sent with cache marks."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(block.get("text", "") for block in content if isinstance(block, dict))
