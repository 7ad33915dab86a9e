"""THE STORY: one request from body to reply, in eight named steps. It makes one pass and never turns back.

Rule: trunk. It knows decide, wire, ports, vocabulary and errors; never an edge, never the settings.
Each step is a few lines that call a decision or a port; here stands only their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from .decide import pin, tier
from .decide.budget import afford
from .decide.classify import verdict_key
from .decide.fallback import Rung, ladder
from .decide.policy import Rulebook
from .decide.price import worst_pico
from .decide.shape import fits
from .dispatch import Dispatch, Ended
from .dress import dress
from .explaining import explanation
from .listening import Listening
from .ports import Classifier, Clock, Pins, Question
from .serving import Served
from .settling import Settling
from .story import Story
from .vocabulary import Ask, Caller, Dressed, Verdict
from .wire.ask import question_text

# Of the caller's time: most of it is the answer's.
SHARE_TO_LISTEN = 0.25
SKIPPED = Verdict(task=None, difficulty=None, source="skipped")


class Pipeline:
    """The whole of a request. One per process; nothing in it belongs to a single request."""

    def __init__(
        self,
        *,
        rules: Callable[[], Rulebook],
        listen: tuple[Classifier, Listening],
        pins: Pins,
        dispatch: Dispatch,
        settling: Settling,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._classifier, self._listening = listen
        self._pins = pins
        self._dispatch = dispatch
        self._settling = settling
        self._clock = clock

    async def handle(self, ask: Ask, caller: Caller) -> Served:
        """Step 1, read, was the door's. Raises RequestError; when cancelled, settles and re-raises."""
        story, pinned = self._recall(ask, caller)
        story = await self._listen(story, pinned)
        story = self._choose(story, pinned)
        story, rungs = self._afford(story)
        dressed = dress(story, rungs[0])
        ended = await self._send(story, rungs, dressed)
        return self._settling.settle(story, ended)

    async def explain(self, ask: Ask, caller: Caller) -> dict[str, object]:
        """Every decision, with its reason, without the call. Only the classifier may be asked."""
        story, pinned = self._recall(ask, caller)
        story = await self._listen(story, pinned)
        story = self._choose(story, pinned)
        story, rungs = self._afford(story)
        return explanation(story, rungs, pinned)

    # 2 ---- recall: which model is this conversation on?

    def _recall(self, ask: Ask, caller: Caller) -> tuple[Story, str | None]:
        rules = self._rules()
        story = Story(
            ask=ask,
            caller=caller,
            rules=rules,
            started_s=self._clock.monotonic(),
            started_ms=self._clock.now_ms(),
            task_named=tier.task_named(ask.words, rules),
            lane=pin.lane(ask.facts, ask.words),
        )
        if story.lane is None or not rules.policy.sticky.enabled:
            return story, None
        found = self._pins.get(caller.tenant, story.lane)
        return story, None if found is None else found.tier

    # 3 ---- listen: only when the answer could change the choice

    async def _listen(self, story: Story, pinned: str | None) -> Story:
        ask, rules = story.ask, story.rules
        if tier.named(ask.facts, story.task_named, rules) is not None or pin.settles(pinned, ask.facts):
            return story
        if not tier.needs_verdict(story.task_named, rules):
            return msgspec.structs.replace(story, verdict=SKIPPED)
        text = question_text(ask, rules.policy.classifier.max_chars)
        if not text:
            nothing = msgspec.structs.replace(SKIPPED, detail="there is no text to judge")
            return msgspec.structs.replace(story, verdict=nothing)
        return await self._ask(story, text)

    async def _ask(self, story: Story, text: str) -> Story:
        caller = story.caller
        began_s = self._clock.monotonic()
        question = Question(
            text=text,
            key=verdict_key(text, caller.tenant, story.rules.hash),
            tenant=caller.tenant,
            request_id=caller.request_id,
            policy_hash=story.rules.hash,
            words=story.ask.words,
            within_s=story.left_s(began_s) * SHARE_TO_LISTEN,
        )
        self._listening.begin(caller.request_id)
        try:
            verdict = await self._classifier.listen(question)
        finally:
            spent_pico = self._listening.end(caller.request_id)
        listened_s = self._clock.monotonic() - began_s
        return msgspec.structs.replace(story, verdict=verdict, verdict_s=listened_s, verdict_pico=spent_pico)

    # 4 ---- choose: the caller's word, else the verdict's tier, else the default; then the pin

    def _choose(self, story: Story, pinned: str | None) -> Story:
        facts, rules = story.ask.facts, story.rules
        choice = tier.named(facts, story.task_named, rules)
        if choice is None:
            choice = tier.choose(facts, story.task_named, story.verdict or SKIPPED, rules)
            choice = pin.hold(choice, pinned, facts, rules)
        return msgspec.structs.replace(story, choice=choice)

    # 5 ---- afford: within what the caller allows, or not at all

    def _afford(self, story: Story) -> tuple[Story, tuple[Rung, ...]]:
        limit_pico = story.ask.words.max_cost_pico
        if limit_pico is not None:
            choice = afford(story.chosen, limit_pico, self._worst_by_tier(story), story.rules)
            story = msgspec.structs.replace(story, choice=choice)
        return story, ladder(story.chosen, story.ask.facts, story.ask.words, story.rules)

    def _worst_by_tier(self, story: Story) -> Mapping[str, int]:
        facts, rules, chosen = story.ask.facts, story.rules, story.chosen
        tokens = facts.max_tokens if facts.max_tokens is not None else story.task.max_tokens
        models = {chosen.tier or "": chosen.model}
        if not chosen.named_by_caller:
            others = {name: rules.ids[part.model] for name, part in rules.policy.tiers.items()}
            models |= {name: model for name, model in others.items() if fits(facts, model, rules) is None}
        return {name: worst_pico(facts, model, tokens, rules, story.started_ms) for name, model in models.items()}

    # 6, dress, is one call above; 7 ---- send: walk the ladder

    async def _send(self, story: Story, rungs: tuple[Rung, ...], dressed: Dressed) -> Ended:
        ended: Ended | None = None
        try:
            ended = await self._dispatch.walk(story, rungs, dressed)
            return ended
        finally:
            if ended is None:
                self._settling.tell(story, None, "nobody")
