"""What a suite will ask before its verdict: its cases, its judge's questions about them, and what is asked again.

Rule: nothing is sent. Where only the answers will tell (which cases two tiers differ on, how much there is to judge),
it is taken at its worst: no line of an estimate may be what a run turns out to cost more than.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from router.decide.policy import Rulebook
from router.decide.price import cost
from router.ports import Clock
from router.vocabulary import Usage
from router.vocabulary.noun import Noun

from .asking import Asking
from .graders import grader_of
from .graders.judge import SCHEMA, SYSTEM, Judge
from .question import Question
from .spending import Estimate, estimate, merged, output_of
from .vocabulary import Answered, Case, Suite
from .walking import REPEATED_MAX, REPEATS

AGAIN = "asked again"


class Asked(Noun, frozen=True, kw_only=True):
    """A case on a tier, and its answer where that is known."""

    case: Case
    question: Question
    answered: Answered | None


class Foresight:
    """Of one run."""

    def __init__(self, asking: Asking, rules: Rulebook, clock: Clock, *, batch: bool) -> None:
        self._asking = asking
        self._rules = rules
        self._clock = clock
        self._batch = batch

    def of(self, suite: Suite, tiers: Sequence[str], cases: int | None) -> tuple[Estimate, ...]:
        """A line a tier; one for what is asked again, unless only so many `cases` are meant; one for the judge."""
        first = {tier: [self._asked(suite, tier, case) for case in suite.cases[:cases]] for tier in tiers}
        lines = [self._line(asked) for asked in first.values()]
        means = {line.tier: line.mean_tokens for line in lines}
        pairs = [] if cases is not None else pairs_of(suite, tiers)
        again = [asked for low, top in pairs for asked in self._again(first[low], first[top])]
        if again:
            lines.append(merged(AGAIN, [self._line(asked, means[asked[0].question.tier]) for asked in again]))
        everything = [one for asked in (*first.values(), *again) for one in asked]
        return (*lines, *self._judging(suite, everything))

    def _asked(self, suite: Suite, tier: str, case: Case) -> Asked:
        question = self._asking.questions.of_case(suite, tier, case)
        return Asked(case=case, question=question, answered=self._asking.answers.find(question.key))

    def _line(self, asked: Sequence[Asked], mean: int | None = None) -> Estimate:
        questions, known = [one.question for one in asked], [one.answered for one in asked]
        return estimate(questions, known, self._rules, (self._clock.now_ms(), self._batch), mean)

    def _again(self, low: Sequence[Asked], top: Sequence[Asked]) -> list[list[Asked]]:
        """Of each tier of a pair: the cases that an earlier run asked both again; where there are none, as many, and as
        dear, as can turn out to differ."""
        rounds = [{one.case.id: self._rounds(one) for one in tier} for tier in (low, top)]
        begun = set.intersection(*({name for name, own in tier.items() if _begun(own)} for tier in rounds))
        return [[one for name in begun or _dearest(tier) for one in tier[name]] for tier in rounds]

    def _rounds(self, one: Asked) -> list[Asked]:
        return [self._repeat(one, epoch) for epoch in range(1, REPEATS + 1)]

    def _repeat(self, one: Asked, epoch: int) -> Asked:
        question = self._asking.questions.again(one.question, epoch)
        return Asked(case=one.case, question=question, answered=self._asking.answers.find(question.key))

    # ---- the judge

    def _judging(self, suite: Suite, asked: Iterable[Asked]) -> Iterator[Estimate]:
        judge = grader_of(suite) if suite.grader.judged else None
        if not isinstance(judge, Judge):
            return
        questions = [question for one in asked for question in self._judges(suite, judge, one)]
        if not questions:
            return
        known = [self._asking.answers.find(question.key) for question in questions]
        line = estimate(questions, known, self._rules, (self._clock.now_ms(), False))
        yield msgspec.structs.replace(line, tier=f"{line.tier}, as judge")

    def _judges(self, suite: Suite, judge: Judge, one: Asked) -> list[Question]:
        """Its own two about an answer that is known; else two as long as the answer may make them."""
        if one.answered is not None:
            text = one.answered.text
            return (
                [self._plain(suite, judge, prompt) for prompt in judge.prompts(one.case, text)] if text.strip() else []
            )
        bare = [self._plain(suite, judge, prompt) for prompt in judge.prompts(one.case, "")]
        return [self._with_answer(question, one.question) for question in bare]

    def _plain(self, suite: Suite, judge: Judge, prompt: str) -> Question:
        return self._asking.questions.plain(suite.name, judge.tier, (SYSTEM, prompt), SCHEMA)

    def _with_answer(self, judges: Question, asked: Question) -> Question:
        """What one model writes, the other reads."""
        probably, most = output_of(asked, None), asked.ready.max_tokens
        ready = msgspec.structs.replace(judges.ready, input_tokens=judges.ready.input_tokens + probably)
        read = cost(Usage(input_tokens=most), ready.model, self._rules.prices, self._clock.now_ms()).pico
        times = judges.worst_pico // max(1, ready.worst_pico)
        key = f"{judges.key} of {asked.key}"  # nobody's: its words are not known yet
        return msgspec.structs.replace(judges, key=key, ready=ready, worst_pico=judges.worst_pico + times * read)


def pairs_of(suite: Suite, tiers: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs that may be asked again: neighbours, or each with the top tier for a margin."""
    if suite.claim.kind == "margin":
        return [(tier, tiers[-1]) for tier in tiers[:-1]]
    return list(pairwise(tiers))


def _begun(rounds: Sequence[Asked]) -> bool:
    return any(one.answered is not None for one in rounds)


def _dearest(tier: Mapping[str, Sequence[Asked]]) -> list[str]:
    """By the cases' names."""
    return sorted(tier, key=lambda name: tier[name][0].question.worst_pico, reverse=True)[:REPEATED_MAX]
