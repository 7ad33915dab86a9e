"""A helm with policies that a test puts before it, and everything around it as lists."""

from __future__ import annotations

from pathlib import Path

from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.ports import Steered, Watched
from router.steering.alarms import Alarms
from router.steering.helm import Helm, Policies
from router.steering.state import StateFile
from router.vocabulary import Ask, Audit, Caller
from router.wire.ask import read_complete

from ..rulebooks import rules_from
from ..worlds import ListEvents, ListLedger, ScriptedClock

CURRENT = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
"""
CANDIDATE = CURRENT + "difficulty: {simple: sonnet}\n"
CALLER = Caller(tenant="acme", request_id="req_1")


def rollout(**more: object) -> str:
    said = "".join(f", {name}: {value}" for name, value in more.items())
    return f"{CURRENT}rollout: {{candidate: next.yaml{said}}}\n"


def asked(session: str = "s") -> Ask:
    return read_complete(b'{"prompt":"x"}', {"x-router-session": session})


class Scene:
    """One data directory; `start` is a process that begins there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ScriptedClock()
        self.ledger = ListLedger()
        self.events = ListEvents()
        self.switched: list[str] = []
        self.wrong: tuple[str, ...] = ()
        self.current, self.candidate = CURRENT, CANDIDATE

    def start(self) -> Helm:
        return Helm(
            load=self.load,
            state=StateFile(self.folder),
            ledger=self.ledger,
            telling=(self.events, Alarms(events=self.events, clock=self.clock)),
            clock=self.clock,
            switched=lambda rules: self.switched.append(rules.hash),
        )

    def load(self) -> Policies:
        if self.wrong:
            raise PolicyError(self.wrong)
        current = rules_from(self.current, self.folder)
        return Policies(current, self.next() if current.policy.rollout is not None else None)

    def next(self) -> Rulebook:
        return rules_from(self.candidate, self.folder)

    @property
    def audits(self) -> list[tuple[str, str]]:
        return [(note.who, note.action) for note in self.ledger.notes if isinstance(note, Audit)]

    @property
    def last_audit(self) -> Audit:
        last = self.ledger.notes[-1]
        assert isinstance(last, Audit)
        return last


def steer(helm: Helm, session: str = "s") -> Steered:
    return helm.steer(asked(session), CALLER)


def serve(helm: Helm, number: int, **seen: bool) -> None:
    """A request of a session of its own, served by whoever is to serve it."""
    steered = steer(helm, f"s{number}")
    wrong = seen if steered.candidate else {}
    watched = Watched(candidate=steered.candidate, session=f"s{number}", latency_ms=100, cost_pico=1000, **wrong)
    helm.watch(watched)
