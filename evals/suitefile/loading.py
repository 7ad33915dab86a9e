"""A suite's folder as one checked, frozen Suite.

Rule: everything that is wrong is found before anything is asked, and said at once (SuiteError).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from router.errors import PolicyError
from router.policyfile.conform import conform
from router.policyfile.document import Mapping, Scalar, read
from router.policyfile.report import FOUND_MAX, Page, Report, Spot, listed, nearest, quoted
from router.vocabulary import PICO_PER_USD

from ..errors import SuiteError
from ..graders import KINDS, Form, Options, Place
from ..template import filled
from ..vocabulary import Case, Claim, GraderSpec, Suite
from .cases import Cases, read_cases
from .crosschecks import Read, check_expected, check_file, check_grader, check_template
from .record import NAME, SuiteFile, with_grader

SUITE_FILE, CASES_FILE = "suite.yaml", "cases.jsonl"
# Beside this package: what is shipped.
SUITES = Path(__file__).resolve().parents[1] / "suites"


def load_suite(folder: Path) -> Suite:
    """Raises SuiteError with every problem of the folder."""
    report = Report()
    try:
        suite = _checked(folder, report)
        report.raise_errors()
    except PolicyError as error:
        raise SuiteError(error.problems) from None
    assert suite is not None, "a suite that came to nothing must say why"
    return suite


def load_suites(root: Path, names: Sequence[str] = ()) -> tuple[Suite, ...]:
    """The named suites of a folder, or all of them. Raises SuiteError with the problems of every one."""
    folders = folders_of(root)
    for name in names:
        if name not in folders:
            hint = nearest(name, folders)
            raise SuiteError((f"there is no suite {quoted(name)} in {root}{hint}; there are: {listed(folders)}",))
    suites: list[Suite] = []
    problems: list[str] = []
    for name in dict.fromkeys(names or folders):
        try:
            suites.append(load_suite(folders[name]))
        except SuiteError as error:
            problems += error.problems
    if problems:
        raise SuiteError(tuple(problems[:FOUND_MAX]))
    return tuple(suites)


def folders_of(root: Path) -> dict[str, Path]:
    """Every folder that is a suite, or is meant to be one. Raises SuiteError where there is no such place."""
    if not root.is_dir():
        raise SuiteError((f"there is no folder {root}; --suites names the one that holds the suites",))
    if (root / SUITE_FILE).exists():
        raise SuiteError((f"{root} is a suite itself; --suites names the folder that it is in",))
    return {path.name: path for path in sorted(root.iterdir()) if path.is_dir() and path.name[:1] not in "._"}


def _checked(folder: Path, report: Report) -> Suite | None:
    if not folder.is_dir():
        raise SuiteError((f"there is no folder {folder}",))
    page, root = read(folder / SUITE_FILE, report)
    if not NAME.fullmatch(folder.name):
        report.error(Page(str(folder)), Spot(0, 0), "takes a name of lower-case letters, digits, - and _")
    cases = read_cases(folder / CASES_FILE, report)
    if not cases.cases and not cases.wrong:
        report.error(Page(cases.page.name), Spot(0, 0), "has no cases; a suite needs some to measure anything")
    options = None if root is None else _options(root, page, report)
    if root is None or options is None:
        return None
    file = conform(root, with_grader(options), page, report)
    if file is None:
        return None
    # The line break that ends a block of text in YAML is not meant for the model.
    said = {"system": file.system.removesuffix("\n"), "template": file.template.removesuffix("\n")}
    file = msgspec.structs.replace(file, **said)
    return _crossed(folder, Read(file, root, page), cases, report)


def _crossed(folder: Path, read_file: Read, cases: Cases, report: Report) -> Suite | None:
    """The suite, when nothing is wrong across its keys, its files and its cases."""
    file = read_file.file
    kind = KINDS[file.grader.kind]
    form = kind.make(file.grader, Place(folder, lambda case: filled(file.template, case.fields)))
    check_file(read_file, report)
    check_template(read_file, cases, report)
    check_grader(form, read_file, report)
    check_expected(form, cases, report)
    return None if report.errors else _suite(folder, file, form, cases)


@cache
def _kinds() -> str:
    return listed(KINDS)


def _options(root: Mapping, page: Page, report: Report) -> type[Options] | None:
    """The record of the grader's kind. Without one, nothing about the grader can be checked."""
    named, grader = root.pairs.get("grader", (None, None))
    if named is None or grader is None:
        report.error(page, root.spot, f"the file needs the key `grader`: its kind ({_kinds()}) and its options")
        return None
    kind = grader.pairs.get("kind", (None, None))[1] if isinstance(grader, Mapping) else None
    if not isinstance(kind, Scalar):
        report.error(page, named.spot, f"`grader` needs the key `kind`: one of {_kinds()}")
        return None
    if kind.text not in KINDS:
        hint = nearest(kind.text, KINDS)
        report.error(page, kind.spot, f"there is no grader {quoted(kind.text)}{hint}; there are: {_kinds()}")
        return None
    return KINDS[kind.text].options


def _suite(folder: Path, file: SuiteFile, form: Form, cases: Cases) -> Suite:
    options: dict[str, Any] = msgspec.to_builtins(file.grader)
    grader = GraderSpec(kind=options.pop("kind"), options=options)
    claim = Claim(kind="bar", value=file.bar) if file.bar is not None else Claim(kind="margin", value=file.margin or 0)
    return Suite(
        name=folder.name,
        task=file.task,
        description=file.description,
        system=file.system,
        template=file.template,
        grader=grader,
        claim=claim,
        budget_pico=int(file.budget_usd * PICO_PER_USD),
        max_tokens=file.max_tokens,
        tiers=file.tiers,
        looks=file.looks,
        cases=tuple(sorted(cases.cases, key=lambda case: _place_in_line(folder.name, case))),
        hash=_hash(folder, file, form, cases.cases),
        folder=folder,
    )


def _place_in_line(suite: str, case: Case) -> bytes:
    """By chance, but the same chance each time: every look is a random part, and a new case moves no other."""
    return hashlib.blake2b(f"{suite}\0{case.id}".encode(), digest_size=16).digest()


def _hash(folder: Path, file: SuiteFile, form: Form, cases: Sequence[Case]) -> str:
    """Of all that changes an answer or its grade; not of the claim, the budget, or the order of anything."""
    asked = (file.system, file.template, file.max_tokens)
    graded = (msgspec.to_builtins(file.grader), [(folder / name).read_text(encoding="utf-8") for name in form.files])
    each = sorted((case.id, dict(case.fields), case.expected) for case in cases)
    said = msgspec.json.encode((asked, graded, each), order="deterministic")
    return hashlib.blake2b(said, digest_size=8).hexdigest()
