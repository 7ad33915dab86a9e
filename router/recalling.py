"""Step 2, recall: which policy serves the request, which of its rules it meets, which model its conversation is on.

Rule: trunk. The text is read only when a rule asks something of it, and is never kept: what stays are the
questions and their answers.
"""

from __future__ import annotations

from .caching import Caches, path_of
from .decide import pin, tier
from .decide.policy import Rule, Rulebook
from .decide.replies import reply_key
from .decide.rules import TEXT_CHARS_MAX, OfText, Sight, first_match
from .decide.warmth import Mood
from .ports import Clock, Pin, Pins, Steering
from .story import Story
from .vocabulary import Ask, Caller, Edit
from .wire.ask import question_text
from .wire.varying import moved


class Texts:
    """What rules ask of a request's text: read once, each question answered once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._text: str | None = None
        self._answers: dict[str, bool] = {}

    def says(self, asked: OfText) -> bool:
        if asked.digest not in self._answers:
            if self._text is None:
                self._text = question_text(self._ask, TEXT_CHARS_MAX)
            self._answers[asked.digest] = asked.holds(self._text)
        return self._answers[asked.digest]

    @property
    def answers(self) -> tuple[tuple[str, bool], ...]:
        return tuple(self._answers.items())


class Recalling:
    """Begins a request's story."""

    def __init__(self, *, steering: Steering, pins: Pins, caches: Caches, clock: Clock) -> None:
        self._steering = steering
        self._pins = pins
        self._caches = caches
        self._clock = clock

    def recall(self, ask: Ask, caller: Caller) -> Story:
        steered = self._steering.steer(ask, caller)
        rules = steered.rules
        texts = Texts(ask)
        rule = first_match(rules.matchers, sight(ask, caller, texts)) if rules.matchers else None
        task = tier.task_named(ask.words, rules)
        lane = pin.lane(ask.facts, ask.words)
        pinned = self._pinned(lane, caller, rules)
        moved_lines = _moved(ask, rules)
        return Story(
            ask=ask,
            caller=caller,
            rules=rules,
            started_s=self._clock.monotonic(),
            started_ms=self._clock.now_ms(),
            candidate=steered.candidate,
            shadow=steered.shadow,
            rule=rule,
            texts=texts.answers,
            task_named=task or (rule.task if rule is not None else None),
            key=None if caller.job else _key(ask, caller, rules, rule),
            lane=lane,
            pinned=None if pinned is None else pinned.tier,
            last_message=None if pinned is None else pinned.message_id,
            mood=Mood() if pinned is None else Mood(calm=pinned.calm, came_down=pinned.came_down),
            moved=moved_lines,
            path=path_of(ask, rules, moved_lines),
            look=self._caches.look,
            was_on=self._caches.was_on,
        )

    def _pinned(self, lane: str | None, caller: Caller, rules: Rulebook) -> Pin | None:
        if lane is None or not rules.policy.sticky.enabled:
            return None
        return self._pins.get(caller.tenant, lane)


def _key(ask: Ask, caller: Caller, rules: Rulebook, rule: Rule | None) -> bytes | None:
    """Only where answers are kept or shared: it is a digest of the whole body."""
    replies = rules.policy.replies
    if not (replies.single_flight or replies.stale_s or rules.gives_again):
        return None
    return reply_key(ask, caller, rules, None if rule is None else rule.name)


def _moved(ask: Ask, rules: Rulebook) -> Edit | None:
    """The lines that vary, behind the rest of the system text; where the caller marked it, it is left alone."""
    if rules.varying is None or not ask.facts.system_bytes or ask.facts.marks:
        return None
    return moved(ask.fields["system"], rules.varying.search)


def sight(ask: Ask, caller: Caller, texts: Texts) -> Sight:
    """What rules may look at."""
    return Sight(facts=ask.facts, words=ask.words, tenant=caller.tenant, headers=ask.sent_headers, says=texts.says)
