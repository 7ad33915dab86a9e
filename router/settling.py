"""Step 8, settle: label the answer, remember where the conversation is, tell what happened.

Rule: trunk. The money was settled with each attempt; here it is added up and shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from . import refusing, serving
from .affording import Affording
from .decide import pin
from .decide.budget import usd
from .decide.fallback import Stop
from .decide.warmth import mood_after
from .deciding import decided
from .dispatch import Ended
from .errors import RequestError
from .ports import Clock, Events, Ledger, Pin, Pins, Steering
from .relay import relay
from .serving import Served
from .shadowing import Shadowing
from .story import Story
from .vocabulary import Door, Dressed, Outcome
from .wire.reply import with_router
from .wire.sse import encode

JSON = ("content-type", "application/json")
SSE = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
# Without a deadline of the caller's own, a stream that keeps talking may go on for so long.
LONGEST_STREAM_S = 3600.0


class Settling:
    """Turns the end of the walk into what the door writes."""

    def __init__(
        self,
        *,
        pins: Pins,
        clock: Clock,
        told: tuple[Events, Ledger, Steering],
        shadowing: Shadowing,
        affording: Affording,
    ) -> None:
        self._pins = pins
        self._clock = clock
        self._events, self._ledger, self._steering = told
        self._affording = affording
        self._shadowing = shadowing

    def note(self, story: Story, dressed: Dressed | None) -> None:
        """What was decided, into the books, before anything is sent; and what the shadow would have decided."""
        self._ledger.note(decided(story, dressed))
        self._shadowing.follow(story)

    def by_rule(self, story: Story) -> Served:
        """The answer of a rule that answers by itself. Raises RequestError for one that refuses."""
        self.note(story, None)
        rule = story.rule
        assert rule is not None, "a rule answers"
        ended = Ended(attempts=(), stop=Stop(f"the rule {rule.name} answers", True))
        if rule.canned is None:
            self.tell(story, ended, "rule")
            raise RequestError("router_refused", rule.refuse or "a rule of the policy refuses this request")
        self.tell(story, ended, "canned")
        return self._canned(story, ended, rule.canned.replace("{request_id}", story.caller.request_id))

    def settle(self, story: Story, ended: Ended) -> Served:
        if ended.stop is not None:
            return self._without_answer(story, ended)
        self._remember(story, ended)
        if story.ask.facts.stream:
            return self._stream(story, ended)
        self.tell(story, ended, "model")
        running = ended.answered
        headers = self._headers(story, ended)
        headers.append(("x-router-cost-usd", usd(serving.spent_pico(story, ended))))
        body = running.whole
        if story.ask.door is Door.COMPLETE:
            receipt = serving.receipt(story, ended, self._clock.monotonic())
            body = with_router(body, msgspec.json.encode(receipt))
        return Served(status=200, headers=(JSON, *headers), body=body)

    def out_of_budget(self, story: Story) -> Served:
        """The canned reply where a budget is spent. Raises RequestError where there is none for this door."""
        self.note(story, None)
        ended = Ended(attempts=(), stop=Stop(story.broke or "a budget is spent", True))
        text = refusing.canned_text(story)
        self.tell(story, ended, "nobody" if text is None else "canned")
        if text is None:
            raise RequestError("router_budget", story.broke or "a budget is spent")
        return self._canned(story, ended, text)

    def tell(self, story: Story, ended: Ended, served_by: str) -> None:
        now_s = self._clock.monotonic()
        self._events.request(serving.event(story, ended, served_by, now_s))
        self._steering.watch(serving.watched(story, ended, served_by, now_s))
        self._affording.settle(story, serving.spent_pico(story, ended))

    def _headers(self, story: Story, ended: Ended) -> list[tuple[str, str]]:
        answer = ended.answered.answer
        assert answer is not None, "an answer came from the API"
        return [*serving.forwarded_headers(answer.headers), *serving.labels(story, ended)]

    def _stream(self, story: Story, ended: Ended) -> Served:
        running = ended.answered
        own_door = story.ask.door is Door.COMPLETE
        if own_door:
            running.held.insert(0, _router_event(serving.choice_words(story)))

        def last_word(_outcome: Outcome) -> bytes:
            self.tell(story, ended, "model")
            if not own_door:
                return b""
            return _router_event(serving.receipt(story, ended, self._clock.monotonic()))

        longest_s = story.ask.words.deadline_s or LONGEST_STREAM_S
        chunks = relay(
            running,
            clock=self._clock,
            until_s=story.started_s + longest_s,
            request_id=story.caller.request_id,
            own_words=own_door,
            ended=last_word,
        )
        return Served(status=200, headers=(*SSE, *self._headers(story, ended)), chunks=chunks)

    def _without_answer(self, story: Story, ended: Ended) -> Served:
        assert ended.stop is not None, "the walk stopped"
        text = refusing.canned_text(story) if ended.stop.canned else None
        self.tell(story, ended, "nobody" if text is None else "canned")
        if text is not None:
            return self._canned(story, ended, text)
        passed = refusing.passed_on(ended) if story.ask.door is Door.MESSAGES else None
        if passed is not None:
            return passed
        raise refusing.failure(story, ended, self._clock.monotonic())

    def _canned(self, story: Story, ended: Ended, text: str) -> Served:
        message = refusing.canned_message(text, story.caller.request_id)
        headers = (("x-router-fallback", "canned"), ("x-router-attempts", str(len(ended.attempts))))
        receipt = None
        if story.ask.door is Door.COMPLETE:
            receipt = refusing.canned_receipt(story, ended, self._clock.monotonic())
        if story.ask.facts.stream:
            return Served(status=200, headers=(*SSE, *headers), chunks=_canned_stream(message, text, receipt))
        body = msgspec.json.encode(message)
        if receipt is not None:
            body = with_router(body, msgspec.json.encode(receipt))
        return Served(status=200, headers=(JSON, *headers), body=body)

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


def _router_event(fields: dict[str, object]) -> bytes:
    return encode("router", msgspec.json.encode({"type": "router", **fields}))


async def _canned_stream(
    message: dict[str, object], text: str, receipt: dict[str, object] | None
) -> AsyncGenerator[bytes, None]:
    own_words = b"" if receipt is None else _router_event(receipt)
    if own_words:
        yield own_words
    for event in refusing.canned_events(message, text):
        yield encode(str(event["type"]), msgspec.json.encode(event))
    if own_words:
        yield own_words
