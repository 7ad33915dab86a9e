"""A walk's end in numbers and words: what was found of each tier, where they differ, and the cheapest that does.

Rule: pure. It claims nothing that the looks did not show; what was not tested says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from statistics import fmean, median

import msgspec

from .endings import endings
from .judging import as_people_grade, in_words, labelled
from .stats.clusters import clustered, effect_of
from .stats.intervals import wilson
from .stats.judges import Labelled
from .suitefile.labels import HumanLabel
from .vocabulary import Case, Finding, Pair, Slice, State, Suite, TierFinding, Tried
from .walking import REPEATS, Judged, Seen, Walk, compared, differing

PAIRS_MAX = 50
TEXT_MAX = 2_000  # characters of an answer that are kept for reading
WHOLE_PERCENT = 100
CHANCE = 0.05


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers need to know of prices: what this run paid, and what a batch pays of the live price."""

    spent_pico: int
    batch_percent: int


def finding(walk: Walk, models: Mapping[str, str], money: Money, labels: Sequence[HumanLabel] = ()) -> Finding:
    """`models`: by tier. `labels`: what people say of answers that a model graded."""
    suite, seen = walk.suite, walk.seen
    people = labelled(labels, seen.all()) if suite.grader.judged else None
    tiers = tuple(_put_right(_tier(walk, tier, models[tier], money), people) for tier in walk.tiers)
    winner, words, decided = _verdict(walk, tiers)
    firsts = [one for one in seen.all() if not one.epoch]
    return Finding(
        suite=suite.name,
        suite_hash=suite.hash,
        task=suite.task,
        claim=suite.claim,
        judged=suite.grader.judged,
        winner=winner,
        words=" ".join((words, *_warning(suite, seen), *_of_judge(people))),
        decided=decided,
        tiers=tiers,
        slices=_slices(suite.cases, walk.tiers, seen),
        pairs=tuple(_pairs(walk))[:PAIRS_MAX],
        cases_total=len(suite.cases),
        calls=len(firsts),
        calls_fixed=_fixed(walk),
        spent_pico=money.spent_pico,
        worth_pico=sum(_live_pico(one, money) for one in seen.all()),
    )


def _tier(walk: Walk, tier: str, model: str, money: Money) -> TierFinding:
    judged = next((one for one in walk.judged if one.tier == tier), None)
    mark = walk.suite.claim.kind == "margin" and tier == walk.tiers[-1]
    if mark:
        judged = Judged(tier=tier)
    tried = [one for one in walk.seen.all() if one.tier == tier and not one.epoch]
    if judged is None or not tried:
        return TierFinding(tier=tier, model=model, state=State.UNTRIED, words=_why_untried(walk, mark))
    if mark and not _asked_of_all(walk, tier):
        # It was asked only where a cheaper tier failed: its pass rate there is no pass rate.
        words = f"the mark for the others; asked on {len(tried)} cases, only where a cheaper tier failed"
        tried_cost = _costs(tried, money)
        return TierFinding(tier=tier, model=model, state=State.UNTRIED, words=words, **tried_cost)
    passed, cases = sum(one.grade.passed for one in tried), len(tried)
    low, high = wilson(*_counts(walk, tried))
    return TierFinding(
        tier=tier,
        model=model,
        state=State.CLEARS if mark else judged.state,
        words="; ".join((_in_words(walk, judged, passed, cases, mark=mark), *endings(tried, model))),
        cases=cases,
        passed=passed,
        low=low,
        high=high,
        at_least=_at_least(walk, judged, tried),
        below_top=judged.look.below_top if judged.look is not None else None,
        more_cases=judged.look.more_cases if judged.look is not None else None,
        **_costs(tried, money),
    )


def _why_untried(walk: Walk, mark: bool) -> str:
    if mark:
        return "the mark for the others; it was not needed: they were right wherever it could have been better"
    last = walk.judged[-1] if walk.judged else None
    if last is not None and last.state is State.OPEN:
        return "not tested: the run ended before its turn"
    return "not tested: a tier above it decided"


def _counts(walk: Walk, tried: Sequence[Tried]) -> tuple[float, float]:
    """Passed and cases; those that come in clusters count for less."""
    clusters = {case.id: case.cluster for case in walk.suite.cases}
    effect = effect_of([one.grade.passed for one in tried], [clusters[one.case] for one in tried])
    return sum(one.grade.passed for one in tried) / effect, len(tried) / effect


def _at_least(walk: Walk, judged: Judged, tried: Sequence[Tried]) -> float:
    """The looks' own bound; for the mark, which no look is of, Wilson's for as many bounds as looks were planned."""
    if judged.look is not None:
        return judged.look.at_least
    return wilson(*_counts(walk, tried), 2 * CHANCE / len(walk.design.looks))[0]


def _asked_of_all(walk: Walk, tier: str) -> bool:
    """Was the tier asked of every case that any tier was asked of?"""
    asked = {one.case for one in walk.seen.all()}
    return all(walk.seen.of(tier, case) is not None for case in asked)


def _in_words(walk: Walk, judged: Judged, passed: int, cases: int, *, mark: bool) -> str:
    if mark:
        return "the top tier: what the others are held against"
    if judged.look is None:
        return f"{passed} of {cases} passed: the first look was not complete"
    return f"{judged.look.words} (look {judged.taken} of {len(walk.design.looks)})"


