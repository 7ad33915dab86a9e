"""THE STORY: one request from body to reply, in eight named steps. It makes one pass and never turns back.

Rule: trunk. It knows decide, wire, ports, vocabulary and errors; never an edge, never the settings.
Each step is a few lines that call a decision or a port; here stands only their order.
"""

from __future__ import annotations

import msgspec

from .affording import Affording
from .attempt import Running
from .caching import warmth_matters, warmths
from .decide.choosing import SKIPPED, answers_itself, choose, wants_verdict
from .decide.classify import verdict_key
from .decide.fallback import Stop
from .decide.ladder import Rung
from .dispatch import Dispatch, Ended
from .dress import dress
from .errors import RequestError
from .explaining import explanation
from .flights import Arrived, Flights
from .gating import Gating
from .given import Giving
from .listening import Listening
from .ports import Classifier, Clock, Question
from .recalling import Recalling
from .sending import Ready, ready
from .serving import Served
from .settling import Settling
from .story import Story
from .vocabulary import Ask, Caller, Dressed
from .wire.ask import question_text

# Of the caller's time: most of it is the answer's.
SHARE_TO_LISTEN = 0.1


class Pipeline:
    """The whole of a request. One per process; nothing in it belongs to a single request."""

    def __init__(
        self,
        *,
        recalling: Recalling,
        listen: tuple[Classifier, Listening, Gating],
        affording: Affording,
        dispatch: Dispatch,
        end: tuple[Giving, Settling],
        clock: Clock,
    ) -> None:
        self._recalling = recalling
        self._classifier, self._listening, self._gating = listen
        self._affording = affording
        self._dispatch = dispatch
        self._giving, self._settling = end
        self._flights = Flights(clock, self._choose, self._settling.left)
        self._clock = clock

    async def handle(self, ask: Ask, caller: Caller) -> Served:
        """Step 1, read, was the door's. Raises RequestError; when cancelled, settles and re-raises."""
        if ask.words.webhook is not None:
            self._settling.check(ask)
        story = self._recalling.recall(ask, caller)
        if answers_itself(story.rule):
            return self._settling.by_rule(self._choose(story))
        known = await self._giving.fresh(story)
        if known is not None:
            return self._settling.given(story, known)
        arrived = await (self._flights.fly(story, self._run) if story.shares else self._run(story))
        return await self._settling.settle(arrived)

    async def _run(self, story: Story) -> Arrived:
        """Steps 3 to 7, once for all who ask the same at the same time."""
        story = await self._listen(story)
        self._gating.audit(story)
        story = self._choose(story)
        story, rungs = self._affording.afford(story)  # 5: within limits and budgets, or not at all
        if story.broke is not None:
            self._settling.note(story, None)
            return Arrived(story=story, ended=Ended(attempts=(), stop=Stop(story.broke, ("canned",))))
        dressed = dress(story, rungs[0])
        self._settling.note(story, dressed)
        story = self._affording.hold(story, rungs[0])
        ended = await self._send(story, rungs, dressed)
        self._settling.pay(story, ended)
        return Arrived(story=story, ended=ended)

    async def explain(self, ask: Ask, caller: Caller) -> dict[str, object]:
        """Every decision, with its reason, without the call. Only the classifier may be asked."""
        story = self._recalling.recall(ask, caller)
        story = await self._listen(story)
        story = self._choose(msgspec.structs.replace(story, warmth=warmths(story)))
        if answers_itself(story.rule):
            return explanation(story, ())
        story, rungs = self._affording.afford(story)
        return explanation(story, rungs)

    def would_send(self, ask: Ask, caller: Caller) -> Ready:
        """The first call of a request that names its tier, without cache marks. Nothing is sent, held or noted."""
        recalled = self._recalling.recall(ask, caller)
        story = self._choose(msgspec.structs.replace(recalled, path=None, verdict=SKIPPED))
        if answers_itself(story.rule):
            raise RequestError("router_refused", f"the rule {story.chosen.rule} answers it: no model is asked")
        story, rungs = self._affording.afford(story)
        return ready(story, dress(story, rungs[0]))

    # 3 ---- listen: only when the answer could change the choice

    async def _listen(self, story: Story) -> Story:
        ask, rules = story.ask, story.rules
        if not wants_verdict(story.known, rules):
            return msgspec.structs.replace(story, verdict=SKIPPED)
        gated = self._gating.verdict(story)
        if gated is not None:
            return msgspec.structs.replace(story, verdict=gated)
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
            words=story.ask.words,
            within_s=story.left_s(began_s) * SHARE_TO_LISTEN,
        )
        self._listening.begin(caller.request_id)
        try:
            verdict = await self._classifier.listen(question, story.rules)
        finally:
            spent_pico = self._listening.end(caller.request_id)
        listened_s = self._clock.monotonic() - began_s
        return msgspec.structs.replace(story, verdict=verdict, verdict_s=listened_s, verdict_pico=spent_pico)

    # 4 ---- choose: the caller's word, a rule's, what is measured or judged; then the pin

    def _choose(self, story: Story) -> Story:
        choice = choose(story.known, story.verdict, story.rules)
        if warmth_matters(story, choice):
            story = msgspec.structs.replace(story, warmth=warmths(story))
            choice = choose(story.known, story.verdict, story.rules)
        return msgspec.structs.replace(story, choice=choice)

    # 6, dress, is one call above; 7 ---- send: walk the ladder

    async def _send(self, story: Story, rungs: tuple[Rung, ...], dressed: Dressed) -> Ended:
        made: list[Running] = []
        ended: Ended | None = None
        try:
            ended = await self._dispatch.walk(story, rungs, dressed, made)
            return self._giving.shared(story, ended)
        finally:
            if ended is None:
                broken_off = Ended(attempts=tuple(made), stop=Stop("it was broken off before an answer"))
                self._settling.tell(story, broken_off, "nobody")
                self._settling.pay(story, broken_off)
