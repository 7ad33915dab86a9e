"""Step 8, settle: label the answer, remember where the conversation is, tell what happened.

Rule: trunk. The money was settled with each attempt; here it is added up and shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from . import refusing, serving
from .decide import pin
from .decide.budget import usd
from .dispatch import Ended
from .ports import Clock, Events, Pin, Pins
from .relay import relay
from .serving import Served
from .story import Story
from .vocabulary import Door, Outcome
from .wire.reply import with_router
from .wire.sse import encode

JSON = ("content-type", "application/json")
SSE = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
# Without a deadline of the caller's own, a stream that keeps talking may go on for so long.
LONGEST_STREAM_S = 3600.0


class Settling:
    """Turns the end of the walk into what the door writes."""

    def __init__(self, *, pins: Pins, clock: Clock, events: Events) -> None:
        self._pins = pins
        self._clock = clock
        self._events = events

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

    def tell(self, story: Story, ended: Ended | None, served_by: str) -> None:
        self._events.request(serving.event(story, ended, served_by, self._clock.monotonic()))

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
        receipt = refusing.canned_receipt(story, ended, self._clock.monotonic())
        headers = (("x-router-fallback", "canned"), ("x-router-attempts", str(len(ended.attempts))))
        if story.ask.facts.stream:
            return Served(status=200, headers=(*SSE, *headers), chunks=_canned_stream(message, text, receipt))
        body = with_router(msgspec.json.encode(message), msgspec.json.encode(receipt))
        return Served(status=200, headers=(JSON, *headers), body=body)

    def _remember(self, story: Story, ended: Ended) -> None:
        running, sticky = ended.answered, story.rules.policy.sticky
        lane = pin.lane_to_open(story.ask.facts, story.ask.words)
        if running.row.tier is None or lane is None or not sticky.enabled or story.chosen.named_by_caller:
            return
        until_s = self._clock.monotonic() + sticky.idle_s
        kept = Pin(model=running.row.model, tier=running.row.tier, task=story.chosen.task, until_s=until_s)
        self._pins.put(story.caller.tenant, lane, kept)


def _router_event(fields: dict[str, object]) -> bytes:
    return encode("router", msgspec.json.encode({"type": "router", **fields}))


async def _canned_stream(
    message: dict[str, object], text: str, receipt: dict[str, object]
) -> AsyncGenerator[bytes, None]:
    yield _router_event(receipt)
    for event in refusing.canned_events(message, text):
        yield encode(str(event["type"]), msgspec.json.encode(event))
    yield _router_event(receipt)
