"""Step 8, settle: label the answer, remember where the conversation is, tell what happened.

Rule: trunk. The money was settled with each attempt; here it is added up and shown.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from . import refusing, serving
from .affording import Affording
from .decide import pin
from .decide.budget import usd
from .decide.fallback import Stop
from .decide.replies import keep_of
from .decide.warmth import mood_after
from .deciding import decided
from .dispatch import Ended
from .errors import RequestError
from .flights import Arrived
from .given import JSON, SSE, Giving, chosen_again, router_event
from .ports import Clock, Events, Ledger, Pin, Pins, Steering
from .putting import accepted
from .relay import Alone, Readable, Terms, relay
from .serving import Served
from .shadowing import Shadowing
from .sharing import FirstSeat, GuestSeat
from .story import Story
from .vocabulary import Ask, Caller, Door, Dressed, Job, KeptReply, Outcome, OutcomeKind
from .wire.reply import with_router

# Without a deadline of the caller's own, a stream that keeps talking may go on for so long.
LONGEST_STREAM_S = 3600.0
NOTHING = Ended(attempts=())


class Defers(Protocol):
    """Puts a request off. Raises RequestError where it cannot."""

    def check(self, ask: Ask) -> None: ...  # raises RequestError where its webhook may not be told
    async def defer(self, ask: Ask, caller: Caller) -> Job: ...


class Settling:
    """Turns the end of the walk into what the door writes."""

    def __init__(
        self,
        *,
        pins: Pins,
        told: tuple[Events, Ledger, Steering],
        shadowing: Shadowing,
        affording: Affording,
        instead: tuple[Giving, Defers],
        clock: Clock,
    ) -> None:
        self._pins = pins
        self._clock = clock
        self._events, self._ledger, self._steering = told
        self._affording = affording
        self._shadowing = shadowing
        self._giving, self._deferring = instead

    def check(self, ask: Ask) -> None:
        """Before anything is sent: could what it asks for be done when it is put off? Raises RequestError."""
        self._deferring.check(ask)

    def note(self, story: Story, dressed: Dressed | None) -> None:
        """What was decided, into the books, before anything is sent; and what the shadow would have decided."""
        self._ledger.note(decided(story, dressed))
        self._shadowing.follow(story)

    def by_rule(self, story: Story) -> Served:
        """The answer of a rule that answers by itself. Raises RequestError for one that refuses."""
        self.note(story, None)
        rule = story.rule
        assert rule is not None, "a rule answers"
        ended = Ended(attempts=(), stop=Stop(f"the rule {rule.name} answers"))
        if rule.canned is None:
            self.tell(story, ended, "rule")
            raise RequestError("router_refused", rule.refuse or "a rule of the policy refuses this request")
        self.tell(story, ended, "canned")
        return self._giving.canned(story, ended, rule.canned.replace("{request_id}", story.caller.request_id))

    def given(self, story: Story, kept: KeptReply) -> Served:
        """An answer that is known already."""
        story = chosen_again(story, kept, self._clock.now_ms())
        self.note(story, None)
        self.tell(story, NOTHING, "cache")
        return self._giving.again(story, NOTHING, kept, "cache")

    async def settle(self, arrived: Arrived) -> Served:
        story, ended = arrived.story, arrived.ended
        if ended.stop is not None:
            return await self._without_answer(story, ended)
        self._remember(story, ended)
        running = ended.answered
        if story.ask.facts.stream and (running.outcome is None or running.held or ended.shared is not None):
            return self._stream(story, ended)
        if arrived.guest:
            self._giving.note(story, ended, running.row.model, "shared")
        else:
            self._giving.keep(story, running, running.whole)
        self.tell(story, ended, "model")
        headers = self._headers(story, ended)
        headers.append(("x-router-cost-usd", usd(serving.spent_pico(story, ended))))
        body = running.whole
        if story.ask.door is Door.COMPLETE:
            ended_as = running.outcome.kind if running.outcome is not None else OutcomeKind.ANSWERED
            receipt = serving.receipt(story, ended, ended_as, self._clock.monotonic())
            body = with_router(body, msgspec.json.encode(receipt))
        return Served(status=200, headers=(JSON, *headers), body=body)

    def tell(self, story: Story, ended: Ended, served_by: str) -> None:
        now_s = self._clock.monotonic()
        self._events.request(serving.event(story, ended, served_by, now_s))
        self._steering.watch(serving.watched(story, ended, served_by, now_s))

    def pay(self, story: Story, ended: Ended) -> None:
        """What it did cost takes the place of what was held: now, or when its stream has ended."""
        if ended.shared is not None:
            ended.shared.when_over(lambda: self._affording.settle(story, serving.spent_pico(story, ended)))
        elif ended.stop is not None or ended.answered.outcome is not None:
            self._affording.settle(story, serving.spent_pico(story, ended))

    def left(self, story: Story, ended: Ended | None = None) -> None:
        """A caller who did not wait for what went on without him, and what it came to, where it was his call."""
        attempts = () if ended is None else ended.attempts
        self.tell(story, Ended(attempts=attempts, stop=Stop("the caller left before the answer")), "nobody")

    def _headers(self, story: Story, ended: Ended) -> list[tuple[str, str]]:
        answer = ended.answered.answer
        assert answer is not None, "an answer came from the API"
        headers = [*serving.forwarded_headers(answer.headers), *serving.labels(story, ended)]
        if story.key is not None and keep_of(story.rules, story.chosen.task) is not None:
            headers.append(("cache-status", "tierwise; fwd=miss"))
        return headers

    def _stream(self, story: Story, ended: Ended) -> Served:
        own_door = story.ask.door is Door.COMPLETE
        first_word = router_event(serving.choice_words(story)) if own_door else b""

        def last_word(outcome: Outcome) -> bytes:
            self._tell_of_stream(story, ended)
            if not own_door:
                return b""
            return router_event(serving.receipt(story, ended, outcome.kind, self._clock.monotonic()))

        longest_s = story.ask.words.deadline_s or LONGEST_STREAM_S
        terms = Terms(
            until_s=story.started_s + longest_s,
            request_id=story.caller.request_id,
            own_words=own_door,
            first_word=first_word,
            ended=last_word,
        )
        chunks = relay(self._readable(story, ended), self._clock, terms)
        return Served(status=200, headers=(*SSE, *self._headers(story, ended)), chunks=chunks)

    def _tell_of_stream(self, story: Story, ended: Ended) -> None:
        """Now, or when it has ended for the last of its readers: before that nobody knows what it cost."""
        if ended.shared is not None and ended.host is None:
            ended.shared.when_over(lambda: self.tell(story, ended, "model"))
            return
        self.tell(story, ended, "model")
        if ended.shared is None:
            self.pay(story, ended)

    def _readable(self, story: Story, ended: Ended) -> Readable:
        if ended.shared is None:
            return Alone(ended.answered)
        if ended.host is None:
            return FirstSeat(ended.shared)
        model = ended.answered.row.model
        return GuestSeat(ended.shared, lambda _outcome: self._giving.note(story, ended, model, "shared"))

    async def _without_answer(self, story: Story, ended: Ended) -> Served:
        """What may stand in for an answer, in the policy's order; else the honest error."""
        assert ended.stop is not None, "the walk stopped"
        # A job waits for a model: what stands in for an answer would end it. `off` asks for the error.
        none = story.caller.job or story.ask.words.fallback == "off"
        for action in () if none else ended.stop.then:
            served = await self._instead(story, ended, action)
            if served is not None:
                return served
            if action == "fail":
                break
        self.tell(story, ended, "nobody")
        passed = refusing.passed_on(ended) if story.ask.door is Door.MESSAGES else None
        if passed is not None:
            return passed
        raise refusing.failure(story, ended, self._clock.monotonic())

    async def _instead(self, story: Story, ended: Ended, action: str) -> Served | None:
        if action in ("stale", "cached"):
            kept = await self._giving.stale(story, or_fresh_only=action == "cached")
            if kept is None:
                return None
            by = "stale" if action == "stale" else "cache"
            self.tell(story, ended, by)
            return self._giving.again(story, ended, kept, by)
        if action == "canned":
            text = refusing.canned_text(story)
            if text is None:
                return None
            self.tell(story, ended, "canned")
            return self._giving.canned(story, ended, text)
        if action == "defer":
            return await self._put_off(story, ended)
        if action == "serve" and ended.serves is not None:
            answered = msgspec.structs.replace(ended, stop=None, served=ended.serves)
            return await self.settle(Arrived(story=story, ended=answered))
        return None

    async def _put_off(self, story: Story, ended: Ended) -> Served | None:
        if not story.can_wait:
            return None
        try:
            job = await self._deferring.defer(story.ask, story.caller)
        except RequestError:
            return None
        self.tell(story, ended, "deferred")
        return accepted(job)

    def _remember(self, story: Story, ended: Ended) -> None:
        running, sticky = ended.answered, story.rules.policy.sticky
        lane = pin.lane_to_open(story.ask.facts, story.ask.words)
        if running.row.tier is None or lane is None or not sticky.enabled or story.chosen.named_by_caller:
            return
        until_s = self._clock.monotonic() + sticky.idle_s
        mood = mood_after(story.mood, story.pinned, story.chosen, story.rules)
        kept = Pin(
            model=running.row.model,
            tier=running.row.tier,
            task=story.chosen.task,
            until_s=until_s,
            calm=mood.calm,
            came_down=mood.came_down,
            message_id=running.reply.message_id if running.reply is not None else None,
        )
        self._pins.put(story.caller.tenant, lane, kept)
