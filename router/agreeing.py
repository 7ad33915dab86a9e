"""A second opinion: a cheap answer is held against another cheap one, and only where they agree is it served.

Rule: trunk. Whether two answers agree says decide/agreement.py; what follows when they do not says decide/fallback.py.
"""

from __future__ import annotations

import msgspec

from .attempt import Running
from .decide.agreement import agree
from .decide.ladder import Rung
from .decide.policy import Agree
from .decide.sameness import may_act
from .dress import dress
from .errors import RequestError
from .furthering import Furthering
from .ports import Events
from .story import Story
from .vocabulary import Outcome, OutcomeKind

CHECK = "check"  # the role of a call whose answer is only held against another
ALONE = "a second opinion was not to be had"
DIFFERS = "a second cheap answer says something else"
LABELS = {None: "agreed", DIFFERS: "differs", ALONE: "alone"}


def checks(story: Story, running: Running) -> Agree | None:
    """What the answer must be held against; None where it is served as it is.

    What acts outside is never asked twice: it would act twice. Tools that the caller runs are only proposed.
    """
    wanted = story.task.agree
    if wanted is None or story.chosen.named_by_caller or not running.whole:
        return None
    tier = wanted.tier or story.rules.tier_order[0]
    return wanted if running.row.tier == tier and not may_act(story.ask) else None


class Agreeing:
    """One per process; it holds no state of any request."""

    def __init__(self, furthering: Furthering, events: Events) -> None:
        self._furthering = furthering
        self._events = events

    async def judged(self, story: Story, running: Running, outcome: Outcome, made: list[Running]) -> Outcome:
        """The outcome, or that the answer is doubtful: the walk goes on then."""
        wanted = checks(story, running)
        if wanted is None or outcome.kind is not OutcomeKind.ANSWERED:
            return outcome
        running.doubt = await self._doubt(story, running, wanted, made)
        self._events.count("agreement", LABELS[running.doubt])
        if running.doubt is None:
            return outcome
        return msgspec.structs.replace(outcome, kind=OutcomeKind.DISAGREED)

    async def _doubt(self, story: Story, running: Running, wanted: Agree, made: list[Running]) -> str | None:
        try:
            dressed = dress(story, _rung(story, wanted))
        except RequestError:  # the model does not take this request
            return ALONE
        second = await self._furthering.call(story, dressed, made, role=CHECK)
        if second is None or second.outcome is None or second.outcome.kind is not OutcomeKind.ANSWERED:
            return ALONE
        return None if agree(wanted.compare, running.whole, second.whole) else DIFFERS


def _rung(story: Story, wanted: Agree) -> Rung:
    """The second opinion's model: it stands for no tier of the ladder."""
    rules = story.rules
    tier = rules.policy.tiers.get(wanted.second)
    return Rung(rules.ids[tier.model if tier is not None else wanted.second], wanted.second if tier else None)
