"""What a policy says of failing calls, held against itself: reactions, breakers, pacing, canned replies, contracts.

Rule: a contract's schema is compiled here, once, and never fetches anything; decisions only ask it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from ..decide.contract import flaw
from ..decide.fallback import CALLS
from ..decide.policy import Policy, Reactions, Task
from ..vocabulary import ANSWERS
from .crosschecks import Sources
from .document import find
from .report import Report

Path = tuple[str | int, ...]
_HOST = re.compile(r"\.?([a-z0-9-]+\.)+[a-z][a-z0-9-]*(:[0-9]{1,5})?", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What only time or a person mends: asking again at once is a call for nothing.
HOPELESS = frozenset({"spend_limited", "billing", "authentication", "permission"})
ANSWERED = frozenset(kind.value for kind in ANSWERS)


def check_failing(sources: Sources, report: Report) -> dict[str, Any]:
    """Reports what is wrong; gives the compiled contract of each task that has one."""
    checks = _Checks(sources, report)
    checks.run()
    return checks.contracts


class _Checks:
    def __init__(self, sources: Sources, report: Report) -> None:
        self._sources = sources
        self._policy: Policy = sources.policy
        self._report = report
        self.contracts: dict[str, Any] = {}

    def run(self) -> None:
        for path, reactions in self._reactions():
            self._reacting(path, reactions)
        self._idle()
        self._bounds()
        for name, task in self._policy.tasks.items():
            self._contract(name, task)
        for path, template in self._templates():
            self._placeholders(path, template)
        for name, task in self._policy.tasks.items():
            self._canned_fits(name, task)
        for place, host in enumerate(self._policy.jobs.webhook_hosts):
            if not _HOST.fullmatch(host):
                self._error(
                    ("jobs", "webhook_hosts", place), "takes a host's name, or .name for all below it, maybe with :port"
                )

    def _error(self, path: Path, message: str) -> None:
        self._report.error(self._sources.page, find(self._sources.root, *path), message)

    def _warn(self, path: Path, message: str) -> None:
        self._report.warn(self._sources.page, find(self._sources.root, *path, key=True), message)

    def _reactions(self) -> Iterator[tuple[Path, Reactions]]:
        yield ("fallbacks", "on"), self._policy.fallbacks.on
        for workload, reactions in self._policy.fallbacks.workloads.items():
            yield ("fallbacks", "workloads", workload), reactions
        for name, task in self._policy.tasks.items():
            yield ("tasks", name, "on"), task.on

    def _reacting(self, path: Path, reactions: Reactions) -> None:
        for outcome, actions in reactions.items():
            place = (*path, outcome)
            if outcome in HOPELESS and CALLS & set(actions):
                self._error(place, f"no call helps after `{outcome}`; use cached, stale, canned, defer or fail")
            if "serve" in actions and outcome not in ANSWERED:
                self._error(place, f"there is no answer to serve after `{outcome}`; use stale, canned, defer or fail")
            late = next((n for n, action in enumerate(actions) if action in CALLS and set(actions[:n]) - CALLS), None)
            if late is not None:
                self._error(place, f"`{actions[late]}` makes a call; calls come before what needs none")

    def _idle(self) -> None:
        """What is legal and can do nothing."""
        policy = self._policy
        tasks = policy.tasks.values()
        canned = [policy.fallbacks.canned, *policy.fallbacks.canned_in.values(), *(task.canned for task in tasks)]
        siblings = [tier for tier in policy.tiers.values() if tier.siblings]
        for path, reactions in self._reactions():
            for outcome, actions in reactions.items():
                if "defer" in actions and not policy.jobs.enabled:
                    self._warn((*path, outcome), "`defer` does nothing while `jobs.enabled` is false")
                if "canned" in actions and not any(canned):
                    self._warn((*path, outcome), "there is no canned reply to give: set `fallbacks.canned`")
                if "sibling" in actions and not siblings:
                    self._warn((*path, outcome), "no tier has `siblings`")

    def _bounds(self) -> None:
        breaker, pacing = self._policy.breaker, self._policy.pacing
        if breaker.open_max_s < breaker.open_s:
            self._error(("breaker", "open_max_s"), f"is less than `open_s` ({breaker.open_s:g})")
        if not pacing.least <= pacing.start <= pacing.most:
            self._error(("pacing",), "`least`, `start` and `most` must grow in this order")

    def _contract(self, name: str, task: Task) -> None:
        schema = task.output.schema
        if task.output.type != "json_schema" or schema is None:
            return
        try:
            self.contracts[name] = jsonschema_rs.validator_for(schema, retriever=_nothing_is_fetched)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            reason = str(error).splitlines()[0]
            self._error(("tasks", name, "output", "schema"), f"is no JSON Schema: {reason}")

    def _templates(self) -> Iterator[tuple[Path, str]]:
        fallbacks = self._policy.fallbacks
        if fallbacks.canned is not None:
            yield ("fallbacks", "canned"), fallbacks.canned
        for language, text in fallbacks.canned_in.items():
            yield ("fallbacks", "canned_in", language), text
        for name, task in self._policy.tasks.items():
            yield from _of_task(name, task)

    def _placeholders(self, path: Path, template: str) -> None:
        for placeholder in _PLACEHOLDER.findall(template):
            if placeholder != "request_id":
                self._error(path, f"nothing fills in `{{{placeholder}}}`; a canned reply knows only {{request_id}}")

    def _canned_fits(self, name: str, task: Task) -> None:
        """Where JSON is promised, the last resort is JSON too."""
        if task.output.type == "text":
            return
        for path, template in _of_task(name, task):
            wrong = flaw(task.output, template.replace("{request_id}", "req_1"), self.contracts.get(name))
            if wrong is not None:
                self._error(path, f"is not what the task promises: {wrong.replace('the answer', 'the canned reply')}")


def _of_task(name: str, task: Task) -> Iterator[tuple[Path, str]]:
    if task.canned is not None:
        yield ("tasks", name, "canned"), task.canned
    for language, text in task.canned_in.items():
        yield ("tasks", name, "canned_in", language), text


def _nothing_is_fetched(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}; put it into the policy")
