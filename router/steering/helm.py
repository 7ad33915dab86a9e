"""The policy in force: loaded at the start, loaded anew while serving, kept when the new file is wrong.

Rule: one policy at a time is current, and switching it is one assignment between two requests; a request
keeps the one that it began with. Every change is on record, with what it changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ..decide.policy import Rulebook
from ..errors import PolicyError, RequestError
from ..ports import Clock, Events, Ledger, Steered, Watched
from ..vocabulary import Ask, Audit, Caller
from .alarms import Alarms
from .rollouts import Rollouts
from .said import difference, said
from .state import StateFile

ACTIONS = {
    "none": "rollout_end",
    "shadow": "shadow",
    "canary": "canary",
    "promoted": "promote",
    "rolled_back": "rollback",
    "aborted": "abort",
}


class Policies(msgspec.Struct, frozen=True):
    """What is on the disk: the policy, and the candidate of its rollout."""

    current: Rulebook
    candidate: Rulebook | None = None


class Helm:
    """Implements ports.Steering. `switched` is told of each policy that comes into force."""

    def __init__(
        self,
        *,
        load: Callable[[], Policies],
        state: StateFile,
        ledger: Ledger,
        telling: tuple[Events, Alarms],
        clock: Clock,
        switched: Callable[[Rulebook], None],
    ) -> None:
        self._load = load
        self._file = state
        self._ledger = ledger
        self._events, self._alarms = telling
        self._clock = clock
        self._switched = switched
        self._switching = asyncio.Lock()
        self.trouble: str | None = None  # why the files on the disk are not what serves
        self._rollouts = Rollouts(clock=clock, state=state.read(), changed=self._on_stage)
        self.current = self._start()

    # ---- ports.Steering

    def steer(self, ask: Ask, caller: Caller) -> Steered:
        return self._rollouts.steer(ask, caller, self.current)

    def watch(self, served: Watched) -> None:
        self._alarms.watch(served)
        self._rollouts.watch(served)

    def differed(self, shadow: str, differs: bool | None, words: str) -> None:
        self._rollouts.differed(differs, words)
        self._events.count("shadow", "unknown" if differs is None else "differs" if differs else "same")
        if differs:
            self._events.say("shadow", candidate=shadow, difference=words)

    # ---- changes

    async def reload(self, who: str) -> dict[str, object]:
        """Load the files anew. Raises RequestError(router_policy) when they are wrong; the old ones serve on."""
        async with self._switching:
            try:
                loaded = await asyncio.to_thread(self._load)
            except PolicyError as error:
                self._refused(who, error)
                raise RequestError("router_policy", "\n\n".join(error.problems)) from None
            before, self.trouble = self.current, None
            if before.hash != loaded.current.hash or who != "file":
                self._events.count("reloads", "loaded")
                diff = difference(said(before.policy), said(loaded.current.policy))
                self._record("reload", who, (before.hash, loaded.current.hash), diff, loaded.current.source)
            self._take(loaded)
            return {"policy": loaded.current.hash, "before": before.hash, "warnings": list(loaded.current.warnings)}

    def promote(self, who: str) -> dict[str, object]:
        self._rollouts.promote(who, "by hand")
        return self.status()

    def abort(self, who: str) -> dict[str, object]:
        self._rollouts.abort(who, "by hand")
        return self.status()

    def status(self) -> dict[str, object]:
        return {
            "policy": self.current.hash,
            "file": self.current.source,
            "trouble": self.trouble,
            "rollout": self._rollouts.status(),
        }

    @property
    def stage(self) -> str:
        return self._rollouts.stage

    @property
    def files(self) -> frozenset[str]:
        """Every file that what serves was made from."""
        candidate = self._rollouts.candidate
        return frozenset(self.current.files) | frozenset(candidate.files if candidate else ())

    async def keep(self, every_s: float = 1.0) -> None:
        """Runs beside the service: what a rollout has seen goes to the disk now and then."""
        while True:
            await asyncio.sleep(every_s)
            if self._rollouts.dirty:
                await asyncio.to_thread(self._write, self._encoded())

    def close(self) -> None:
        if self._rollouts.dirty:
            self._save()

    # ---- the inside

    def _start(self) -> Rulebook:
        loaded, state = self._load(), self._rollouts.state
        diff = difference(state.said, said(loaded.current.policy)) if state.policy_hash != loaded.current.hash else ""
        self._record("load", "start", (state.policy_hash, loaded.current.hash), diff, loaded.current.source)
        self._take(loaded)
        return loaded.current

    def _take(self, loaded: Policies) -> None:
        self.current = loaded.current
        state = self._rollouts.state
        state.policy_hash, state.said = loaded.current.hash, said(loaded.current.policy)
        self._rollouts.follow(loaded.current, loaded.candidate)
        self._switched(loaded.current)
        self._save()

    def _refused(self, who: str, error: PolicyError) -> None:
        self.trouble = error.problems[0].partition("\n")[0]
        self._events.count("reloads", "refused")
        self._alarms.raise_("policy", f"the policy was not loaded, the old one serves on: {self.trouble}")
        hashes = (self.current.hash, self.current.hash)
        # Without the lines of the file: what is written there by mistake may be a secret, and the ledger stays.
        self._record("reload_failed", who, hashes, detail="\n".join(each.partition("\n")[0] for each in error.problems))

    def _on_stage(self, stage: str, who: str, why: str) -> None:
        state, candidate = self._rollouts.state, self._rollouts.candidate
        if stage == "rolled_back":
            self._alarms.raise_("rollback", f"the candidate {state.candidate_hash} was rolled back: {why}")
        self._events.say("rollout", stage=stage, who=who, why=why)
        hashes, diff = (state.candidate_hash, state.current_hash), ""
        if stage in ("shadow", "canary", "promoted") and candidate is not None:
            hashes = (state.current_hash, state.candidate_hash)
            diff = difference(state.said, said(candidate.policy))
        self._record(ACTIONS[stage], who, hashes, diff, why)
        self._save()

    def _record(self, action: str, who: str, hashes: tuple[str, str], diff: str = "", detail: str = "") -> None:
        self._ledger.note(
            Audit(
                audit_id=self._clock.new_id("aud"),
                at_ms=self._clock.now_ms(),
                who=who,
                action=action,
                old_hash=hashes[0],
                new_hash=hashes[1],
                diff=diff,
                detail=detail,
            )
        )

    def _save(self) -> None:
        self._write(self._encoded())

    def _encoded(self) -> bytes:
        self._rollouts.dirty = False
        return msgspec.json.encode(self._rollouts.state)

    def _write(self, encoded: bytes) -> None:
        try:
            self._file.write(encoded)
        except OSError as error:
            self._rollouts.dirty = True
            self._events.say("state", trouble=f"the rollout's state cannot be written: {error.strerror}")
