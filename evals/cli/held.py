"""What `tierwise eval run --baseline` is held against: which run, whether it can be, and what has changed since.

Rule: nothing is asked of anybody; what cannot be compared is refused before the first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..baseline import wanted
from ..graders import grade_safely, grader_of
from ..ports import Halted
from ..runs import LATEST, latest_verdict, load
from ..vocabulary import Run, Suite, Tried


def baseline_of(data_dir: Path, run_id: str, suites: Sequence[Suite], *, rehearsed: bool) -> Run:
    """Raises NoRun, or Halted where nothing of it can be held against what is measured now."""
    # The latest with verdicts: runs that only compared would let the mark slide along.
    found = latest_verdict(data_dir, rehearsed=rehearsed) if run_id == LATEST else load(data_dir, run_id)
    if found.rehearsed != rehearsed:
        raise Halted(f"{found.run_id} {'was' if found.rehearsed else 'was not'} a rehearsal, and this is the other")
    named = [suite.name for suite in suites if found.tried.get(suite.name)]
    if not named:
        raise Halted(f"{found.run_id} asked none of these suites: it has {', '.join(found.tried) or 'none'}")
    if not any(any(wanted(found, suite).values()) for suite in suites):
        raise Halted(
            f"{found.run_id} asked none of the cases that {', '.join(named)} now have: cases are known by their ids,"
            " so there is nothing to compare"
        )
    return found


def changes_since(baseline: Run, suites: Sequence[Suite]) -> tuple[str, ...]:
    """What a reader of the comparison must know."""
    hashes = {finding.suite: finding.suite_hash for finding in baseline.findings} | dict(baseline.suite_hashes)
    names = {suite.name for suite in suites}
    changed = [one.name for one in suites if hashes.get(one.name, one.hash) != one.hash]
    unknown = sorted(suite.name for suite in suites if not baseline.tried.get(suite.name))
    gone = sorted(name for name in baseline.tried if name not in names)
    said = (
        (changed, "changed since that run: a difference may be the suite's doing"),
        (unknown, "not in that run: nothing of it is compared"),
        (gone, "in that run, and not measured now"),
    )
    return tuple(f"{', '.join(which)}: {words}" for which, words in said if which)


async def graded_again(suite: Suite, tried: Tried) -> Tried:
    """The same answer, as the suite grades now."""
    case = next(case for case in suite.cases if case.id == tried.case)
    return msgspec.structs.replace(tried, grade=await grade_safely(grader_of(suite), case, tried.answer))
