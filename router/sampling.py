"""Some requests are kept with their text, to measure tiers by them: only where the policy says so, and a share of them.

Rule: trunk. What is personal, and what a caller does not want remembered, is never kept.
"""

from __future__ import annotations

from .attempt import Running
from .gating import GATE
from .ports import Clock, Samples
from .story import Story
from .vocabulary import OutcomeKind, Sampled
from .wire.edit import apply


class Sampling:
    """One per process."""

    def __init__(self, samples: Samples, clock: Clock) -> None:
        self._samples = samples
        self._clock = clock

    def wants(self, story: Story) -> bool:
        """Is this one of those that are kept? Asked once a call: it throws the dice."""
        share = story.rules.policy.sampling.keep
        if not share or story.task.personal or story.ask.words.cache == "off":
            return False
        return self._clock.dice() < share

    def take(self, story: Story, running: Running, body: bytes) -> None:
        outcome, row = running.outcome, running.row
        if outcome is None or outcome.kind is not OutcomeKind.ANSWERED:
            return
        rules = story.rules.policy.sampling
        # What the gate said is its own guess: it must not learn from that.
        verdict = None if story.verdict is None or story.verdict.source == GATE else story.verdict
        sampled = Sampled(
            request_id=story.caller.request_id,
            at_ms=story.started_ms,
            tenant=story.caller.tenant,
            feature=story.ask.words.feature,
            door=story.ask.door.value,
            task=story.chosen.task,
            tier=row.tier,
            model=row.model,
            policy_hash=story.rules.hash,
            verdict_task=None if verdict is None else verdict.task,
            verdict_difficulty=None if verdict is None or verdict.difficulty is None else verdict.difficulty.value,
            body=apply(story.ask, ()),
            answer=body,
            cost_pico=running.cost.pico,
            latency_ms=row.latency_ms,
        )
        self._samples.keep(sampled, rules.keep_days, rules.max_mb)
