"""Drives a suite's walk: asks what it needs until it needs nothing, or until nothing more can be asked.

Rule: no decision here; the walk says what is next, the engine asks, and both survive a kill because answers are kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from .baseline import wanted
from .graders import ERROR
from .ports import Engine, Halted
from .vocabulary import Run, Suite, Tried
from .walking import Need, Seen, Walk

GRADER_ERRORS_MAX = 0.1  # of a judge's verdicts: more, and the suite is what is wrong

Tell = Callable[[Suite, Need], None]
Again = Callable[[Suite, Tried], Awaitable[Tried]]  # the same answer, graded as the suite grades now


class GraderFailed(Halted):
    """The suite must be mended before more is paid for."""


async def measure(walk: Walk, engine: Engine, tell: Tell) -> Halted | None:
    """Until the walk is over, or nothing more can be asked; what was answered is in the walk's `seen`."""
    for need in walk.steps():
        tell(walk.suite, need)
        try:
            tried = await engine.run(walk.suite, need.tier, need.cases, need.epoch)
            _graders_hold(walk.suite, tried)
        except Halted as halted:
            # Repeats show noise and decide nothing: without them the verdict stands.
            return None if need.epoch else halted
        walk.seen.add(tried)
    return None


async def ask_again(suite: Suite, baseline: Run, engine: Engine, seen: Seen, tell: Tell) -> Halted | None:
    """What the baseline asked, once more, without looks: a paired test needs the same cases."""
    by_id = {case.id: case for case in suite.cases}
    try:
        for tier, ids in wanted(baseline, suite).items():
            need = Need(tier=tier, cases=tuple(by_id[name] for name in ids))
            tell(suite, need)
            tried = await engine.run(suite, tier, need.cases, 0)
            _graders_hold(suite, tried)
            seen.add(tried)
    except Halted as halted:
        return halted
    return None


async def graded_now(suite: Suite, baseline: Run, again: Again) -> tuple[Tried, ...]:
    """The baseline's answers, as the suite would grade them today: a grader that was mended is no change of a tier."""
    kept = baseline.tried.get(suite.name, ())
    if baseline.suite_hashes.get(suite.name) == suite.hash or suite.grader.judged:
        return kept
    known = {case.id for case in suite.cases}
    return tuple([await again(suite, one) for one in kept if one.case in known and not one.epoch])


def _graders_hold(suite: Suite, tried: Sequence[Tried]) -> None:
    """A grader that fails is no answer of a model. One that runs code or compares is wrong if it fails once; a judge
    may fail to say anything now and then."""
    failed = [one for one in tried if one.grade.why.startswith(ERROR)]
    if len(failed) > (GRADER_ERRORS_MAX * len(tried) if suite.grader.judged else 0):
        raise GraderFailed(
            f"the grader of {suite.name} failed on {len(failed)} of {len(tried)} answers"
            f" (first: case {failed[0].case}: {failed[0].grade.why}); mend it in {suite.folder}/suite.yaml and run"
            " again: the answers are kept"
        )
