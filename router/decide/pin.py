"""Keeping a conversation on its model: switching throws the prompt cache away and drops thinking.

Rule: pure. A pinned conversation moves upward when a verdict or a rule asks for more, and never down.
"""

from __future__ import annotations

import msgspec

from ..vocabulary import Choice, Facts, Words
from .policy import Rulebook
from .shape import fits


def lane(facts: Facts, words: Words) -> str | None:
    """The name under which this conversation is remembered; None for a first, unnamed turn.

    The prefix is part of it: a harness runs sub-agents with other instructions under one session.
    """
    if words.session is not None:
        return f"named:{words.session}:{facts.prefix_fingerprint}"
    if facts.session is not None and (facts.turns > 1 or facts.session.startswith("cc:")):
        return f"{facts.session}:{facts.prefix_fingerprint}"
    return None


def lane_to_open(facts: Facts, words: Words) -> str | None:
    """The name under which the next turn will look: an opener's own lane begins with its reply."""
    known = lane(facts, words)
    if known is None and facts.session is not None:
        return f"{facts.session}:{facts.prefix_fingerprint}"
    return known


def settles(pinned_tier: str | None, facts: Facts) -> bool:
    """Tool results continue a turn that was already judged: no verdict is needed."""
    return pinned_tier is not None and facts.last_is_tool_result


def hold(choice: Choice, pinned_tier: str | None, facts: Facts, rules: Rulebook) -> Choice:
    """The choice, or the model that the conversation is on when the choice is not above it."""
    if choice.named_by_caller or pinned_tier is None or pinned_tier not in rules.policy.tiers:
        return choice
    if choice.tier is None or choice.tier == pinned_tier:
        return choice
    judged = choice.rule is not None or (choice.verdict is not None and choice.verdict.difficulty is not None)
    above = rules.tier_order.index(choice.tier) > rules.tier_order.index(pinned_tier)
    if judged and above:
        return msgspec.structs.replace(choice, reason=f"{choice.reason}; moved up from {pinned_tier}")
    model = rules.ids[rules.policy.tiers[pinned_tier].model]
    if fits(facts, model, rules) is not None:
        return choice
    return msgspec.structs.replace(
        choice,
        tier=pinned_tier,
        model=model,
        reason=f"this conversation is on {pinned_tier}, whose prompt cache is warm ({choice.reason})",
    )
