"""Past requests under another policy: where each would have gone, and what that would have cost.

Rule: pure, and never a guess: what would need a text or a verdict that nobody kept is counted as unknown,
with the reason. Costs are the tokens that were used at the exact price of the model that would have been
asked; what a request would have used there is not known, and the report says so.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ..errors import RequestError
from ..vocabulary import Choice, Decided, Usage, Verdict
from . import pin
from .choosing import NOBODY, Known, choose, wants_verdict
from .policy import Rule, Rulebook
from .price import cost
from .rules import OfText, Sight, first_match
from .tier import task_named
from .warmth import Mood, mood_after

DAY_MS = 86_400_000
CALMLESS = Mood()
LANES_MAX = 200_000
REASONS_MAX = 1_000
# What a coding harness tells of its request is always kept; of another header it is known whether it was
# there only when a rule of the policy of that day looked at it.
HINTS = frozenset({"x-claude-code-request-class", "x-claude-code-agent-type"})
NO_VERDICT = "needs a verdict that was not asked for then"
NO_TEXT = "needs the text, which is not kept"
NO_HEADER = "needs a header that was not kept"


class NotKept(Exception):
    """The decision would need something that is not in the ledger."""


class Side(msgspec.Struct, kw_only=True):
    """One policy's part of the comparison."""

    by_tier: Counter[str] = msgspec.field(default_factory=Counter)
    pico_by_tier: Counter[str] = msgspec.field(default_factory=Counter)
    pico_by_day: Counter[int] = msgspec.field(default_factory=Counter)

    @property
    def pico(self) -> int:
        return sum(self.pico_by_tier.values())

    def add(self, tier: str, day: int, pico: int) -> None:
        self.by_tier[tier] += 1
        self.pico_by_tier[tier] += pico
        self.pico_by_day[day] += pico


class Move(msgspec.Struct, kw_only=True):
    """Requests that go from one place to another, for one reason."""

    requests: int = 0
    before_pico: int = 0
    after_pico: int = 0


class Spent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an answer used and cost, from the ledger."""

    usage: Usage
    pico: int  # of every attempt of the request
    answered: bool


class Lane(NamedTuple):
    """A conversation, as the replay has it."""

    tier: str
    until_ms: float
    mood: Mood


class Replay:
    """Adds up what a policy would have done. Feed it in the order of time."""

    def __init__(self, rules: Rulebook) -> None:
        self.rules = rules
        self.requests = 0
        self.before = Side()
        self.after = Side()
        self.unknown: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.moves: dict[tuple[str, str, str], Move] = {}
        self._lanes: OrderedDict[tuple[str, str], Lane] = OrderedDict()

    @property
    def known(self) -> int:
        return self.requests - self.unknown.total() - self.refused.total()

    @property
    def moved(self) -> int:
        return sum(move.requests for move in self.moves.values())

    def add(self, past: Decided, spent: Spent) -> None:
        self.requests += 1
        try:
            choice = self._decide(past)
        except NotKept as missing:
            self.unknown[str(missing)] += 1
            self._forget(past)
            return
        except RequestError as refused:
            self.refused[refused.message if len(self.refused) < REASONS_MAX else "(others)"] += 1
            return
        self._remember(past, choice)
        self._count(past, choice, spent)

    def _decide(self, past: Decided) -> Choice:
        rule = self._rule(past)
        task = task_named(past.words, self.rules) or (rule.task if rule is not None else None)
        pinned, mood = self._pinned(past)
        known = Known(facts=past.facts, rule=rule, task=task, pinned=pinned, mood=mood, warmth=past.warmth)
        if not wants_verdict(known, self.rules):
            return choose(known, None, self.rules)
        return choose(known, self._verdict(past.verdict), self.rules)

    def _rule(self, past: Decided) -> Rule | None:
        if not self.rules.matchers:
            return None
        texts = dict(past.texts)

        def says(asked: OfText) -> bool:
            answer = texts.get(asked.digest)
            if answer is None:
                raise NotKept(NO_TEXT)
            return answer

        headers = _KeptHeaders(past.headers)
        sight = Sight(facts=past.facts, words=past.words, tenant=past.tenant, headers=headers, says=says)
        return first_match(self.rules.matchers, sight)

    def _verdict(self, verdict: Verdict | None) -> Verdict:
        """The one of that day: also one that did not come in time. Raises NotKept."""
        if verdict is None or verdict.source == "skipped":
            raise NotKept(NO_VERDICT)
        if verdict.difficulty is not None and verdict.task not in self.rules.tasks:
            raise NotKept(f"the verdict of that day names the task {verdict.task}, which this policy has not")
        return verdict

    def _pinned(self, past: Decided) -> tuple[str | None, Mood]:
        """Where this policy has put the conversation, or where it was when the replay came upon it."""
        lane = pin.lane(past.facts, past.words) if self.rules.policy.sticky.enabled else None
        if lane is None:
            return None, CALMLESS
        kept = self._lanes.get((past.tenant, lane))
        if kept is None:
            pinned = past.pinned if past.pinned in self.rules.policy.tiers else None
            return pinned, Mood(calm=past.calm, came_down=past.came_down)
        return (kept.tier, kept.mood) if past.at_ms < kept.until_ms else (None, CALMLESS)

    def _remember(self, past: Decided, choice: Choice) -> None:
        lane = pin.lane_to_open(past.facts, past.words)
        if lane is None or choice.tier is None or choice.named_by_caller or not self.rules.policy.sticky.enabled:
            return
        key = (past.tenant, lane)
        mood = self._mood_after(past, choice)
        self._lanes[key] = Lane(choice.tier, past.at_ms + self.rules.policy.sticky.idle_s * 1000, mood)
        self._lanes.move_to_end(key)
        if len(self._lanes) > LANES_MAX:
            self._lanes.popitem(last=False)

    def _mood_after(self, past: Decided, choice: Choice) -> Mood:
        pinned, mood = self._pinned(past)
        return mood_after(mood, pinned, choice, self.rules)

    def _forget(self, past: Decided) -> None:
        lane = pin.lane_to_open(past.facts, past.words)
        if lane is not None:
            self._lanes.pop((past.tenant, lane), None)

    def _count(self, past: Decided, choice: Choice, spent: Spent) -> None:
        day = past.at_ms // DAY_MS
        before, after = past.tier or past.model, choice.tier or choice.model
        pico = self._pico(past, choice, spent)
        self.before.add(before, day, spent.pico)
        self.after.add(after, day, pico)
        if past.model == choice.model:
            return
        reason = choice.reason if len(self.moves) < REASONS_MAX else "(others)"
        move = self.moves.setdefault((before, after, reason), Move())
        move.requests += 1
        move.before_pico += spent.pico
        move.after_pico += pico

    def _pico(self, past: Decided, choice: Choice, spent: Spent) -> int:
        """The same cost on the same model, retries and all; else the tokens at the other model's price."""
        if past.model == choice.model:
            return spent.pico
        if not spent.answered or choice.model == NOBODY:
            return 0
        usage = msgspec.structs.replace(spent.usage, speed=None)
        return cost(usage, choice.model, self.rules.prices, past.at_ms).pico


class _KeptHeaders(Mapping[str, str]):
    """The headers that were kept; to ask for another one is to ask for what nobody knows."""

    def __init__(self, kept: Sequence[tuple[str, str]]) -> None:
        self._kept = dict(kept)

    def __getitem__(self, name: str) -> str:
        if name in self._kept:
            value = self._kept[name]
            if not value:
                raise KeyError(name)  # looked for, and not there
            return value
        if name in HINTS:
            raise KeyError(name)
        raise NotKept(NO_HEADER)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)
