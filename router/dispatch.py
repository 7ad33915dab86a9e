"""Walks the ladder: asks decide/fallback.py what to do, does it, and tells it what happened.

Rule: trunk. No decision lives here; the loop is the whole of it. How one call is made: sending.py.
"""

from __future__ import annotations

import msgspec

from .affording import Affording
from .agreeing import Agreeing
from .attempt import Running
from .caching import Caches
from .continuing import Continuing
from .decide.fallback import Send, Serve, Spell, Stop, Terms, Tried, give_up, next_move, patience_s
from .decide.ladder import Rung
from .dress import dress
from .furthering import Furthering
from .ports import Clock, Gates, Pass, Want
from .sending import SHARE_TO_WAIT, Sending, input_tokens, judged, worst
from .sharing import SharedStream
from .story import Story
from .vocabulary import UNSENT, Billed, Dressed, Outcome, OutcomeKind, Workload

DOUBTED = Outcome(kind=OutcomeKind.DISAGREED, status=200, billed=Billed.SETTLED)
Way = tuple[tuple[Tried, ...], tuple[Rung, ...], Terms]  # as far as it went, and what decides how it goes on


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the walk ended: with an answer (`stop` is None), or with a reason to stop."""

    attempts: tuple[Running, ...]
    stop: Stop | None = None
    served: int = -1  # which attempt answered
    serves: int | None = None  # which one's answer may still be served, where the walk stopped
    shut: Outcome | None = None  # why a gate was shut, where that came last
    shared: SharedStream | None = None  # the answer, while it runs and others may read it too
    host: Running | None = None  # another request's attempt that answers this one too

    @property
    def last(self) -> Running | None:
        return self.attempts[self.served] if self.attempts else self.host

    @property
    def answered(self) -> Running:
        """The attempt that answered; only where `stop` is None."""
        assert self.stop is None, "the walk ended with an answer"
        return self.attempts[self.served] if self.host is None else self.host


class Dispatch:
    """Makes the moves. One per process; it holds no state of any request."""

    def __init__(self, *, sending: Sending, gates: Gates, affording: Affording, caches: Caches, clock: Clock) -> None:
        self._sending = sending
        self._affording = affording
        furthering = Furthering(sending=sending, gates=gates, affording=affording, clock=clock)
        self._continuing = Continuing(furthering)
        self._agreeing = Agreeing(furthering, caches.events)
        self._gates = gates
        self._caches = caches
        self._clock = clock

    async def walk(self, story: Story, rungs: tuple[Rung, ...], first: Dressed, made: list[Running]) -> Ended:
        """From the first rung to an answer, or to the reason why there is none. `made` grows on the way."""
        tried: tuple[Tried, ...] = ()
        terms, clock = terms_of(story), self._clock
        while True:
            spell = Spell(story.left_s(clock.monotonic()), story.whole_s)
            move = next_move(tried, rungs, terms, spell, clock.dice())
            if not isinstance(move, Send):
                return _ended(move if isinstance(move, Stop) else move.attempt, made, tried)
            dear = self._too_dear(story, rungs, move, made)
            if dear is not None:
                end = give_up(tried, terms, dear)
                return _ended(end if isinstance(end, Stop) else end.attempt, made, tried)
            if move.wait_s > 0:
                await clock.sleep(move.wait_s)
            dressed = first if move.rung == 0 else dress(story, rungs[move.rung])
            left_s = story.left_s(clock.monotonic())
            if dressed.caching is not None and await self._caches.herds.wait(story, dressed, left_s):
                dressed = dress(story, rungs[move.rung])  # what it waited for is warm now
            elsewhere = len({step.rung for step in tried} | {move.rung}) < len(rungs)
            passed = await self._enter(story, dressed, (move.cost, elsewhere), made)
            if not isinstance(passed, Outcome):
                patience = patience_s(tried, rungs, terms, Spell(story.left_s(clock.monotonic()), story.whole_s))
                doubted = (*tried, Tried(move.rung, DOUBTED)), rungs, terms
                passed = await self._attempt(story, dressed, (passed, patience), made, doubted)
            tried = (*tried, Tried(move.rung, passed))

    async def _attempt(
        self, story: Story, dressed: Dressed, leave: tuple[Pass, float], made: list[Running], doubted: Way
    ) -> Outcome:
        """One call, and what its task wants done about its answer: how that ended."""
        running = await self._sending.attempt(story, dressed, leave, made)
        if story.task.continuations:
            await self._continuing.finish(story, dressed, running, made)
        outcome = judged(story, running)
        # Where a doubtful answer would be served all the same, nobody pays for a doubt.
        if story.task.agree is not None and not self._is_served(story, doubted):
            outcome = await self._agreeing.judged(story, running, outcome, made)
        return outcome

    def _is_served(self, story: Story, way: Way) -> bool:
        """Would the way end here, with the answer that there is?"""
        tried, rungs, terms = way
        spell = Spell(story.left_s(self._clock.monotonic()), story.whole_s)
        return isinstance(next_move(tried, rungs, terms, spell, 0.0), Serve)

    async def _enter(
        self, story: Story, dressed: Dressed, terms: tuple[float, bool], made: list[Running]
    ) -> Pass | Outcome:
        """Its turn at the model. `terms` are what the call costs in the retry budget, and if another could be asked."""
        cost, elsewhere = terms
        left_s = story.left_s(self._clock.monotonic())
        want = Want(
            model=dressed.model,
            workload=story.ask.words.workload.value,
            input_tokens=input_tokens(story, dressed),
            within_s=left_s * SHARE_TO_WAIT,
            cost=cost,
            elsewhere=elsewhere,
            stands_in=dressed.model != story.chosen.model,
            # A continuation and a witness are no steps: what is mended is the last step's failure.
            charge=next((running.row.model for running in reversed(made) if not running.continues), ""),
        )
        return await self._gates.enter(want, story.rules)

    def _too_dear(self, story: Story, rungs: tuple[Rung, ...], move: Send, made: list[Running]) -> str | None:
        """Why this attempt may not be paid for. What was tried before may have been billed too."""
        if not made and move.rung == 0:
            return None  # afforded already
        if story.ask.words.max_cost_pico is None and story.hold is None:
            return None
        spent = sum(running.cost.pico for running in made)
        return self._affording.more(story, spent + worst(story, dress(story, rungs[move.rung])))


def terms_of(story: Story) -> Terms:
    """What the policy says for this request, from the nearest to the farthest."""
    rules, words = story.rules.policy.fallbacks, story.ask.words
    on = (story.task.on, rules.workloads.get(words.workload.value, {}), rules.on)
    puts_off = story.can_wait and rules.attempts > 0
    return Terms(
        rules=rules,
        on=tuple(reactions for reactions in on if reactions),
        puts_off=puts_off and words.workload is not Workload.INTERACTIVE and words.fallback in ("auto", "defer"),
        asks_to_put_off=puts_off and words.fallback == "defer",
    )


def _ended(end: Stop | int, made: list[Running], tried: tuple[Tried, ...]) -> Ended:
    last = tried[-1].outcome if tried else None
    shut = last if last is not None and last.kind in UNSENT else None
    if isinstance(end, Stop):
        serves = None if end.serves is None else _place(end.serves, made)
        return Ended(attempts=tuple(made), stop=end, shut=shut, serves=serves)
    return Ended(attempts=tuple(made), served=_place(end, made))


def _place(attempt: int, made: list[Running]) -> int:
    """Where the attempt is among all that were made: a continuation is a call, but no step of the ladder."""
    steps = [place for place, running in enumerate(made) if not running.continues]
    return steps[attempt]
