"""The note of what was decided about a request, and what the candidate in the shadow would have decided.

Rule: trunk, pure. A note holds what the decision looked at, never text: enough to explain the request
later, and to replay it under another policy.
"""

from __future__ import annotations

import msgspec

from .decide.choosing import Known, choose, wants_verdict
from .decide.policy import Rulebook
from .decide.replay import HINTS
from .decide.rules import first_match, header_names
from .decide.tier import task_named
from .errors import RequestError
from .recalling import Texts, sight
from .story import Story
from .vocabulary import Decided, Dressed, Verdict

HEADER_CHARS_MAX = 256
CANNOT_JUDGE = "needs a verdict under the candidate's own tasks"


def decided(story: Story, dressed: Dressed | None) -> Decided:
    """The note. `dressed` is None where a rule answered and nothing is sent."""
    chosen, ask = story.chosen, story.ask
    return Decided(
        request_id=story.caller.request_id,
        at_ms=story.started_ms,
        tenant=story.caller.tenant,
        door=ask.door.value,
        policy_hash=story.rules.hash,
        candidate=story.candidate,
        facts=ask.facts,
        # An address may carry a secret.
        words=ask.words if ask.words.webhook is None else msgspec.structs.replace(ask.words, webhook=None),
        headers=_headers(story),
        texts=story.texts,
        verdict=story.verdict,
        pinned=story.pinned,
        calm=story.mood.calm,
        came_down=story.mood.came_down,
        warmth=story.warmth,
        rule=chosen.rule,
        tier=chosen.tier,
        model=chosen.model,
        task=chosen.task,
        reason=chosen.reason,
        edits=() if dressed is None else tuple(f"{edit.key}: {edit.why}" for edit in dressed.edits),
    )


def compare(story: Story, shadow: Rulebook, verdict: Verdict | None) -> tuple[bool | None, str]:
    """Whether the candidate decides differently, in words; None where it would need a verdict of its own."""
    ask = story.ask
    try:
        rule = first_match(shadow.matchers, sight(ask, story.caller, Texts(ask))) if shadow.matchers else None
        task = task_named(ask.words, shadow) or (rule.task if rule is not None else None)
        known = Known(facts=ask.facts, rule=rule, task=task, pinned=_known_tier(story.pinned, shadow))
        known = msgspec.structs.replace(known, mood=story.mood, warmth=story.warmth)
        if wants_verdict(known, shadow) and not usable(verdict, shadow):
            return None, CANNOT_JUDGE
        other = choose(known, verdict, shadow)
    except RequestError as refused:
        return True, f"the candidate refuses it: {refused.message}"
    if (other.model, other.task) == (story.chosen.model, story.chosen.task):
        return False, ""
    return True, f"{story.chosen.model} ({story.chosen.task}) -> {other.model} ({other.task}): {other.reason}"


def usable(verdict: Verdict | None, rules: Rulebook) -> bool:
    """Can a verdict that was given under another policy be taken for one under this policy?"""
    return verdict is not None and verdict.task in rules.tasks and verdict.difficulty is not None


def _known_tier(pinned: str | None, rules: Rulebook) -> str | None:
    return pinned if pinned in rules.policy.tiers else None


def _headers(story: Story) -> tuple[tuple[str, str], ...]:
    """The harness's hints, and each header that a rule looks at: empty where it was not sent."""
    sent = story.ask.sent_headers
    hints = tuple((name, sent[name][:HEADER_CHARS_MAX]) for name in HINTS if name in sent)
    if not story.rules.matchers:
        return hints
    named = header_names(story.rules.policy.rules) - HINTS
    return hints + tuple((name, sent.get(name, "")[:HEADER_CHARS_MAX]) for name in sorted(named))
