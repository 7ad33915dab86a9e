"""Are the suites of a run still those on the disk?

Rule: reads suites; one that is gone or wrong now has no hash, and `tierwise eval check` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..suitefile import SUITES, SuiteError, load_suite
from ..vocabulary import Finding, Run


def hashes_now(run: Run, root: Path = SUITES) -> dict[str, str]:
    """By suite, of those that are there."""
    found = {}
    for name in {finding.suite for finding in run.findings}:
        folder = root / name
        if folder.parent != root or not folder.is_dir():
            continue
        try:
            found[name] = load_suite(folder).hash
        except SuiteError:
            continue
    return found


def changed(findings: Iterable[Finding], hashes: Mapping[str, str]) -> list[str]:
    """The suites that are not what was run any more, each in words."""
    return [
        f"the suite {finding.suite} has changed since the run: run it again"
        for finding in findings
        if hashes.get(finding.suite, finding.suite_hash) != finding.suite_hash
    ]
