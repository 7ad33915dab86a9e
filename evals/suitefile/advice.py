"""A suite held against the policy that it would run with, and what is allowed but seldom meant.

Rule: errors are what would stop a run; everything else is a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log
from typing import NamedTuple

from router.decide.policy import Rulebook
from router.policyfile.document import Mapping, find, read
from router.policyfile.report import Page, Report, Spot, listed, nearest, quoted

from ..sampling import reachable
from ..vocabulary import Suite
from .crosschecks import repeated
from .jsonlines import page_of
from .loading import CASES_FILE, SUITE_FILE

CHANCE = 0.05


class _Written(NamedTuple):
    """The suite, and the file that it was read from: for the places in it."""

    suite: Suite
    root: Mapping
    page: Page

    def spot(self, *path: str | int) -> Spot:
        return find(self.root, *path)


def advise(suite: Suite, rules: Rulebook | None = None) -> Report:
    """What would stop a run under these rules, and what is odd in itself."""
    report = Report()
    page, root = read(suite.folder / SUITE_FILE, report)
    if root is None:
        return report
    written = _Written(suite, root, page)
    if rules is not None:
        _task_and_tiers(written, rules, report)
        _answers(written, rules, report)
    _few(written, report)
    _twice(suite, report)
    return report


def _task_and_tiers(written: _Written, rules: Rulebook, report: Report) -> None:
    suite, tiers = written.suite, rules.tier_order
    if suite.task not in rules.tasks:
        hint = nearest(suite.task, rules.tasks)
        why = f"the policy has no task {quoted(suite.task)}{hint}; it has: {listed(rules.tasks)}"
        report.error(written.page, written.spot("task"), why)
    for number, tier in enumerate(suite.tiers):
        if tier not in tiers:
            why = f"the policy has no tier {quoted(tier)}{nearest(tier, tiers)}; it has: {listed(tiers)}"
            report.error(written.page, written.spot("tiers", number), why)
    known = [tier for tier in suite.tiers if tier in tiers]
    if known != sorted(known, key=tiers.index):
        why = f"tiers stand cheapest first, as in the policy: {listed(sorted(known, key=tiers.index))}"
        report.error(written.page, written.spot("tiers"), why)
    judge = suite.grader.options.get("tier") if suite.grader.judged else None
    if judge is not None and judge not in tiers:
        why = f"the policy has no tier {quoted(judge)}{nearest(judge, tiers)}; it has: {listed(tiers)}"
        report.error(written.page, written.spot("grader", "tier"), why)
    if judge in _asked(suite, rules):
        why = f"`{judge}` judges its own answers; models prefer their own"
        report.warn(written.page, written.spot("grader", "tier"), why)


def _asked(suite: Suite, rules: Rulebook) -> Sequence[str]:
    """The tiers that a run asks."""
    return suite.tiers or reachable(rules)


def _answers(written: _Written, rules: Rulebook, report: Report) -> None:
    asked = written.suite.max_tokens
    for tier in _asked(written.suite, rules):
        part = rules.policy.tiers.get(tier)
        most = None if part is None else rules.models[part.model].max_output
        if asked is not None and most is not None and asked > most:
            why = f"`{tier}` gives at most {most:,} tokens; a run there asks for no more"
            report.warn(written.page, written.spot("max_tokens"), why)


def _few(written: _Written, report: Report) -> None:
    """So few that not even a tier without a mistake could be shown to reach the bar."""
    claim, cases = written.suite.claim, len(written.suite.cases)
    if claim.kind != "bar":
        return
    needed = ceil(log(CHANCE) / log(claim.value))
    if cases < needed:
        why = f"{cases} cases cannot show {claim.value:g}, even if all pass; that takes {needed} and more"
        report.warn(written.page, written.spot("bar"), why)


def _twice(suite: Suite, report: Report) -> None:
    page = page_of(suite.folder / CASES_FILE)
    for first, again in repeated(sorted(suite.cases, key=lambda case: case.line)):
        why = f"asks the same as line {first.line}; two cases for one question count it twice"
        report.warn(page, Spot(again.line - 1, 0), why)
