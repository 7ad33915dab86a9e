"""Step 4, choose: the caller's word, else a rule's, else what is measured or judged; then the pin.

Rule: pure: the same function decides a live request, /explain, a policy's tests, the shadow of a
candidate and a replay, so that none of them can differ from the others.
"""

from __future__ import annotations

import msgspec

from ..vocabulary import Choice, Facts, Verdict, Warmth
from . import pin, tier
from .policy import Rule, Rulebook
from .warmth import Mood, weigh

NOBODY = "router/rule"  # where a model would stand, when a rule answers by itself
SKIPPED = Verdict(task=None, difficulty=None, source="skipped")


class Known(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a request when its model is chosen."""

    facts: Facts
    rule: Rule | None = None
    task: str | None = None  # named by the caller, else by the rule
    pinned: str | None = None
    mood: Mood = Mood()
    warmth: tuple[Warmth, ...] = ()  # which models have the prompt in their cache


def answers_itself(rule: Rule | None) -> bool:
    """Does the rule answer, so that no model is asked?"""
    return rule is not None and (rule.refuse is not None or rule.canned is not None)


def wants_verdict(known: Known, rules: Rulebook) -> bool:
    """Is the classifier's answer worth waiting for?"""
    if answers_itself(known.rule) or pin.settles(known.pinned, known.facts):
        return False
    if _placed(known, rules) is not None or tier.named(known.facts, known.task, rules) is not None:
        return False
    return tier.needs_verdict(known.task, rules)


def choose(known: Known, verdict: Verdict | None, rules: Rulebook) -> Choice:
    """The choice, with its reason. Raises RequestError for a model that nobody knows."""
    if known.rule is not None and answers_itself(known.rule):
        does = "refuses it" if known.rule.refuse is not None else "answers it with a text"
        task = known.task or rules.default_task
        return Choice(
            tier=None, model=NOBODY, task=task, rule=known.rule.name, reason=f"the rule {known.rule.name} {does}"
        )
    choice = _placed(known, rules)
    named = tier.named(known.facts, known.task, rules) if choice is None else None
    if named is not None:
        return named
    if choice is None:
        choice = tier.choose(known.facts, known.task, verdict or SKIPPED, rules)
    held = pin.hold(choice, known.pinned, known.facts, rules)
    choice, wanted = weigh(choice, held, known.facts, known.mood, known.warmth, rules), choice.tier
    if choice.tier != wanted:
        choice = msgspec.structs.replace(choice, wanted=wanted)
    if known.rule is not None and choice.rule is None:
        return msgspec.structs.replace(choice, rule=known.rule.name)
    return choice


def _placed(known: Known, rules: Rulebook) -> Choice | None:
    return None if known.rule is None else tier.placed(known.rule, known.facts, known.task, rules)
