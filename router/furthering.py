"""One call more within a request that has its answer already: to go on with it, or to hold it against another.

Rule: trunk. It is afforded, let through the gate and metered like any other; where it may not be made there is none.
"""

from __future__ import annotations

from .affording import Affording
from .attempt import Running
from .ports import Clock, Gates, Want
from .sending import SHARE_TO_WAIT, Sending, input_tokens, worst
from .story import Story
from .vocabulary import Dressed, Outcome


class Furthering:
    """One per process; it holds no state of any request."""

    def __init__(self, *, sending: Sending, gates: Gates, affording: Affording, clock: Clock) -> None:
        self._sending = sending
        self._affording = affording
        self._gates = gates
        self._clock = clock

    async def call(
        self, story: Story, dressed: Dressed, made: list[Running], said_tokens: int = 0, role: str = "answer"
    ) -> Running | None:
        """None where it would be too dear, or its turn would come too late. It is no step of the ladder."""
        left_s = story.left_s(self._clock.monotonic())
        spent = sum(call.cost.pico for call in made)
        if left_s <= 0 or self._affording.more(story, spent + worst(story, dressed)) is not None:
            return None
        want = Want(
            model=dressed.model,
            workload=story.ask.words.workload.value,
            input_tokens=input_tokens(story, dressed) + said_tokens,
            within_s=left_s * SHARE_TO_WAIT,
        )
        passed = await self._gates.enter(want, story.rules)
        if isinstance(passed, Outcome):
            return None
        more = await self._sending.attempt(story, dressed, (passed, left_s), made, role)
        more.continues = True
        return more