def _costs(tried: Sequence[Tried], money: Money) -> dict[str, int]:
    latencies = sorted(one.answer.latency_ms for one in tried if one.answer.latency_ms)
    return {
        "cost_pico": round(fmean(_live_pico(one, money) for one in tried)),
        "latency_ms": round(median(latencies)) if latencies else 0,
        "latency_p95_ms": latencies[ceil(0.95 * len(latencies)) - 1] if latencies else 0,
    }


def _live_pico(one: Tried, money: Money) -> int:
    """What production would pay for it: a batch's answer at the live price."""
    if not one.answer.batch:
        return one.answer.cost_pico
    return one.answer.cost_pico * WHOLE_PERCENT // money.batch_percent


def _verdict(walk: Walk, tiers: Sequence[TierFinding]) -> tuple[str | None, str, bool]:
    """The winner, in words, and whether more cases could name a cheaper one."""
    claim, last = walk.suite.claim, walk.judged[-1] if walk.judged else None
    decided = last is not None and last.state in (State.CLEARS, State.FAILS)
    below = "" if last is None or last.state is State.CLEARS else f" {last.tier}: {_short(last)}"
    tested = {one.tier for one in walk.judged}
    winner = next((one for one in tiers if one.state is State.CLEARS and one.tier in tested), None)  # cheapest first
    if winner is not None:
        return winner.tier, f"{winner.tier} is the cheapest tier that {claim.words}: {winner.words}.{below}", decided
    if claim.kind == "margin":
        top = walk.tiers[-1]
        return top, f"only the top tier, {top}: no cheaper one is shown to keep up.{below}", decided
    if decided:
        return None, f"no tier is shown to do.{below}", True
    return None, f"not enough evidence.{below}", False


def _put_right(tier: TierFinding, people: Labelled | None) -> TierFinding:
    """What people would say of a tier that a model graded, beside what the model says."""
    if people is None or not people.cases or not tier.cases:
        return tier
    return msgspec.structs.replace(tier, words=f"{tier.words}; {as_people_grade(tier.passed, tier.cases, people)}")


def _of_judge(people: Labelled | None) -> Iterable[str]:
    if people is not None:
        yield "A model graded this, in both orders" + (
            f": {in_words(people)}." if people.cases else "; no human labels."
        )


def _warning(suite: Suite, seen: Seen) -> Iterable[str]:
    """Where cases come in a few clusters, a pooled number is about these few."""
    if any(case.cluster for case in suite.cases):
        ids = {one.case for one in seen.all()}
        asked = [case for case in suite.cases if case.id in ids]
        warning = clustered([True] * len(asked), [case.cluster for case in asked]).warning if asked else ""
        if warning:
            yield f"Note: {warning}."


def _short(judged: Judged) -> str:
    if judged.look is None:
        return "the first look was not complete."
    more = judged.look.more_cases
    if judged.state is State.FAILS:
        return f"{judged.look.words}."
    enough = f"about {more} more cases would decide" if more is not None else "no number of cases is likely to decide"
    return f"not enough evidence, {enough}."


def _fixed(walk: Walk) -> int:
    """What the same tests would have asked without looks: every case of every tier that was tested."""
    tested = {one.tier for one in walk.judged}
    if walk.suite.claim.kind == "margin" and tested:
        tested.add(walk.tiers[-1])
    return len(tested) * len(walk.suite.cases)


def _slices(cases: Iterable[Case], tiers: Sequence[str], seen: Seen) -> tuple[Slice, ...]:
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for case in cases:
        for tier in tiers:
            one = seen.of(tier, case.id)
            if one is None:
                continue
            for tag in case.tags:
                passed, of = counts.setdefault(tag, {}).get(tier, (0, 0))
                counts[tag][tier] = (passed + one.grade.passed, of + 1)
    return tuple(Slice(tag=tag, tiers=counts[tag]) for tag in sorted(counts))


def _pairs(walk: Walk) -> Iterable[Pair]:
    seen = walk.seen
    for lower, upper in compared(walk):
        for case in differing(seen, lower, upper, walk.suite.cases):
            one, other = seen.of(lower, case.id), seen.of(upper, case.id)
            assert one is not None, "both were asked"
            assert other is not None, "both were asked"
            better, worse = (one, other) if one.grade.passed else (other, one)
            yield Pair(
                case=case.id,
                better=better.tier,
                worse=worse.tier,
                expected=_spelt(case.expected),
                better_text=better.answer.text[:TEXT_MAX],
                worse_text=worse.answer.text[:TEXT_MAX],
                why=worse.grade.why,
                repeats=tuple(_repeats(seen, case, better.tier, worse.tier)),
            )


def _repeats(seen: Seen, case: Case, better: str, worse: str) -> Iterable[str]:
    for epoch in range(1, REPEATS + 1):
        one, other = seen.of(better, case.id, epoch), seen.of(worse, case.id, epoch)
        if one is not None and other is not None:
            yield "/".join("pass" if tried.grade.passed else "fail" for tried in (one, other))


def _spelt(expected: object) -> str:
    return expected if isinstance(expected, str) else msgspec.json.encode(expected).decode()
