"""The candidate in the shadow: decides what the current policy decides, and serves nobody.

Rule: trunk. It costs the request nothing: what needs no call is compared at once, and a question to the
candidate's own classifier, where the policy asks for it, is asked beside the request.
"""

from __future__ import annotations

import asyncio

from .decide.classify import verdict_key
from .decide.policy import Rulebook
from .deciding import compare
from .ports import Classifier, Question, Steering
from .story import Story
from .wire.ask import question_text

WITHIN_S = 10.0


class Shadowing:
    """Of one process."""

    def __init__(self, *, steering: Steering, classifier: Classifier) -> None:
        self._steering = steering
        self._classifier = classifier
        self._asking: set[asyncio.Task[None]] = set()

    def follow(self, story: Story) -> None:
        """Compare, now or as soon as the candidate's classifier has answered."""
        if story.shadow is None:
            return
        differs, words = compare(story, story.shadow, story.verdict)
        rollout = story.rules.policy.rollout
        if differs is None and rollout is not None and rollout.ask_classifier:
            task = asyncio.ensure_future(self._ask(story, story.shadow))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            return
        self._steering.differed(story.shadow.hash, differs, words)

    async def _ask(self, story: Story, shadow: Rulebook) -> None:
        verdict = await self._classifier.listen(self._question(story, shadow), shadow)
        differs, words = compare(story, shadow, verdict)
        self._steering.differed(shadow.hash, differs, words)

    def _question(self, story: Story, shadow: Rulebook) -> Question:
        caller, text = story.caller, question_text(story.ask, shadow.policy.classifier.max_chars)
        return Question(
            text=text,
            key=verdict_key(text, caller.tenant, shadow.hash),
            tenant=caller.tenant,
            request_id=caller.request_id,
            words=story.ask.words,
            within_s=WITHIN_S,
        )
