"""What no single key shows: the template against the cases, the looks among each other, the cases against the grader.

Rule: what is wrong with many cases in one way is said once, with the first of them and how many more there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from router.policyfile.document import Mapping, Scalar, find
from router.policyfile.report import Page, Report, Spot, listed, nearest, quoted

from ..graders import Form
from ..template import named_in
from ..vocabulary import Case
from .cases import Cases
from .record import SuiteFile


class Read(NamedTuple):
    """suite.yaml as it was read."""

    file: SuiteFile
    root: Mapping
    page: Page


def check_file(read: Read, report: Report) -> None:
    """Claim, budget, looks and tiers."""
    file, root, page = read
    claims = [key for key in ("bar", "margin") if key in root.pairs]  # also one whose value is wrong
    if len(claims) != 1:
        spot = find(root, *claims[1:], key=True)
        said = "has `bar` and `margin`" if claims else "has neither `bar` nor `margin`"
        report.error(page, spot, f"{said}; a suite claims one: `bar: 0.9` or `margin: 0.05`")
    if file.budget_usd <= 0:
        report.error(page, find(root, "budget_usd"), "must be more than 0; a run stops before it spends more")
    looks = file.looks
    if not looks or list(looks) != sorted(set(looks)) or looks[-1] != 1:
        report.error(page, find(root, "looks"), "looks must grow and end with 1, such as [0.2, 0.4, 0.6, 0.8, 1]")
    for number, tier in enumerate(file.tiers):
        if tier in file.tiers[:number]:
            report.error(page, find(root, "tiers", number), f"`{tier}` is named twice")


def check_template(read: Read, cases: Cases, report: Report) -> None:
    """Every field that the template names is in every case, and every field of a case is asked."""
    names, broken = named_in(read.file.template)
    for one in broken:
        report.error(read.page, _spot_in_template(read, one.at), one.message)
    if not names and not broken:
        why = "names no field, so every case would be asked the same; add {input}"
        report.error(read.page, find(read.root, "template"), why)
    seen = {field for case in cases.cases for field in case.fields}
    wanted = {named.name for named in names}
    for named in names:
        if cases.cases and named.name not in seen:
            hint = nearest(named.name, seen)
            why = f"no case has the field `{named.name}`{hint}; they have: {listed(sorted(seen))}"
            report.error(read.page, _spot_in_template(read, named.at, len(named.name) + 2), why)
    for field in sorted(wanted & seen):
        lacking = [case for case in cases.cases if field not in case.fields]
        _once(report, cases, lacking, "input", f"lacks the field `{field}`, which the template names")
    for field in sorted(seen - wanted) if not broken else ():
        having = [case for case in cases.cases if field in case.fields]
        hint = nearest(field, wanted)
        why = f"the field {quoted(field)} is not in the template{hint}; add {{{field}}} there, or take the field out"
        _once(report, cases, having, field, why)


def check_expected(form: Form, cases: Cases, report: Report) -> None:
    """What each case expects, as its grader needs it."""
    for case in cases.cases:
        wrong = form.misfit(case.expected)
        if wrong is not None:
            report.error(cases.page, cases.lines[case.id].at("expected"), f"`expected` {wrong}")


def check_grader(form: Form, read: Read, report: Report) -> None:
    for flaw in form.flaws():
        report.error(read.page, find(read.root, "grader", *flaw.path), _sentence(flaw.path, flaw.message))


def repeated(cases: Iterable[Case]) -> Iterator[tuple[Case, Case]]:
    """Cases that ask the very same."""
    first: dict[tuple[tuple[str, str], ...], Case] = {}
    for case in cases:
        asked = tuple(sorted(case.fields.items()))
        if asked in first:
            yield first[asked], case
        first.setdefault(asked, case)


def _once(report: Report, cases: Cases, wrong: list[Case], key: str, message: str) -> None:
    if wrong:
        more = f" (and so in {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        report.error(cases.page, cases.lines[wrong[0].id].at(key), message + more)


def _sentence(path: tuple[str | int, ...], message: str) -> str:
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "grader")
    entry = "an entry of " if path and isinstance(path[-1], int) else ""
    return message if message.startswith(("`", "there")) else f"{entry}`{name}` {message}"


def _spot_in_template(read: Read, at: int, width: int = 1) -> Spot:
    """A place in the template as a place in the file. A block of text begins on the line below its key."""
    template = read.file.template
    spot = find(read.root, "template")
    node = read.root.pairs.get("template", (None, None))[1]
    if not isinstance(node, Scalar):
        return spot
    line = template.count("\n", 0, at)
    begin = template.rfind("\n", 0, at) + 1
    end = template.find("\n", at)
    text = template[begin:] if end < 0 else template[begin:end]
    for number in range(spot.line, len(read.page.lines)):
        column = read.page.lines[number].find(text)
        if column >= 0 and number >= spot.line + line - 1:
            return Spot(number, column + at - begin, width)
    return spot
