"""Answers that no call was made for: given again from what is kept, fresh or stale, or canned.

Rule: trunk. Each says so in its labels, its receipt and its row in the ledger, which costs nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from . import refusing, serving
from .attempt import Running
from .decide.budget import usd
from .decide.contract import broken
from .decide.likeness import fingerprint
from .decide.observing import is_exact, observed
from .decide.replies import Age, age, age_s, keep_of, may_give, may_keep, until_ms
from .decide.sameness import owner
from .dispatch import Ended
from .errors import WireError
from .ports import Clock, Events, Ledger, Replies
from .sampling import Sampling
from .serving import Served
from .sharing import SharedStream
from .story import Story
from .vocabulary import Choice, Door, Fingerprint, KeptReply, OutcomeKind, Usage
from .wire.assemble import Assembler
from .wire.joining import frames_of
from .wire.reply import with_router
from .wire.sse import encode

JSON = ("content-type", "application/json")
SSE = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


class Giving:
    """One per process."""

    def __init__(self, *, replies: Replies, clock: Clock, told: tuple[Events, Ledger], sampling: Sampling) -> None:
        self._replies = replies
        self._sampling = sampling
        self._clock = clock
        self._events, self._ledger = told

    async def fresh(self, story: Story) -> KeptReply | None:
        """Before anybody is asked."""
        if story.key is None or not story.rules.gives_again or not may_give(story.ask, story.rules, story.task_named):
            return None
        kept = await self._found(story, Age.FRESH)
        self._events.count("replies", "hit" if kept is not None else "miss")
        return kept

    async def stale(self, story: Story, *, or_fresh_only: bool = False) -> KeptReply | None:
        """When nobody answered: better than nothing."""
        if story.key is None or not may_give(story.ask, story.rules, story.chosen.task):
            return None
        return await self._found(story, Age.FRESH if or_fresh_only else Age.STALE)

    async def _found(self, story: Story, oldest: Age) -> KeptReply | None:
        assert story.key is not None, "asked before"
        now_ms = self._clock.now_ms()
        tenant = owner(story.caller, story.rules)
        kept = await self._replies.get(story.key, tenant)
        if kept is None:
            kept = await self._near(story, tenant, oldest)
        if kept is None or age(kept, now_ms) is Age.GONE:
            return None
        return kept if oldest is Age.STALE or age(kept, now_ms) is Age.FRESH else None

    async def _near(self, story: Story, tenant: str, oldest: Age) -> KeptReply | None:
        similar = story.rules.policy.replies.similar
        if similar.mode not in ("use", "stale") or (oldest is Age.FRESH and similar.mode == "stale"):
            return None
        question = fingerprint(story.ask, story.caller, story.rules, _rule_name(story))
        return None if question is None else await self._replies.near(question, tenant, similar.threshold)

    def shared(self, story: Story, ended: Ended) -> Ended:
        """A stream that others may read, and that is kept when it has come whole."""
        if not story.ask.facts.stream or ended.stop is not None:
            return ended
        running = ended.answered
        if running.whole:  # it was held back until it was whole
            self.keep(story, running, running.whole)
            return ended if story.key is None else msgspec.structs.replace(ended, shared=SharedStream(running))
        samples = self._sampling.wants(story)
        if story.key is None and not samples:
            return ended
        stream = SharedStream(running, lambda runs: self.keep_stream(story, running, runs, samples=samples))
        return msgspec.structs.replace(ended, shared=stream)

    def keep(self, story: Story, running: Running, body: bytes) -> None:
        """An answer that came whole: for those who will ask the same, and for those who learn from it."""
        if self._sampling.wants(story):
            self._sampling.take(story, running, body)
        self._keep(story, running, body)

    def _keep(self, story: Story, running: Running, body: bytes) -> None:
        reply, outcome = running.reply, running.outcome
        if story.key is None or reply is None or outcome is None or outcome.kind is not OutcomeKind.ANSWERED:
            return
        question = self._likened(story, body)
        keep = may_keep(story.ask, reply, body, story.rules, story.chosen.task)
        if keep is None or _is_broken(story, body):
            return
        now_ms = self._clock.now_ms()
        fresh_ms, stale_ms = until_ms(keep, now_ms)
        kept = KeptReply(
            tenant=owner(story.caller, story.rules),
            body=body,
            model=reply.model,
            tier=running.row.tier,
            task=story.chosen.task,
            made_ms=now_ms,
            fresh_ms=now_ms if _is_second_best(story, running) else fresh_ms,
            stale_ms=stale_ms,
        )
        self._replies.put(story.key, kept, question)

    def _likened(self, story: Story, body: bytes) -> Fingerprint | None:
        """What nearly the same question would be known by, where the policy wants to know."""
        mode = story.rules.policy.replies.similar.mode
        if mode == "off" or story.task.personal:
            return None
        question = fingerprint(story.ask, story.caller, story.rules, _rule_name(story))
        if mode != "observe" or question is None:
            return question
        task = story.chosen.task
        exact = is_exact(story.ask, story.rules, task)
        note = observed(question, body, story.caller, task, exact, self._clock.now_ms())
        if note is not None:
            self._ledger.note(note)
        return None

    def keep_stream(self, story: Story, running: Running, runs: list[bytes], *, samples: bool) -> None:
        """The same of a stream, once it has ended."""
        observes = story.rules.policy.replies.similar.mode == "observe"
        keeps = story.key is not None and (observes or keep_of(story.rules, story.chosen.task) is not None)
        if not samples and not keeps:
            return
        assembler = Assembler()
        try:
            assembler.add_all(b"".join(runs))
            body = assembler.message()
        except WireError:
            return  # what was passed on as it came need not make sense to us
        if samples:
            self._sampling.take(story, running, body)
        self._keep(story, running, body)

    def again(self, story: Story, ended: Ended, kept: KeptReply, by: str) -> Served:
        """A kept answer. Its usage is what it cost when it was made; now it costs nothing."""
        now_ms = self._clock.now_ms()
        seconds = int(age_s(kept, now_ms))
        self.note(story, ended, kept.model, by)
        headers = [
            *_labels(story, ended, kept.model, by),
            ("age", str(seconds)),
            ("cache-status", "tierwise; hit" if by == "cache" else "tierwise; hit; detail=stale"),
            ("x-router-cost-usd", usd_of(story, ended)),
        ]
        receipt = None
        if story.ask.door is Door.COMPLETE:
            receipt = self._receipt(story, ended, by) | {"model": kept.model, "tier": kept.tier, "age_s": seconds}
        return written(story, kept.body, headers, receipt)

    def canned(self, story: Story, ended: Ended, text: str) -> Served:
        self.note(story, ended, "router/canned", "canned")
        message = msgspec.json.encode(refusing.canned_message(text, story.caller.request_id))
        receipt = None
        if story.ask.door is Door.COMPLETE:
            receipt = refusing.canned_receipt(story, ended, self._clock.monotonic())
        return written(story, message, _labels(story, ended, "router/canned", "canned"), receipt)

    def note(self, story: Story, ended: Ended, model: str, role: str) -> None:
        """Its row: who got what, at no cost."""
        row = story.row(
            attempt_id=self._clock.new_id("att"),
            number=len(ended.attempts) + 1,
            model=model,
            tier=story.chosen.tier,
            at_ms=self._clock.now_ms(),
        )
        self._ledger.settle(msgspec.structs.replace(row, role=role, outcome=role, billed="void"))

    def _receipt(self, story: Story, ended: Ended, by: str) -> dict[str, object]:
        now_s = self._clock.monotonic()
        why = [] if ended.stop is None else [f"no model answered: {ended.stop.reason}"]
        return {
            **serving.choice_words(story),
            "attempts": [serving.attempt_words(attempt) for attempt in ended.attempts],
            "served_by": by,
            "outcome": by,
            "degraded": by == "stale",
            "warnings": why,
            "cost_usd": usd_of(story, ended),
            "cost_exact": all(attempt.cost.exact for attempt in ended.attempts),
            "saved_usd": "0",
            "usage": msgspec.structs.asdict(Usage()),
            "timing": serving.timing(story, ended.last, now_s),
        }


def chosen_again(story: Story, kept: KeptReply, now_ms: int) -> Story:
    """The story of a request that an answer is known to."""
    reason = f"an equal request was answered {int(age_s(kept, now_ms))} s ago"
    rule = story.rule.name if story.rule is not None else None
    choice = Choice(tier=kept.tier, model=kept.model, task=kept.task, reason=reason, rule=rule)
    return msgspec.structs.replace(story, choice=choice)


def written(story: Story, body: bytes, headers: list[tuple[str, str]], receipt: dict[str, object] | None) -> Served:
    """A whole message as its caller wants it: whole, or as the events of a stream."""
    if story.ask.facts.stream:
        return Served(status=200, headers=(*SSE, *headers), chunks=_streamed(body, receipt))
    if receipt is not None:
        body = with_router(body, msgspec.json.encode(receipt))
    return Served(status=200, headers=(JSON, *headers), body=body)


async def _streamed(body: bytes, receipt: dict[str, object] | None) -> AsyncGenerator[bytes, None]:
    own_words = b"" if receipt is None else router_event(receipt)
    if own_words:
        yield own_words
    for frame in frames_of(body):
        yield frame
    if own_words:
        yield own_words


def router_event(fields: dict[str, object]) -> bytes:
    return encode("router", msgspec.json.encode({"type": "router", **fields}))


def usd_of(story: Story, ended: Ended) -> str:
    return usd(serving.spent_pico(story, ended))


def _labels(story: Story, ended: Ended, model: str, by: str) -> list[tuple[str, str]]:
    return [
        ("x-router-model", model),
        ("x-router-task", story.chosen.task),
        ("x-router-reason", serving.ascii_words(story.chosen.reason)),
        ("x-router-attempts", str(len(ended.attempts))),
        ("x-router-served-by", by),
        ("x-router-fallback", "none" if by == "cache" else by),
    ]


def _is_broken(story: Story, body: bytes) -> bool:
    """Is it not the JSON that its task promises? A stream had left before anybody could look."""
    if story.ask.door is not Door.COMPLETE or story.ask.facts.has_format:
        return False
    return broken(story.task.output, body, story.rules.contracts.get(story.chosen.task)) is not None


def _is_second_best(story: Story, running: Running) -> bool:
    """What a lower tier answered in need, or nobody stands behind, is better than nothing, and no more than that."""
    return story.saved or running.doubt is not None or _is_lower(running.row.tier, story)


def _is_lower(tier: str | None, story: Story) -> bool:
    order, chosen = story.rules.tier_order, story.chosen.tier
    return tier is not None and chosen is not None and order.index(tier) < order.index(chosen)


def _rule_name(story: Story) -> str | None:
    return story.rule.name if story.rule is not None else None
