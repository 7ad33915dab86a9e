"""Where labels come from: runs of suites, requests that were kept and run on two tiers, and the classifier's verdicts.

Rule: what was made up, graded by a model, or asked by a suite that has changed since is left out, and said so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from router.errors import RequestError
from router.vocabulary import Difficulty, Sampled
from router.vocabulary.noun import Noun
from router.wire.ask import question_text, read_complete

from ..labels import AGREES
from ..labels import Label as Graded
from ..suitefile import rendered
from ..vocabulary import Finding, Run, Suite, Tried
from .labels import Label

WHOLE = 1_000_000  # characters: a text is learnt from as it was


class Found(Noun, frozen=True, kw_only=True):
    """Labels, and in words what gave none."""

    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(labels=self.labels + other.labels, notes=self.notes + other.notes)


class _NoLabels(Exception):
    """Why a suite's answers teach nothing here."""


def of_runs(runs: Iterable[Run], suite_of: Callable[[str], Suite | None]) -> Found:
    """The newest run of each suite. `suite_of` gives the suite as it is now; None where it is not there."""
    found = Found()
    seen: set[str] = set()
    for run in sorted(runs, key=lambda run: (run.at_ms, run.run_id), reverse=True):
        if run.rehearsed:
            found += Found(notes=(f"{run.run_id} was a rehearsal: its answers are made up",))
            continue
        for name in sorted(run.tried.keys() - seen):
            seen.add(name)
            try:
                found += Found(labels=tuple(_of_suite(name, run, suite_of(name))))
            except _NoLabels as why:
                found += Found(notes=(f"{name}, {run.run_id}: {why}",))
    return found


def of_verdicts(kept: Iterable[Sampled]) -> Found:
    """What the classifier said of requests that were kept."""
    labels, unfit = [], 0
    for sampled in kept:
        if sampled.verdict_task is None or sampled.verdict_difficulty is None:
            continue
        text = _text(sampled)
        if text is None:
            unfit += 1
        else:
            difficulty = Difficulty(sampled.verdict_difficulty)
            labels.append(Label.of_verdict(text, sampled.verdict_task, difficulty))
    return Found(labels=tuple(labels), notes=_unfit(unfit))


def of_agreement(kept: Iterable[Sampled], graded: Iterable[Graded], tiers: Sequence[str]) -> Found:
    """Requests that the cheapest tier and the top one both answered: it does where its answer is the top tier's."""
    by_id = {sampled.request_id: sampled for sampled in kept}
    labels, unfit = [], 0
    for one in graded:
        sampled = by_id.get(one.request_id)
        if one.how != AGREES or len(tiers) < 2 or one.tier != tiers[0] or sampled is None:
            continue
        text = _text(sampled)
        if text is None:
            unfit += 1
            continue
        labels.append(Label(text=text, task=one.task, weak=float(one.passed), strong=1.0, cheap=tiers[0],
                            top=tiers[-1], model=one.model))  # fmt: skip
    return Found(labels=tuple(labels), notes=_unfit(unfit))


def _of_suite(name: str, run: Run, suite: Suite | None) -> Iterator[Label]:
    finding = next((finding for finding in run.findings if finding.suite == name), None)
    if finding is None:
        raise _NoLabels("the run ended before it found anything")
    if finding.judged:
        raise _NoLabels("a model graded it; the gate learns from exact grades only")
    if suite is None:
        raise _NoLabels("the suite is not there any more")
    if suite.hash != finding.suite_hash:
        raise _NoLabels("the suite was changed since: run it again")
    cheap, top = _ends(finding, run.tried[name])
    by_case = {case.id: case for case in suite.cases}
    done = {(tried.tier, tried.case): tried for tried in run.tried[name] if tried.epoch == 0}
    both = [case for case in by_case if (cheap, case) in done and (top, case) in done]
    for case in both:
        yield Label(
            text=rendered(suite, by_case[case]),
            task=suite.task,
            weak=float(done[cheap, case].grade.passed),
            strong=float(done[top, case].grade.passed),
            cheap=cheap,
            top=top,
            model=done[cheap, case].answer.model,
        )


def _ends(finding: Finding, tried: Iterable[Tried]) -> tuple[str, str]:
    """The cheapest and the top tier that were asked anything."""
    asked = {one.tier for one in tried}
    order = [one.tier for one in finding.tiers if one.tier in asked]
    if len(order) < 2:
        raise _NoLabels("fewer than two tiers were asked: there is nothing to choose between")
    return order[0], order[-1]


def _text(sampled: Sampled) -> str | None:
    """What the gate would be asked about; None for what it is never asked: more than one turn of text."""
    try:
        ask = read_complete(sampled.body, {})
    except RequestError:
        return None
    facts = ask.facts
    if facts.turns != 1 or facts.tool_count or facts.image_count or facts.document_count:
        return None
    return question_text(ask, WHOLE) or None


def _unfit(count: int) -> tuple[str, ...]:
    return (
        (f"{count:,} kept requests are more than one turn of text: the gate is never asked about such",)
        if count
        else ()
    )
