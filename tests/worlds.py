"""A scripted world for the trunk: an upstream, books, a classifier and a clock that tests own.

Each fake is exact about its port; the real edges are held to the same stories in test_end_to_end.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from router.affording import Affording
from router.attempt import Attempts
from router.caching import Caches
from router.decide.policy import Rulebook
from router.dispatch import Dispatch
from router.gating import Gating
from router.given import Giving
from router.listening import Listening
from router.memory.pins import MemoryPins
from router.memory.prefixes import MemoryPrefixes
from router.memory.replies import MemoryReplies
from router.memory.spend import MemorySpend
from router.pipeline import Pipeline
from router.ports import Question, Steered, Upstream, Watched
from router.recalling import Recalling
from router.sampling import Sampling
from router.sending import Sending
from router.settling import Defers, Settling
from router.shadowing import Shadowing
from router.vocabulary import (
    Ask,
    Audit,
    Caller,
    Decided,
    LedgerRow,
    Observed,
    Sampled,
    Verdict,
)

from .rulebooks import default_rules
from .scripted import (
    NoJobs,
    OpenGates,
    ScriptedAnswer,
    ScriptedClock,
    ScriptedUpstream,
    answered,
    events,
    failed,
    message,
    streamed,
)

__all__ = [
    "OpenGates",
    "ScriptedAnswer",
    "ScriptedClock",
    "ScriptedUpstream",
    "World",
    "answered",
    "events",
    "failed",
    "message",
    "streamed",
]


class ListLedger:
    """The books as two lists."""

    def __init__(self) -> None:
        self.intents: list[LedgerRow] = []
        self.rows: list[LedgerRow] = []
        self.notes: list[Decided | Audit | Observed] = []

    def intend(self, row: LedgerRow) -> None:
        self.intents.append(row)

    def settle(self, row: LedgerRow) -> None:
        self.rows.append(row)

    def note(self, record: Decided | Audit | Observed) -> None:
        self.notes.append(record)


class SaidVerdict:
    """A classifier that always says the same."""

    def __init__(self, verdict: Verdict) -> None:
        self.questions: list[Question] = []
        self.then: Verdict | None = None  # from the second question on
        self._verdict = verdict

    async def listen(self, question: Question, _rules: Rulebook) -> Verdict:
        self.questions.append(question)
        return self.then if self.then is not None and len(self.questions) > 1 else self._verdict


class ListEvents:
    def __init__(self) -> None:
        self.requests: list[Mapping[str, object]] = []
        self.counts: list[tuple[str, str]] = []
        self.said: list[tuple[str, Mapping[str, object]]] = []

    def request(self, fields: Mapping[str, object]) -> None:
        self.requests.append(fields)

    def count(self, name: str, label: str = "") -> None:
        self.counts.append((name, label))

    def say(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))


class ListSamples:
    """Implements ports.Samples."""

    def __init__(self) -> None:
        self.kept: list[Sampled] = []

    def keep(self, sampled: Sampled, _days: int, _max_mb: int) -> None:
        self.kept.append(sampled)


class FixedSteering:
    """One policy for everybody, maybe with another in its shadow."""

    def __init__(self, rules: Callable[[], Rulebook]) -> None:
        self.shadow: Rulebook | None = None
        self.candidate = False
        self.watched: list[Watched] = []
        self.differences: list[tuple[str, bool | None, str]] = []
        self._rules = rules

    def steer(self, _ask: Ask, _caller: Caller) -> Steered:
        return Steered(rules=self._rules(), shadow=self.shadow, candidate=self.candidate)

    def watch(self, served: Watched) -> None:
        self.watched.append(served)

    def differed(self, shadow: str, differs: bool | None, words: str) -> None:
        self.differences.append((shadow, differs, words))


class World:
    """The trunk with everything around it scripted."""

    def __init__(
        self,
        *script: ScriptedAnswer | str,
        verdict: Verdict | None = None,
        rules: Callable[[], Rulebook] = default_rules,
        upstream: Upstream | None = None,
        jobs: Defers | None = None,
    ) -> None:
        self.clock = ScriptedClock()
        self.upstream = ScriptedUpstream(*script)
        self.ledger = ListLedger()
        self.events = ListEvents()
        silent = Verdict(task=None, difficulty=None, source="unavailable", detail="scripted")
        self.classifier = SaidVerdict(verdict or silent)
        self.pins = MemoryPins(self.clock)
        self.prefixes = MemoryPrefixes(self.clock)
        caches = self.caches = Caches(prefixes=self.prefixes, events=self.events, clock=self.clock)
        attempts = self.attempts = Attempts(upstream=upstream or self.upstream, ledger=self.ledger, clock=self.clock)
        self.gates = OpenGates()
        self.listening = Listening(attempts=attempts, gates=self.gates, clock=self.clock)
        self.replies = MemoryReplies(self.clock, 1_000_000, self.events)
        self.steering = FixedSteering(rules)
        self.spend = MemorySpend()
        self.warned: list[tuple[str, str]] = []
        affording = Affording(purse=self.spend, warn=lambda kind, words: self.warned.append((kind, words)))
        sending = Sending(attempts=attempts, caches=caches, clock=self.clock)
        self.samples = ListSamples()
        giving = Giving(
            replies=self.replies,
            clock=self.clock,
            told=(self.events, self.ledger),
            sampling=Sampling(self.samples, self.clock),
        )
        settling = Settling(
            pins=self.pins,
            told=(self.events, self.ledger, self.steering),
            shadowing=Shadowing(steering=self.steering, classifier=self.classifier),
            affording=affording,
            instead=(giving, jobs or NoJobs()),
            clock=self.clock,
        )
        gating = Gating(classifier=self.classifier, clock=self.clock, events=self.events)
        self.pipeline = Pipeline(
            recalling=Recalling(steering=self.steering, pins=self.pins, caches=caches, clock=self.clock),
            listen=(self.classifier, self.listening, gating),
            affording=affording,
            dispatch=Dispatch(sending=sending, gates=self.gates, affording=affording, caches=caches, clock=self.clock),
            end=(giving, settling),
            clock=self.clock,
        )
