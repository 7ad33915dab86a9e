"""Before the classifier is asked: the local gate, where one was fitted, answers what it was shown to be right about.

Rule: trunk. What the gate may answer says decide/gate.py; here stands what it is not asked about at all, that its
answer leads no lower than it was measured for, and the share of them that the classifier is asked about too.
"""

from __future__ import annotations

import asyncio

import msgspec

from .decide.choosing import choose
from .decide.classify import verdict_key
from .decide.gate import ANSWERED, Compiled, Gated, answer
from .decide.policy import Rulebook
from .ports import Classifier, Clock, Events, Question
from .story import Story
from .vocabulary import Facts, Verdict
from .wire.ask import question_text

GATE = "gate"  # the source of its verdicts
TOO_LOW = "too_low"
MORE = "not_text_alone"
AUDIT_WITHIN_S = 10.0


class Gating:
    """Of one process."""

    def __init__(self, *, classifier: Classifier, clock: Clock, events: Events) -> None:
        self._classifier = classifier
        self._clock = clock
        self._events = events
        self._asking: set[asyncio.Task[None]] = set()

    def verdict(self, story: Story) -> Verdict | None:
        """None leaves it to the classifier."""
        gate = story.rules.gate
        if gate is None:
            return None
        outcome, verdict = _judged(story, gate)
        self._events.count(GATE, outcome)
        return verdict

    def audit(self, story: Story) -> None:
        """Of the gate's answers a share is asked of the classifier too, beside the request, which does not wait."""
        if story.verdict is None or story.verdict.source != GATE:
            return
        if self._clock.dice() < story.rules.policy.gate.audit_share:
            task = asyncio.ensure_future(self._hold_against(story, story.verdict))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _hold_against(self, story: Story, said: Verdict) -> None:
        other = await self._classifier.listen(_question(story), story.rules)
        if other.difficulty is None:
            self._events.count("gate_audits", "unanswered")
            return
        same = choose(story.known, said, story.rules).tier == choose(story.known, other, story.rules).tier
        self._events.count("gate_audits", "same" if same else "different")


def _judged(story: Story, gate: Compiled) -> tuple[str, Verdict | None]:
    facts, rules = story.ask.facts, story.rules
    if not _is_text_alone(facts):
        return MORE, None
    # One character more than it knows: a text that was cut shows that it was longer.
    text = question_text(story.ask, max(gate.gate.chars_max, gate.gate.max_chars) + 1)
    said = answer(gate, text, story.task_named)
    if said.outcome != ANSWERED or said.task not in rules.tasks:
        return said.outcome if said.outcome != ANSWERED else "unknown_task", None
    verdict = Verdict(task=said.task, difficulty=said.difficulty, source=GATE, detail=said.words)
    return (ANSWERED, verdict) if _leads_high_enough(story, verdict, said) else (TOO_LOW, None)


def _is_text_alone(facts: Facts) -> bool:
    """What it was fitted on: one turn of text."""
    return facts.turns == 1 and not (facts.tool_count or facts.image_count or facts.document_count)


def _leads_high_enough(story: Story, verdict: Verdict, said: Gated) -> bool:
    """A tier was measured to do; the policy may send a simple request to a lower one, which was not."""
    rules: Rulebook = story.rules
    if said.tier is None:
        return True
    if said.tier not in rules.tier_order:
        return False
    chosen = choose(story.known, verdict, rules).tier
    return chosen is not None and rules.tier_order.index(chosen) >= rules.tier_order.index(said.tier)


def _question(story: Story) -> Question:
    text = question_text(story.ask, story.rules.policy.classifier.max_chars)
    words = msgspec.structs.replace(story.ask.words, cache="refresh")  # a remembered verdict is not asked for
    return Question(
        text=text,
        key=verdict_key(text, story.caller.tenant, story.rules.hash),
        tenant=story.caller.tenant,
        request_id=story.caller.request_id,
        words=words,
        within_s=AUDIT_WITHIN_S,
    )
