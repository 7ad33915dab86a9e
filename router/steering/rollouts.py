"""The candidate: decided beside the current policy, tried on a share of the sessions, promoted or rolled back.

Rule: which session and what is worse are decide/rollout.py's; here the stage is held, counted and kept. A
rollout belongs to a pair of policies: when either changes, it begins anew; but a candidate that was rolled
back or aborted is tried again only when it has changed itself.
"""

from __future__ import annotations

from collections.abc import Callable

from ..decide.policy import Rollout, Rulebook
from ..decide.rollout import Seen, Tally, arm_of, findings, ripe, verdict
from ..errors import RequestError
from ..ports import Clock, Steered, Watched
from ..vocabulary import Ask, Caller
from .state import Stage, State, Window

MOVES_MAX = 50  # kinds of difference that are told apart
BROKEN_MAX = 100_000  # sessions
Changed = Callable[[str, str, str], None]  # action, who, why


class Rollouts:
    """Of one process. `changed` is told of every change of stage, to put it on record."""

    def __init__(self, *, clock: Clock, state: State, changed: Changed) -> None:
        self.state = state
        self.dirty = False
        self.candidate: Rulebook | None = None
        self._current: Rulebook | None = None
        self._rollout: Rollout | None = None
        self._clock = clock
        self._changed = changed
        self._broken: set[tuple[bool, str]] = set()  # sessions, in this window

    @property
    def stage(self) -> Stage:
        return self.state.stage

    def follow(self, current: Rulebook, candidate: Rulebook | None) -> None:
        """The policies that are in force from now on."""
        self._current, self.candidate, self._rollout = current, candidate, current.policy.rollout
        state, rollout = self.state, self._rollout
        if candidate is None or rollout is None:
            if state.stage != "none":
                self._enter("none", "file", "the policy has no rollout any more")
            return
        pair = (current.hash, candidate.hash)
        if state.stage in ("rolled_back", "aborted") and candidate.hash == state.candidate_hash:
            state.current_hash = current.hash  # what hurt once is tried again when it has changed, not before
        elif pair != (state.current_hash, state.candidate_hash):
            state.current_hash, state.candidate_hash = pair
            self._enter(rollout.mode, "file", f"the candidate {candidate.hash} beside {current.hash}")
        elif state.stage in ("shadow", "canary") and state.stage != rollout.mode:
            self._enter(rollout.mode, "file", f"the policy says {rollout.mode}")

    def steer(self, ask: Ask, caller: Caller, current: Rulebook) -> Steered:
        stage, candidate, rollout = self.state.stage, self.candidate, self._rollout
        if stage == "none" or candidate is None or rollout is None:
            return Steered(rules=current)
        if stage == "shadow":
            return Steered(rules=current, shadow=candidate)
        if stage == "promoted":
            return Steered(rules=candidate, candidate=True)
        if stage == "canary":
            session = ask.words.session or ask.facts.session or caller.request_id
            if arm_of(caller.tenant, session, candidate.hash, rollout.share):
                return Steered(rules=candidate, candidate=True)
        return Steered(rules=current)

    def watch(self, served: Watched) -> None:
        """One served request; after each of the candidate's the guardrails are looked at."""
        if self.state.stage != "canary" or self._rollout is None:
            return
        self._turn_window(self._rollout)
        if self._is_more_of_the_same(served):
            return
        window = self.state.window
        seen = Seen(
            failed=served.failed,
            degraded=served.degraded,
            refused=served.refused,
            truncated=served.truncated,
            latency_ms=served.latency_ms,
            cost_pico=served.cost_pico,
        )
        self.dirty = True
        if not served.candidate:
            window.current.add(seen)
            return
        window.candidate.add(seen)
        self.state.served += 1
        self._judge(self._rollout)

    def differed(self, differs: bool | None, words: str) -> None:
        """What the candidate in the shadow would have done."""
        kind = "unknown" if differs is None else "differs" if differs else "same"
        shadow, moves = self.state.shadow, self.state.moves
        shadow[kind] = shadow.get(kind, 0) + 1
        if differs:
            move = words.partition(":")[0]
            known = move if move in moves or len(moves) < MOVES_MAX else "(others)"
            moves[known] = moves.get(known, 0) + 1
        self.dirty = True

    def promote(self, who: str, why: str) -> None:
        """Raises RequestError(router_conflict) where there is nothing to promote."""
        self._need(("shadow", "canary", "rolled_back", "aborted"), "promote")
        self._enter("promoted", who, why)

    def abort(self, who: str, why: str) -> None:
        self._need(("shadow", "canary", "promoted"), "abort")
        self._enter("aborted", who, why)

    def status(self) -> dict[str, object]:
        state, rollout = self.state, self._rollout
        told: dict[str, object] = {
            "stage": state.stage,
            "since_ms": state.since_ms,
            "why": state.why,
            "current": state.current_hash,
            "candidate": state.candidate_hash,
        }
        if rollout is None or self.candidate is None:
            return told
        both = self._tallies()
        return {
            **told,
            "file": self.candidate.source,
            "share": rollout.share,
            "promote": rollout.promote,
            "served_by_candidate": state.served,
            "in_window": {"current": both[0].requests, "candidate": both[1].requests},
            "guardrails": [
                {"guardrail": one.guardrail, "worse": one.worse, "words": one.words} for one in findings(*both, rollout)
            ],
            "shadow": state.shadow,
            "moves": dict(sorted(state.moves.items(), key=lambda move: -move[1])[:10]),
        }

    def _judge(self, rollout: Rollout) -> None:
        why = verdict(*self._tallies(), rollout)
        if why is not None:
            self._enter("rolled_back", "guardrail", why)
            return
        running_s = (self._clock.now_ms() - self.state.since_ms) / 1000
        if ripe(self.state.served, running_s, rollout):
            words = f"{self.state.served} requests in {running_s:.0f} s and no guardrail broken"
            self._enter("promoted", "guardrail", words)

    def _is_more_of_the_same(self, served: Watched) -> bool:
        """A session that broke once in this window has been counted: what it breaks again is no new evidence."""
        if not (served.failed or served.degraded or served.refused or served.truncated) or not served.session:
            return False
        key = (served.candidate, served.session)
        if key in self._broken:
            return True
        if len(self._broken) < BROKEN_MAX:
            self._broken.add(key)
        return False

    def _tallies(self) -> tuple[Tally, Tally]:
        window, before = self.state.window, self.state.before
        return window.current.merged(before.current), window.candidate.merged(before.candidate)

    def _turn_window(self, rollout: Rollout) -> None:
        now_ms, window = self._clock.now_ms(), self.state.window
        if now_ms - window.since_ms >= rollout.window_s * 1000:
            self.state.before = window
            self.state.window = Window(since_ms=now_ms)
            self._broken.clear()

    def _need(self, stages: tuple[Stage, ...], verb: str) -> None:
        if self.candidate is None:
            raise RequestError("router_conflict", f"there is nothing to {verb}: the policy names no candidate")
        if self.state.stage not in stages:
            raise RequestError("router_conflict", f"there is nothing to {verb}: the rollout is {self.state.stage}")

    def _enter(self, stage: Stage, who: str, why: str) -> None:
        state, now_ms = self.state, self._clock.now_ms()
        state.stage, state.since_ms, state.why, state.served = stage, now_ms, why, 0
        state.before, state.window = Window(since_ms=now_ms), Window(since_ms=now_ms)
        state.shadow, state.moves = {}, {}
        self._broken.clear()
        if stage == "none":
            state.current_hash = state.candidate_hash = ""
        self.dirty = True
        self._changed(stage, who, why)
