"""What of a run counts for routes.yaml, and what does not, and why.

Rule: pure. It takes only what was measured to the end, on the models that the tiers have now; nothing that was made
up, and nothing that a model graded unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from router.decide.policy import Measured, RouteVerdict, Rulebook
from router.vocabulary.noun import Noun

from ..places import STANDIN
from ..report.reasons import reason
from ..report.words import day
from ..vocabulary import Finding, Run, State, TierFinding
from .rows import rows_of
from .suites_now import changed

MADE_UP = "the run {run_id} {how}: its answers were made up, and nothing is picked from it"
JUDGED = "a model graded it; --with-judged takes it"
RUN_AGAIN = "run it again, what was answered is paid"


class NotPicked(Exception):
    """Nothing of the run can be picked, in words."""


class Wanted(Noun, frozen=True, kw_only=True):
    """What the caller asks for, and what is on the disk."""

    with_judged: bool = False
    suite_hashes: Mapping[str, str] = {}  # of the suites that are there now


class TaskPick(Noun, frozen=True, kw_only=True):
    """What the run says of one task."""

    task: str
    winner: str | None
    reason: str
    verdict: RouteVerdict
    rows: Mapping[str, Measured]  # by tier


class Picks(Noun, frozen=True, kw_only=True):
    """What is taken from a run, what is not, and what a reader of the change should know."""

    run_id: str
    tasks: tuple[TaskPick, ...]
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def picks(run: Run, rules: Rulebook, wanted: Wanted) -> Picks:
    """Raises NotPicked."""
    if run.rehearsed or run.upstream == STANDIN:
        raise NotPicked(
            MADE_UP.format(run_id=run.run_id, how="was a rehearsal" if run.rehearsed else "asked a stand-in")
        )
    left_out = {finding.suite: why for finding in run.findings if (why := _not_taken(finding, rules, wanted))}
    tasks: dict[str, list[Finding]] = {}
    for finding in run.findings:
        if finding.suite not in left_out:
            tasks.setdefault(finding.task, []).append(finding)
    for task, findings in tasks.items():
        exact = [finding for finding in findings if not finding.judged]
        if exact:  # kept apart: exact grades decide alone
            mixed = {one.suite for one in findings} - {one.suite for one in exact}
            left_out |= dict.fromkeys(mixed, f"a model graded it, and {task} has a suite with exact grades")
        tasks[task] = exact or findings
    for task, findings in list(tasks.items()):
        if why := _apart(findings, rules):
            left_out |= {finding.suite: why for finding in findings}
            del tasks[task]
    told = tuple(f"{suite}: {why}" for suite, why in left_out.items())
    if not tasks:
        raise NotPicked(f"nothing can be picked from the run {run.run_id}: {'; '.join(told) or 'it has no suites'}")
    return Picks(
        run_id=run.run_id,
        tasks=tuple(_task(task, findings, run, rules) for task, findings in tasks.items()),
        left_out=told,
        warnings=tuple(_warnings(run, [one for findings in tasks.values() for one in findings], rules, wanted)),
    )


def unfinished(finding: Finding) -> str:
    """Why the suite's test did not come to its end; empty: it did. It runs from the top tier down."""
    held_against = finding.claim.kind == "margin"  # the top tier is no test of its own
    for one in reversed(finding.tiers[:-1] if held_against else finding.tiers):
        if one.state in (State.FAILS, State.UNDECIDED):
            return ""
        if one.state is State.OPEN:
            return f"not all looks at {one.tier} were taken; {RUN_AGAIN}"
        if one.state is State.UNTRIED:
            return f"the run ended before {one.tier} was tried; {RUN_AGAIN}"
    return ""


def counts(tier: str, model: str, rules: Rulebook) -> bool:
    """Is that model the tier's still?"""
    part = rules.policy.tiers.get(tier)
    return part is not None and rules.ids.get(part.model) == rules.ids.get(model, model)


def _not_taken(finding: Finding, rules: Rulebook, wanted: Wanted) -> str:
    if finding.judged and not wanted.with_judged:
        return JUDGED
    if finding.task not in rules.policy.tasks:
        return f"the policy has no task `{finding.task}`"
    if why := unfinished(finding):
        return why
    for one in finding.tiers:
        if one.tier == finding.winner and not counts(one.tier, one.model, rules):
            return f"its winner is {_gone(one, rules)}; run it again"
    return ""


def _apart(findings: Sequence[Finding], rules: Rulebook) -> str:
    """Why suites of one task have no common winner. Where one of them never tried the dearest winner nothing is known
    of it there, and a cheaper one is shown not to do, or not shown to, where that one won."""
    winner = _dearest(findings, rules)
    missing = [one.suite for one in findings if winner is not None and winner not in rows_of([one], "")]
    if not missing:
        return ""
    winning = next(one.suite for one in findings if one.winner == winner)
    return f"{winning} takes {winner}, which {' and '.join(missing)} did not try: give them the same `tiers`"


def _dearest(findings: Sequence[Finding], rules: Rulebook) -> str | None:
    """A task is done where all of its suites are, so the dearest of their winners wins; None where one has none."""
    winners = [finding.winner for finding in findings]
    order = {tier: number for number, tier in enumerate(rules.tier_order)}
    return None if None in winners else max((one for one in winners if one), key=lambda tier: order[tier])


def _gone(one: TierFinding, rules: Rulebook) -> str:
    part = rules.policy.tiers.get(one.tier)
    now = "which the policy has no more" if part is None else f"which is `{part.model}` now"
    return f"`{one.tier}` on `{one.model}`, {now}"


def _warnings(run: Run, taken: Sequence[Finding], rules: Rulebook, wanted: Wanted) -> Iterator[str]:
    if not run.finished:
        yield f"the run did not finish ({run.stopped or 'it was ended'}): only suites that did are taken"
    if run.policy_hash != rules.hash:
        yield (
            f"the run was made under the policy {run.policy_hash}, which is {rules.hash} now: if more than its"
            " measurements changed, requests may be put another way than they were measured"
        )
    yield from changed(taken, wanted.suite_hashes)
    for finding in taken:
        for one in finding.tiers:
            if one.cases and not counts(one.tier, one.model, rules):
                yield f"{finding.suite}: the figures of {_gone(one, rules)}, are left out"


def _task(task: str, findings: Sequence[Finding], run: Run, rules: Rulebook) -> TaskPick:
    winner = _dearest(findings, rules)
    decisive = next(finding for finding in findings if finding.winner == winner)
    words = reason(decisive, winner)
    if len(findings) > 1:
        words = f"{words}; of {len(findings)} suites {decisive.suite} asked the most"
    verdict = RouteVerdict(
        winner=winner,
        claim=decisive.claim.words,
        reason=words,
        decided=day(run.at_ms),
        run=run.run_id,
        suites=tuple(finding.suite for finding in findings),
        judged=decisive.judged,
    )
    rows = {tier: row for tier, row in rows_of(findings, day(run.at_ms)).items() if counts(tier, row.model, rules)}
    return TaskPick(task=task, winner=winner, reason=f"{task}: {words}", verdict=verdict, rows=rows)
