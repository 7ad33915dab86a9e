"""One request's story so far: what every later step may look up, and the ledger row it fills in.

Rule: trunk (pipeline, dispatch, attempt, relay, serving, dress): it knows decide, wire, ports,
vocabulary and errors; never an edge, never the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import msgspec

from .decide.choosing import Known
from .decide.policy import CacheRules, Rule, Rulebook, Task
from .decide.spend import Account
from .decide.warmth import Mood
from .vocabulary import Ask, Caller, Choice, Door, Edit, LedgerRow, Path, Scope, Verdict, Warmth
from .vocabulary import Known as KnownPrefixes

# The Messages API's own ceiling: what its clients wait for when nobody says otherwise.
API_TIMEOUT_S = 600.0
# Of a client's own timeout: for the answer to reach it.
ON_THE_WAY_S = 1.0


class Story(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A request from the moment it was read. It keeps the policy it began with.

    What is worked out again and again of the same facts is kept in its dict; a story that goes on begins without it.
    """

    ask: Ask
    caller: Caller
    rules: Rulebook
    started_s: float  # monotonic
    started_ms: int  # wall clock
    candidate: bool = False  # the candidate of a rollout serves it
    shadow: Rulebook | None = None  # a candidate that only decides beside it
    rule: Rule | None = None  # the policy's rule that it meets
    texts: tuple[tuple[str, bool], ...] = ()  # what rules asked of the text, and the answers
    task_named: str | None = None  # by the caller, else by the rule
    lane: str | None = None  # the conversation's name in memory
    pinned: str | None = None  # the tier that the conversation is on
    mood: Mood = Mood()
    key: bytes | None = None  # of its answer, where it may be given again or shared
    last_message: str | None = None  # the id of the answer before, where it is remembered
    warmth: tuple[Warmth, ...] = ()  # which models have the prompt in their cache
    verdict: Verdict | None = None
    verdict_s: float = 0.0  # how long listening took
    verdict_pico: int = 0  # what it cost this request
    choice: Choice | None = None
    moved: Edit | None = None  # of the system text: the lines that vary, behind the rest
    path: Path | None = None  # the prompt as the cache sees it; None: too short to be cached
    was_on: Callable[[str, Path], frozenset[str]] | None = None  # the models that its prefixes were sent to last
    look: Callable[[Scope, Path], KnownPrefixes] | None = None  # what is known of it
    pots: tuple[Account, ...] = ()  # the budgets that it draws from
    hold: object = None  # what is held of them
    saved: bool = False  # money was too short for the tier that it should have had
    broke: str | None = None  # why a canned reply answers: a budget is spent

    @property
    def known(self) -> Known:
        return Known(
            facts=self.ask.facts,
            rule=self.rule,
            task=self.task_named,
            pinned=self.pinned,
            mood=self.mood,
            warmth=self.warmth,
        )

    @property
    def chosen(self) -> Choice:
        assert self.choice is not None, "choose comes before this step"
        return self.choice

    @property
    def task(self) -> Task:
        return self.rules.tasks[self.chosen.task]

    @property
    def fields(self) -> Mapping[str, msgspec.Raw]:
        """The body, with the system text as it will be sent."""
        if self.moved is None or self.moved.value is None:
            return self.ask.fields
        return {**self.ask.fields, self.moved.key: self.moved.value}

    @property
    def cache_rules(self) -> CacheRules:
        """Where the caller set a limit for what it may cost, nothing is written at the price of an hour."""
        rules = self.rules.policy.cache
        if self.ask.words.max_cost_pico is not None and rules.longest != "5m":
            return msgspec.structs.replace(rules, longest="5m")
        return rules

    @property
    def may_write_1h(self) -> bool:
        rules = self.cache_rules
        return self.path is not None and rules.marks == "auto" and rules.longest == "1h"

    @cached_property
    def whole_s(self) -> float:
        """How long the caller waits, at most: the least of what he, his client and the policy say."""
        own_s = self.ask.words.deadline_s
        least_s = self._policy_s if own_s is None else min(own_s, self._policy_s)
        if self.ask.facts.stream and not self._comes_at_once:
            return least_s  # his client's timeout only limits the gaps
        return min(least_s, self._client_s)

    @property
    def first_byte_s(self) -> float:
        """For so long his client waits for a stream to begin."""
        return self._client_s if self.ask.facts.stream else API_TIMEOUT_S

    @property
    def _comes_at_once(self) -> bool:
        return self.buffers if self.choice is not None else self.ask.words.buffered

    @property
    def _client_s(self) -> float:
        waits_s = self.ask.words.client_timeout_s
        return API_TIMEOUT_S if waits_s is None else max(waits_s - ON_THE_WAY_S, waits_s / 2)

    @property
    def _policy_s(self) -> float:
        if self.ask.door is Door.MESSAGES:
            return API_TIMEOUT_S
        timeout_s = self.task.timeout_s if self.choice is not None else None
        return timeout_s or self.rules.deadline_s[self.ask.words.workload.value]

    @cached_property
    def buffers(self) -> bool:
        """Is a stream held back until it is whole?"""
        if self.ask.words.buffered or self.task.continuations or self.task.agree is not None:
            return True
        of_task = self.task.buffered
        return self.rules.policy.fallbacks.buffered if of_task is None else of_task

    @property
    def shares(self) -> bool:
        """May an equal request's call answer it too? Where its task is not known yet, none may be personal."""
        if self.key is None or not self.rules.policy.replies.single_flight:
            return False
        if self.task_named is not None:
            return not self.rules.tasks[self.task_named].personal
        return not self.rules.has_personal

    @property
    def can_wait(self) -> bool:
        """Could it be put off, and answered later?"""
        return self.ask.door is Door.COMPLETE and self.rules.policy.jobs.enabled and not self.caller.job

    @property
    def prefix(self) -> str:
        facts = self.ask.facts
        return facts.prefix_fingerprint if facts.tools_bytes or facts.system_bytes else ""

    @cached_property
    def until_s(self) -> float:
        return self.started_s + self.whole_s

    def left_s(self, now_s: float) -> float:
        return self.until_s - now_s

    def row(self, *, attempt_id: str, number: int, model: str, tier: str | None, at_ms: int) -> LedgerRow:
        """The intent of an attempt; what it may cost and how it ended are filled in later."""
        words = self.ask.words
        return LedgerRow(
            attempt_id=attempt_id,
            request_id=self.caller.request_id,
            at_ms=at_ms,
            number=number,
            door=self.ask.door.value,
            tenant=self.caller.tenant,
            session=words.session,
            user=words.user,
            feature=words.feature,
            task=self.chosen.task,
            workload=words.workload.value,
            tier=tier,
            model=model,
            reason=self.chosen.reason,
            policy_hash=self.rules.hash,
            prices_hash=self.rules.prices.hash,
            prefix=self.prefix,
        )
